package entry

import (
	"errors"
	"testing"
	"time"
)

var errNo = errors.New("the owner says no")

// An entry has a key, a status, a size that can be, at least one body and the coding of
// each but the first variant; and the owner's check allows it.
func TestNew(t *testing.T) {
	whole := func(change func(*Content)) Content {
		c := Content{Status: 200, Variants: []Variant{{Body: []byte("{}")}, {Coding: "gzip"}}}
		change(&c)
		return c
	}
	for name, tt := range map[string]struct {
		key     string
		content Content
		fits    bool
	}{
		"whole":               {"k", whole(func(*Content) {}), true},
		"an empty body":       {"k", whole(func(c *Content) { c.Variants[0].Body = []byte{} }), true},
		"another has a body":  {"k", whole(func(c *Content) { c.Variants[0].Body, c.Variants[1].Body = nil, []byte("x") }), true},
		"no key":              {"", whole(func(*Content) {}), false},
		"no status":           {"k", whole(func(c *Content) { c.Status = 0 }), false},
		"a status below":      {"k", whole(func(c *Content) { c.Status = -1 }), false},
		"a status of one":     {"k", whole(func(c *Content) { c.Status = 1 }), true},
		"a size below zero":   {"k", whole(func(c *Content) { c.Size = -1 }), false},
		"no variant":          {"k", whole(func(c *Content) { c.Variants = nil }), false},
		"no body":             {"k", whole(func(c *Content) { c.Variants[0].Body = nil }), false},
		"a coding first":      {"k", whole(func(c *Content) { c.Variants[0].Coding = "br" }), false},
		"no coding later":     {"k", whole(func(c *Content) { c.Variants[1].Coding = "" }), false},
		"refused by its user": {"k", whole(func(c *Content) { c.Size = 666 }), false},
	} {
		filled, checked := time.Unix(1, 0), 0
		e, err := New(tt.key, tt.content, filled, time.Second, func(c *Content) error {
			checked++
			if c.Size == 666 {
				return errNo
			}
			return nil
		})
		switch {
		case (err == nil) != tt.fits || (e != nil) != tt.fits || !tt.fits && !errors.Is(err, ErrUnfit):
			t.Errorf("%s: %v, %v", name, e, err)
		case tt.fits && (e.Key != tt.key || e.Status != tt.content.Status || e.Filled != filled || e.Took != time.Second || checked != 1):
			t.Errorf("%s: %+v, checked %d times", name, e, checked)
		case tt.content.Size == 666 && !errors.Is(err, errNo):
			t.Errorf("%s: %v does not wrap the reason", name, err)
		}
	}
}
