package readapi

import (
	"fmt"
	"strings"

	"github.com/lewistv/xcri-proxy/store/param"
)

// Scope tells which calculations an answer depends on: those that agree with
// it in every field that it names. The zero Scope is all of them.
type Scope struct {
	Season     string // a year; empty for any
	Division   string // a division code; empty for any
	Gender     string // M or F; empty for any
	Checkpoint string // a date, or Live; empty for any
}

const (
	// Live is the Checkpoint of the rankings that change.
	Live = "live"
	// Dated is that of all snapshots.
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

// ParseScope reads what String writes.
func ParseScope(text string) (Scope, error) {
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

// Covers reports whether every calculation of other is one of s.
func (s Scope) Covers(other Scope) bool {
	covers := func(a, b string) bool { return a == "" || a == b }
	return covers(s.Season, other.Season) && covers(s.Division, other.Division) && covers(s.Gender, other.Gender) &&
		(covers(s.Checkpoint, other.Checkpoint) || s.Checkpoint == Dated && isDated(other.Checkpoint))
}

func isDated(checkpoint string) bool { return checkpoint != "" && checkpoint != Live }

// Overlaps reports whether some calculation may belong to both scopes: whether
// an import into one concerns an answer of the other.
func (s Scope) Overlaps(other Scope) bool {
	overlaps := func(a, b string) bool { return a == "" || b == "" || a == b }
	return overlaps(s.Season, other.Season) && overlaps(s.Division, other.Division) && overlaps(s.Gender, other.Gender) &&
		(overlaps(s.Checkpoint, other.Checkpoint) || s.Checkpoint == Dated && isDated(other.Checkpoint) ||
			other.Checkpoint == Dated && isDated(s.Checkpoint))
}

// Scope returns the calculations that the answer to q depends on.
func (q Query) Scope() Scope {
	var s Scope
	switch q.Span {
	case SpanAll:
		return s
	case SpanDated:
		return Scope{Checkpoint: Dated}
	}
	for i := range q.Params {
		p, arg := &q.Params[i], q.Args[i]
		switch {
		case p.Name == season("").Name:
			s.Season = arg.Text
		case p.Name == division.Name && arg.Given:
			s.Division = arg.Text
		case p.Name == group.Name && arg.Given && q.Arg(groupType.Name).Text == "D":
			s.Division = arg.Text
		case p.Name == gender.Name || p.Name == genderCode.Name:
			if g := strings.ToUpper(arg.Text); g == "M" || g == "F" {
				s.Gender = g
			}
		case p.Kind == param.Date && arg.Given:
			s.Checkpoint = Dated // whichever day the server reads
			if day, known := param.Day(arg.Text); known {
				s.Checkpoint = day
			}
		case p.Kind == param.Date && p.Absent != "":
			s.Checkpoint = Live
		}
	}
	return s
}
