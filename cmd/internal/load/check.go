package load

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const (
	// oneIn is how many requests there are for each whose body is looked at,
	// beside the first answer to each target.
	oneIn = 1000
	// maxLater is how much of bodies may wait to be checked, in bytes, and
	// maxBodies how many may.
	maxLater  = 64 << 20
	maxBodies = 16 << 10
	// idleTimes is how much longer than the last check took the next one waits:
	// what is measured needs the processors.
	idleTimes = 19
)

// errBody reports a wrong body.
var errBody = errors.New("the body is wrong")

// checker decides whose body is looked at, and looks. It is safe for concurrent
// use.
type checker struct {
	mu    sync.Mutex
	seen  map[string]bool
	later chan received
	bytes atomic.Int64 // of later
}

// received is a body as it was sent.
type received struct {
	target, coding string
	body           []byte
}

func newChecker() *checker {
	return &checker{seen: map[string]bool{}, later: make(chan received, maxBodies)}
}

// wants reports whether the body of an answer is to be kept and checked. For the
// first of a target this is also true of one that turns out to have none.
func (c *checker) wants(q *Request, place int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[q.Target] {
		return place%oneIn == 0
	}
	c.seen[q.Target] = true
	return true
}

// put leaves a copy of a body to work, if there is room for it.
func (c *checker) put(r received) bool {
	size := int64(len(r.body))
	if c.bytes.Add(size) <= maxLater {
		r.body = bytes.Clone(r.body)
		select {
		case c.later <- r:
			return true
		default:
		}
	}
	c.bytes.Add(-size)
	return false
}

// work checks what was put, little by little until ended is closed and then all
// that is left, and tells what is wrong.
func (c *checker) work(ended <-chan struct{}, fail func(target string, err error)) {
	for {
		select {
		case r := <-c.later:
			c.bytes.Add(-int64(len(r.body)))
			begun := time.Now()
			if err := r.check(); err != nil {
				fail(r.target, err)
			}
			select {
			case <-ended:
			case <-time.After(idleTimes * time.Since(begun)):
			}
		case <-ended:
			if len(c.later) == 0 {
				return
			}
		}
	}
}

// check checks that a body can be decompressed and is JSON.
func (r received) check() error {
	plain, err := decode(r.coding, r.body)
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
