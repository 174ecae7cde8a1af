// Package scope names sets of calculations and reads their state: which
// calculations an answer depends on, and whether they are still the same.
package scope

import (
	"fmt"
	"regexp"
	"strings"
)

// Scope is a set of calculations: all that agree with it in every field that is
// not empty. The zero Scope holds all calculations.
type Scope struct {
	Season     string // a year; empty for any
	Division   string // a division code; empty for any
	Gender     string // M or F; empty for any
	Checkpoint string // a date, Live or Dated; empty for any
}

const (
	// Live is the Checkpoint of the rankings that change.
	Live = "live"
	// Dated is the Checkpoint of all snapshots.
	Dated = "dated"
)

// String writes a scope as season/division/gender/checkpoint, with a star for
// any.
func (s Scope) String() string {
	parts := []string{s.Season, s.Division, s.Gender, s.Checkpoint}
	for i, p := range parts {
		if p == "" {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

// Parse reads the text that String writes.
func Parse(text string) (Scope, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 4 {
		return Scope{}, fmt.Errorf("scope %q: want season/division/gender/checkpoint, with * for any", text)
	}
	for i, p := range parts {
		if p == "*" {
			parts[i] = ""
		}
	}
	return Scope{parts[0], parts[1], parts[2], parts[3]}, nil
}

// MarshalText returns the text of String: for the keys and values of JSON.
func (s Scope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text of MarshalText.
func (s *Scope) UnmarshalText(text []byte) (err error) {
	*s, err = Parse(string(text))
	return err
}

// pattern matches the scopes that an operator may write.
var pattern = regexp.MustCompile(`^([0-9]+|\*)/([0-9]+|\*)/([MF]|\*)/(` + Live + `|[0-9]{4}-[0-9]{2}-[0-9]{2}|\*)$`)

// ParsePattern reads a scope as an operator writes it: like Parse, and each part must have
// the form of its kind.
func ParsePattern(text string) (Scope, error) {
	if !pattern.MatchString(text) {
		return Scope{}, fmt.Errorf("scope %q: want season/division/gender/checkpoint with * for any, such as 2025/2030/M/live or 2025/*/F/2025-10-27", text)
	}
	return Parse(text)
}

// Covers reports whether s holds every calculation of other.
func (s Scope) Covers(other Scope) bool {
	covers := func(a, b string) bool { return a == "" || a == b }
	return covers(s.Season, other.Season) && covers(s.Division, other.Division) && covers(s.Gender, other.Gender) &&
		(covers(s.Checkpoint, other.Checkpoint) || s.Checkpoint == Dated && isDated(other.Checkpoint))
}

func isDated(checkpoint string) bool { return checkpoint != "" && checkpoint != Live }

// Overlaps reports whether a calculation may belong to both scopes, so that an
// import into the first concerns an answer of the second.
func (s Scope) Overlaps(other Scope) bool {
	overlaps := func(a, b string) bool { return a == "" || b == "" || a == b }
	return overlaps(s.Season, other.Season) && overlaps(s.Division, other.Division) && overlaps(s.Gender, other.Gender) &&
		(overlaps(s.Checkpoint, other.Checkpoint) || s.Checkpoint == Dated && isDated(other.Checkpoint) ||
			other.Checkpoint == Dated && isDated(s.Checkpoint))
}
