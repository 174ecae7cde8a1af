// Package report collects rows with bounds and the speeds of servers, and writes them as
// tables and a chart.
package report

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
)

// Row is a measured figure and the bound that it must keep.
type Row struct {
	Name        string // the measurement's name
	Ours, Other string // figures with their units; other may be empty
	Value       float64
	Most        bool // the bound is a maximum of value; otherwise a minimum
	Bound       float64
	Unit        string // of value and bound; empty for a ratio
	// Samples are the measurements whose median is the value, if it is a median: Add
	// computes it.
	Samples []float64
	machine string // the machine's state during the measurement
}

// keeps reports whether a value keeps the bound.
func (r Row) keeps(value float64) bool {
	if r.Most {
		return value <= r.Bound
	}
	return value >= r.Bound
}

// undecidable is the verdict of a row whose interval spans its bound.
const undecidable = "not decidable in this hour"

func (r Row) verdict() string {
	if low, high, ok := stats.Interval(r.Samples); ok && r.keeps(low) != r.keeps(high) {
		return undecidable
	}
	if r.keeps(r.Value) {
		return "ok"
	}
	return "short"
}

// measured returns the value, with the interval that holds it.
func (r Row) measured() string {
	text := inUnit(r.Value, r.Unit)
	if low, high, ok := stats.Interval(r.Samples); ok {
		text += fmt.Sprintf(" (%s to %s)", inUnit(low, r.Unit), inUnit(high, r.Unit))
	}
	return text
}

func (r Row) needed() string {
	sign := "≥ "
	if r.Most {
		sign = "≤ "
	}
	return sign + inUnit(r.Bound, r.Unit)
}

func inUnit(v float64, unit string) string {
	switch {
	case unit == "":
		return fmt.Sprintf("%.2f", v)
	case v == float64(int64(v)):
		return fmt.Sprintf("%.0f %s", v, unit)
	case unit == "%":
		return fmt.Sprintf("%.1f %%", v)
	case v < 10:
		return fmt.Sprintf("%.2f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

// Pace is the speed of a server for a question: medians of the rounds.
type Pace struct {
	Question, Server string
	PerCPU, PerWall  float64 // requests per second of processor time, and of wall-clock time
	P99              float64 // seconds; zero if it was not measured
	Kernel           float64 // share of its processor time
}

// Report is the result of a run.
type Report struct {
	rows  []Row
	Paces []Pace
	Why   []string
	// Machine describes the machine's state since its last call; nil describes nothing.
	Machine func() string
}

// Add adds rows that were measured together since the last call.
func (r *Report) Add(rows ...Row) {
	state := ""
	if r.Machine != nil {
		state = r.Machine()
	}
	for _, one := range rows {
		if len(one.Samples) > 0 {
			one.Value = stats.Median(one.Samples)
		}
		one.machine = state
		Progress("%s: %s (%s; %s)", one.Name, one.measured(), one.verdict(), state)
		r.rows = append(r.rows, one)
	}
}

// table is a heading and the lines below it.
type table [][]string

func (r *Report) tables() (tables []table) {
	rows := table{{"row", "ours", "beside it", "measured", "needed", "", "machine"}}
	for _, one := range r.rows {
		rows = append(rows, []string{one.Name, one.Ours, one.Other, one.measured(), one.needed(), one.verdict(), one.machine})
	}
	tables = append(tables, rows)
	if len(r.Paces) == 0 {
		return tables
	}
	paces := table{{"answer", "server", "requests/s of its processor time", "requests/s", "p99", "in the kernel"}}
	for _, p := range r.Paces {
		p99 := ""
		if p.P99 > 0 {
			p99 = fmt.Sprintf("%.1f ms", p.P99*1e3)
		}
		paces = append(paces, []string{p.Question, p.Server, Thousands(p.PerCPU), Thousands(p.PerWall), p99, fmt.Sprintf("%.0f %%", p.Kernel*100)})
	}
	return append(tables, paces)
}

// Thousands writes a whole number with commas.
func Thousands(v float64) string {
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Print writes the report for a terminal.
func (r *Report) Print(w io.Writer, machine string) {
	fmt.Fprintf(w, "%s\n", machine)
	for _, t := range r.tables() {
		fmt.Fprintln(w)
		columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, line := range t {
			fmt.Fprintln(columns, strings.Join(line, "\t"))
		}
		columns.Flush()
	}
	for _, text := range r.Why {
		fmt.Fprintf(w, "\n%s", text)
	}
}

// Markdown writes the report for the README.
func (r *Report) Markdown(w io.Writer, machine string) {
	fmt.Fprintf(w, "%s\n", machine)
	for _, t := range r.tables() {
		fmt.Fprintf(w, "\n| %s |\n|%s\n", strings.Join(t[0], " | "), strings.Repeat("---|", len(t[0])))
		for _, line := range t[1:] {
			fmt.Fprintf(w, "| %s |\n", strings.Join(line, " | "))
		}
	}
	for _, text := range r.Why {
		fmt.Fprintf(w, "\n```\n%s```\n", text)
	}
}

// Milliseconds writes a time given in seconds.
func Milliseconds(seconds float64) string { return fmt.Sprintf("%.2f ms", seconds*1e3) }

// MB is the number of bytes in a megabyte.
const MB = 1e6

// Megabytes writes a size given in bytes.
func Megabytes(bytes float64) string { return fmt.Sprintf("%.1f MB", bytes/MB) }

// Progress reports the progress of the run to the operator.
func Progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
