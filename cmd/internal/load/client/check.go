package client

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/lewistv/xcri-proxy/cmd/internal/load/visitors"
)

const (
	// The body of one request in oneIn is checked, in addition to the first answer
	// to each target.
	oneIn = 1000
	// maxLater limits the total size in bytes of the bodies that wait for the check,
	// and maxBodies their number.
	maxLater  = 64 << 20
	maxBodies = 16 << 10
	// idleTimes is the pause before the next check as a multiple of the duration of
	// the last check: the measured server needs the processors.
	idleTimes = 19
)

// Checker selects the bodies to check, and checks them. It is safe for concurrent use.
type Checker struct {
	mu    sync.Mutex
	seen  map[string]bool
	later chan Body
	bytes atomic.Int64 // total size of the bodies in later
}

// Body is a body as transferred.
type Body struct {
	Target string
	Coding string // Content-Encoding
	Bytes  []byte
}

// NewChecker returns a Checker without bodies.
func NewChecker() *Checker {
	return &Checker{seen: map[string]bool{}, later: make(chan Body, maxBodies)}
}

// Wants reports whether to keep and check the body of an answer. It returns true for
// the first answer to a target, even if the answer turns out to have no body.
func (c *Checker) Wants(q *visitors.Request, place int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[q.Target] {
		return place%oneIn == 0
	}
	c.seen[q.Target] = true
	return true
}

// Put queues a copy of a body for Work. It returns false if there is no room.
func (c *Checker) Put(b Body) bool {
	size := int64(len(b.Bytes))
	if c.bytes.Add(size) <= maxLater {
		b.Bytes = bytes.Clone(b.Bytes)
		select {
		case c.later <- b:
			return true
		default:
		}
	}
	c.bytes.Add(-size)
	return false
}

// Work checks the queued bodies, with pauses until ended is closed, then the remaining
// bodies without pauses, and reports invalid bodies.
func (c *Checker) Work(ended <-chan struct{}, fail func(target string, err error)) {
	for {
		select {
		case b := <-c.later:
			c.bytes.Add(-int64(len(b.Bytes)))
			begun := time.Now()
			if err := b.Check(); err != nil {
				fail(b.Target, err)
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

// Check checks that a body can be decompressed and is JSON.
func (b Body) Check() error {
	plain, err := b.Plain()
	if err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	if !json.Valid(plain) {
		return fmt.Errorf("%w: it is not JSON: %.60q", errBody, plain)
	}
	return nil
}

// Plain returns the body without its content coding.
func (b Body) Plain() ([]byte, error) { return decode(b.Coding, b.Bytes) }

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
