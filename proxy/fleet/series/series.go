// Package series gives the answers of a fleet other names after each purge that selects them.
// The names of all other answers stay, so that a purge of a few answers leaves the rest of the
// shared level in use.
//
// The members agree on a text in the level, the series. It has a base, which is part of all
// names, and the cuts: the purges since the base began, each with its selector. The last cut
// that selects a key is part of the key's names, too. A member that has not heard of a purge
// stores and finds answers under the older names, which no member that has heard of it uses.
package series

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

const (
	// mostCuts and longest limit the cuts and the bytes of a text. A series with more begins
	// a new base instead: every lookup compares its key with the cuts, and each purge sends
	// the text to all members.
	mostCuts = 16
	longest  = 2 << 10
)

// Cut is a purge. Its selector is the kind of an action, and the action's data.
type Cut struct {
	ID   string          `json:"id"` // unique, of letters and digits
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data,omitempty"`
}

// Selector returns the condition by which an action selects keys; nil if it selects all keys,
// or is not understood.
type Selector func(kind string, data json.RawMessage) (selects func(key string) bool)

// Series is a parsed text. It is immutable.
type Series struct {
	text, base string
	cuts       []Cut
	selectors  []func(key string) bool // of the cuts; nil selects all keys
	of         Selector
}

// separator is between the base and the cuts of a text, and between a base and the ID of a
// cut. No base has it.
const separator = "."

// Parse returns the series of a text. A text that is not understood is a base.
func Parse(text string, of Selector) *Series {
	s := &Series{text: text, base: text, of: of}
	base, rest, ok := strings.Cut(text, separator)
	if !ok {
		return s
	}
	var cuts []Cut
	if list, err := base64.RawURLEncoding.DecodeString(rest); err != nil || json.Unmarshal(list, &cuts) != nil {
		return s
	}
	s.base, s.cuts = base, cuts
	for _, c := range cuts {
		s.selectors = append(s.selectors, of(c.Kind, c.Data))
	}
	return s
}

// Text returns the text.
func (s *Series) Text() string { return s.text }

// Of returns the part of a key's names by which the answers from before a purge differ from
// later answers.
func (s *Series) Of(key string) string {
	for i, selects := range slices.Backward(s.selectors) {
		if selects == nil || selects(key) {
			return s.base + separator + s.cuts[i].ID
		}
	}
	return s.base
}

// After returns the text that follows a purge. A cut with an equal selector is replaced.
func (s *Series) After(c Cut) (text string) {
	if s.of(c.Kind, c.Data) == nil {
		return c.ID
	}
	cuts := slices.DeleteFunc(slices.Clone(s.cuts), func(earlier Cut) bool {
		return earlier.Kind == c.Kind && bytes.Equal(earlier.Data, c.Data)
	})
	cuts = append(cuts, c)
	list, err := json.Marshal(cuts)
	text = s.base + separator + base64.RawURLEncoding.EncodeToString(list)
	if err != nil || len(cuts) > mostCuts || len(text) > longest {
		return c.ID
	}
	return text
}
