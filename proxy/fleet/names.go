package fleet

import (
	"crypto/sha256"
	"encoding/hex"
)

// name returns the name of an answer. The part in braces keeps the names of a key in one
// slot of a cluster.
func (f *Fleet) name(series, key, generation, data string) string {
	return "answer:" + series + ":{" + digest(key) + "}:" + digest(f.opts.Maker, generation, data)
}

// digest returns a short text that differs for different texts.
func digest(texts ...string) string {
	sum := sha256.New()
	for _, text := range texts {
		one := sha256.Sum256([]byte(text))
		sum.Write(one[:])
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// A value is a byte that says whether the answer is sure, a digit for its rank, and the
// record.
const (
	sureByte, unsureByte = '1', '0'
	headBytes            = 2
)

// head returns the first bytes of a value.
func head(sure bool, rank int) []byte {
	first := byte(unsureByte)
	if sure {
		first = sureByte
	}
	return []byte{first, byte('0' + min(max(rank, 0), 9))}
}
