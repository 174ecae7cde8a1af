package snapshot

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/lewistv/xcri-proxy/cache"
)

// recordHeader begins each record. It names the format of the entries, as the header of a
// file does.
const recordHeader = kind + "record 2\n"

// Record encodes one entry, which the caller holds, with all forms of its body: the record
// of a file between a header and a SHA-256.
func Record(s *cache.Saved) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(recordHeader) + int(s.Cost()) + sha256.Size)
	w := writer{bufio.NewWriter(&out)}
	w.WriteString(recordHeader)
	if err := w.entry(s); err != nil {
		return nil, err
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(out.Bytes())
	return append(out.Bytes(), sum[:]...), nil
}

// ParseRecord decodes a record that Record made. The error is ErrForeign, ErrVersion or
// ErrDamaged. It reserves no more memory than the record accounts for.
func ParseRecord(record []byte) (s cache.Saved, err error) {
	body, ok := bytes.CutPrefix(record, []byte(recordHeader))
	switch {
	case !ok && bytes.HasPrefix(record, []byte(kind)):
		return s, ErrVersion
	case !ok:
		return s, ErrForeign
	case len(body) < sha256.Size:
		return s, fmt.Errorf("%w: it ends early", ErrDamaged)
	}
	body, want := body[:len(body)-sha256.Size], record[len(record)-sha256.Size:]
	if sum := sha256.Sum256(record[:len(record)-sha256.Size]); !bytes.Equal(sum[:], want) {
		return s, fmt.Errorf("%w: the checksum is wrong", ErrDamaged)
	}
	r := &reader{in: bufio.NewReader(bytes.NewReader(body)), left: int64(len(body))}
	s = r.entry()
	if r.left != 0 {
		r.fail("bytes after the entry")
	}
	if r.err != nil {
		return cache.Saved{}, r.err
	}
	return s, nil
}
