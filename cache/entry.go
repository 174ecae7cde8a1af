package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/cache/memfile"
)

// Content is an answer as a fill returns it. It must not be changed afterwards.
type Content struct {
	// Status is the answer's HTTP status; it must not be zero.
	Status int
	// Size is the length of the body without a content coding, in bytes.
	Size int
	// Variants are the forms of the body. The first, and no other, has no content
	// coding; its body may be nil if another variant has one to make it from.
	Variants []Variant
	// Scope names the data that the answer depends on, and Generation the state of
	// that data that it was read from, as in the published generations.
	Scope, Generation string
}

// Entry is a stored answer. It is immutable: any number of requests may hold one
// concurrently, also after it left the cache. The cache makes each of its entries
// with newEntry, so that none can hold an answer that may not be stored.
type Entry struct {
	// Key names the answer.
	Key string
	Content
	// Filled is the time at which the fill ended, and Took is its duration.
	Filled time.Time
	Took   time.Duration
}

// newEntry returns an entry of the given content, or an error that wraps ErrUnfit.
func (c *Cache) newEntry(key string, content Content, filled time.Time, took time.Duration) (*Entry, error) {
	err := content.check()
	switch {
	case key == "":
		err = errors.New("it has no key")
	case err == nil:
		err = c.opts.Check(&content)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	return &Entry{key, content, filled, took}, nil
}

// check returns the reason why the content is not a complete answer; nil if it is
// complete.
func (c *Content) check() error {
	switch {
	case c.Status <= 0:
		return errors.New("it has no status")
	case c.Size < 0:
		return errors.New("its size is negative")
	case !slices.ContainsFunc(c.Variants, func(v Variant) bool { return v.HasBody() }):
		return errors.New("it has no body")
	}
	for i, v := range c.Variants {
		if (v.Coding == "") != (i == 0) {
			return fmt.Errorf("variant %d has the coding %q", i, v.Coding)
		}
	}
	return nil
}

// Variant is a body in one content coding. The body is in Body or in File, or in
// neither if it is made from another variant.
type Variant struct {
	Coding string // gzip, br, zstd; empty for none
	ETag   []byte // strong, with quotes; must not be changed
	Body   []byte // must not be changed
	// File is closed once the entry has left the cache: a caller holds the variant
	// while it uses the file.
	File *memfile.File
}

// HasBody reports whether the variant has a body of its own.
func (v *Variant) HasBody() bool { return v.Body != nil || v.File != nil }

// Len returns the length of the body, in bytes.
func (v *Variant) Len() int {
	if v.File != nil {
		return v.File.Size()
	}
	return len(v.Body)
}

// Hold keeps the body readable until Release. It returns false if the entry has left
// the cache and its body is gone: the caller repeats the lookup.
func (v *Variant) Hold() bool { return v.File == nil || v.File.Acquire() }

// Release undoes a successful Hold.
func (v *Variant) Release() {
	if v.File != nil {
		v.File.Release()
	}
}

// Reader returns a reader of the body. The caller holds the variant.
func (v *Variant) Reader() interface {
	io.Reader
	io.ReaderAt
} {
	if v.File != nil {
		return v.File.Reader()
	}
	return bytes.NewReader(v.Body)
}

// hold holds all variants, or none.
func (c *Content) hold() bool {
	for i := range c.Variants {
		if !c.Variants[i].Hold() {
			for j := range i {
				c.Variants[j].Release()
			}
			return false
		}
	}
	return true
}

// release releases all variants.
func (c *Content) release() {
	for i := range c.Variants {
		c.Variants[i].Release()
	}
}

// entryOverhead is the cost of an entry beside its key and bodies: headers of slices and
// strings, the version, the slot, and its places in the index and the admission policy.
// Measured, rounded up.
const entryOverhead = 512

// Cost returns the entry's size in the budget, in bytes.
func (e *Entry) Cost() int64 { return e.room(e.Key) }

// room returns the cost of an entry with the content, in bytes.
func (c *Content) room(key string) int64 {
	cost := int64(entryOverhead + len(key))
	for i := range c.Variants {
		cost += c.Variants[i].Cost()
	}
	return cost
}

// Cost returns the body's size in the budget, in bytes.
func (v *Variant) Cost() int64 {
	cost := int64(cap(v.Body) + len(v.ETag))
	if v.File != nil {
		cost += v.File.Cost()
	}
	return cost
}

// Outcome classifies the answer to a request.
type Outcome uint8

// The outcomes, each the label of a metric and the detail in Cache-Status.
const (
	Hit        Outcome = iota // served fresh from the cache
	Stale                     // served from the cache while it is refreshed
	StaleError                // served from the cache because the origin fails
	Miss                      // by a fill that this request began
	Coalesced                 // by a fill that another request began
	Pass                      // not for the cache
	Error                     // not answered
	Outcomes                  // the number of outcomes
)

var outcomeNames = [Outcomes]string{"hit", "stale", "stale_error", "miss", "coalesced", "pass", "error"}

func (o Outcome) String() string { return outcomeNames[o] }
