package preflight

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// Verdict is the result of a check.
type Verdict string

// The verdicts.
const (
	Go      Verdict = "go"
	Warning Verdict = "warning" // the proxy works, but not as well as it could
	NoGo    Verdict = "no-go"   // visitors would notice
	Skipped Verdict = "skipped" // left out by a flag, or because another check failed
)

// finding is a verdict with its reason, and with a remedy unless all is well.
type finding struct {
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`
	Remedy  string  `json:"remedy,omitempty"`
}

func pass(reason string, args ...any) finding { return finding{Go, fmt.Sprintf(reason, args...), ""} }
func skip(reason string, args ...any) finding {
	return finding{Skipped, fmt.Sprintf(reason, args...), ""}
}
func warn(remedy, reason string, args ...any) finding {
	return finding{Warning, fmt.Sprintf(reason, args...), remedy}
}
func noGo(remedy, reason string, args ...any) finding {
	return finding{NoGo, fmt.Sprintf(reason, args...), remedy}
}

// worst returns the most serious finding of a check with several parts: the reasons of
// the same verdict are joined, and all is well if no part is worse.
func worst(well finding, parts ...finding) finding {
	for _, verdict := range []Verdict{NoGo, Warning} {
		joined := finding{Verdict: verdict}
		for _, p := range parts {
			if p.Verdict == verdict {
				joined.Reason += "; " + p.Reason
				joined.Remedy += "; " + p.Remedy
			}
		}
		if joined.Reason != "" {
			joined.Reason, joined.Remedy = joined.Reason[2:], joined.Remedy[2:]
			return joined
		}
	}
	return well
}

// Row is the result of one check.
type Row struct {
	Check string `json:"check"`
	finding
	Seconds float64 `json:"seconds"`
}

// The widths of the columns before the reason.
const verdictWidth, nameWidth = 8, 15

// print writes the row, with the remedy on a line of its own.
func (r Row) print(w io.Writer) {
	fmt.Fprintf(w, "%-*s %-*s %s\n", verdictWidth, r.Verdict, nameWidth, r.Check, r.Reason)
	if r.Remedy != "" {
		fmt.Fprintf(w, "%*s-> %s\n", verdictWidth+nameWidth+2, "", r.Remedy)
	}
}

// Report is the result of all checks.
type Report struct {
	Result   Verdict `json:"result"` // go or no-go
	NoGo     int     `json:"no_go"`
	Warnings int     `json:"warnings"`
	Version  string  `json:"version"`
	Rows     []Row   `json:"checks"`
}

func (r *Report) add(row Row) {
	r.Rows = append(r.Rows, row)
	switch row.Verdict {
	case NoGo:
		r.NoGo++
	case Warning:
		r.Warnings++
	}
}

// stopped reports whether a check has failed, or was left out because another failed.
func (r *Report) stopped(name string) bool {
	return slices.ContainsFunc(r.Rows, func(row Row) bool {
		return row.Check == name && (row.Verdict == NoGo || row.Verdict == Skipped)
	})
}

func (r *Report) judge() {
	r.Result = Go
	if r.NoGo > 0 {
		r.Result = NoGo
	}
}

// summary is the last line of the table.
func (r *Report) summary() string {
	var failed []string
	for _, row := range r.Rows {
		if row.Verdict == NoGo {
			failed = append(failed, row.Check)
		}
	}
	text := fmt.Sprintf("%s: %s, %s", r.Result, plural.Of(len(r.Rows), "check"), plural.Of(r.Warnings, "warning"))
	if failed != nil {
		text += fmt.Sprintf(", %d to correct first: %s", r.NoGo, strings.Join(failed, ", "))
	}
	return text
}
