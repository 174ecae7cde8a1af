package cache

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// Content is an answer as a fill returns it. It must not be changed afterwards.
type Content struct {
	// Status is the answer's status; zero is no status.
	Status int
	// Size is the length of the body without a content coding, in bytes.
	Size int
	// Variants are the forms of the body. The first, and no other, has no content
	// coding; its body may be nil if another variant has one to make it from.
	Variants []Variant
	// Scope is what the answer depends on, and Generation which state of that
	// it comes from, in the words of the generations that are published.
	Scope, Generation string
}

// Entry is a stored answer. It is immutable: any number of requests may hold one
// concurrently, also after it left the cache. The cache makes each of its entries
// with newEntry, so that none can hold an answer that may not be stored.
type Entry struct {
	// Key names the answer.
	Key string
	Content
	// Filled is when the fill ended, and Took how long it lasted.
	Filled time.Time
	Took   time.Duration
}

// ErrUnfit is the error of an answer that may not be stored, and is wrapped by
// the reason.
var ErrUnfit = errors.New("the answer may not be stored")

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

// check returns why the content is not a whole answer, and nil if it is.
func (c *Content) check() error {
	switch {
	case c.Status <= 0:
		return errors.New("it has no status")
	case c.Size < 0:
		return errors.New("its size is negative")
	case len(c.Variants) == 0:
		return errors.New("it has no variants")
	case !slices.ContainsFunc(c.Variants, func(v Variant) bool { return v.Body != nil }):
		return errors.New("it has no body")
	}
	for i, v := range c.Variants {
		if (v.Coding == "") != (i == 0) {
			return fmt.Errorf("variant %d has the coding %q", i, v.Coding)
		}
	}
	return nil
}

// Variant is a body in one content coding.
type Variant struct {
	Coding string // gzip, br, zstd; empty for none
	Body   []byte // must not be changed; nil where it is made from another variant
	ETag   []byte // strong, with quotes; must not be changed
	// File holds the same as Body, to be sent without copying it; nil for none.
	// Nobody may write to it, seek in it or close it: that is done once nobody
	// holds the variant.
	File *os.File
}

// entryOverhead is what an entry costs beside its key and bodies: headers of
// slices and strings, the slot, the places in two maps. Measured, rounded up.
const entryOverhead = 512

// Cost is the room that the entry takes, in bytes.
func (e *Entry) Cost() int64 {
	cost := int64(entryOverhead + len(e.Key))
	for _, v := range e.Variants {
		cost += v.Cost()
	}
	return cost
}

// Cost is the room that the body takes, in bytes.
func (v *Variant) Cost() int64 {
	cost := int64(cap(v.Body) + len(v.ETag))
	if v.File != nil {
		cost += int64(len(v.Body))
	}
	return cost
}

func (e *Entry) began() time.Time { return e.Filled.Add(-e.Took) }

// Outcome tells how a request was answered.
type Outcome uint8

// The outcomes, each the label of a metric and the detail in Cache-Status.
const (
	Hit        Outcome = iota // from the cache, and true
	Stale                     // from the cache while it is refreshed
	StaleError                // from the cache because its origin fails
	Miss                      // by a fill that this request began
	Coalesced                 // by a fill that another request began
	Pass                      // not for the cache
	Error                     // not at all
	Outcomes                  // how many there are
)

var outcomeNames = [Outcomes]string{"hit", "stale", "stale_error", "miss", "coalesced", "pass", "error"}

func (o Outcome) String() string { return outcomeNames[o] }
