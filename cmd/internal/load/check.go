package load

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// oneIn is how many requests there are for each whose body is looked at, beside
// the first answer to each target.
const oneIn = 1000

// errBody says that an answer's body is not what it should be.
var errBody = errors.New("the body is wrong")

// checker decides whose body is looked at. The zero value has seen nothing. It
// is safe for concurrent use.
type checker struct {
	mu   sync.Mutex
	seen map[string]bool
}

// wants reports whether the body of an answer is to be kept and checked. For the
// first of a target this is also true of one that turns out to have none.
func (c *checker) wants(q *Request, place int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[q.Target] {
		return place%oneIn == 0
	}
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.seen[q.Target] = true
	return true
}

// body checks that a body can be decompressed and is JSON.
func (c *checker) body(coding, body []byte) error {
	plain, err := decode(string(coding), body)
	if err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	if !json.Valid(plain) {
		return fmt.Errorf("%w: it is not JSON: %.60q", errBody, plain)
	}
	return nil
}

func decode(coding string, body []byte) ([]byte, error) {
	from := io.Reader(bytes.NewReader(body))
	switch coding {
	case "":
		return body, nil
	case "gzip":
		unzip, err := gzip.NewReader(from)
		if err != nil {
			return nil, err
		}
		from = unzip
	case "br":
		from = brotli.NewReader(from)
	case "zstd":
		d, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		from = d
	default:
		return nil, fmt.Errorf("Content-Encoding %q was not asked for", coding)
	}
	return io.ReadAll(io.LimitReader(from, maxBody))
}
