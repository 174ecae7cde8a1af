// Package entry holds a cached answer: its content, the forms of its body, the rule of
// completeness, and its cost in a cache's budget.
package entry

import (
	"errors"
	"fmt"
	"slices"
	"time"
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
// with New, so that none can hold an answer that may not be stored.
type Entry struct {
	// Key names the answer.
	Key string
	Content
	// Filled is the time at which the fill ended, or for an answer from the shared level
	// the start of its lookup. Took is the duration of the fill.
	Filled time.Time
	Took   time.Duration
}

// ErrUnfit is the error of an answer that may not be stored, and wraps the reason.
var ErrUnfit = errors.New("the answer may not be stored")

// New returns an entry of the given content, or an error that wraps ErrUnfit if the
// content is not complete or check returns a reason against it.
func New(key string, content Content, filled time.Time, took time.Duration, check func(*Content) error) (*Entry, error) {
	err := content.Incomplete()
	switch {
	case key == "":
		err = errors.New("it has no key")
	case err == nil:
		err = check(&content)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	return &Entry{key, content, filled, took}, nil
}

// Incomplete returns the reason why the content is not a complete answer; nil if it is
// complete.
func (c *Content) Incomplete() error {
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

// Hold keeps the bodies of all variants readable until Release. It returns false, and
// holds none, if the entry has left the cache.
func (c *Content) Hold() bool {
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

// Release undoes a successful Hold.
func (c *Content) Release() {
	for i := range c.Variants {
		c.Variants[i].Release()
	}
}

// overhead is the cost of an entry beside its key and bodies: headers of slices and
// strings, the version, the slot, and its places in the index and the admission policy.
// Measured, rounded up.
const overhead = 512

// Cost returns the entry's size in the budget, in bytes.
func (e *Entry) Cost() int64 {
	cost := int64(overhead + len(e.Key))
	for i := range e.Variants {
		cost += e.Variants[i].Cost()
	}
	return cost
}
