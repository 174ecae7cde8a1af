package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// row is a measured figure and the bound that it must keep.
type row struct {
	what        string // the measurement's name
	ours, other string // figures with their units; other may be empty
	value       float64
	most        bool // the bound is a maximum of value; otherwise a minimum
	bound       float64
	unit        string // of value and bound; empty for a ratio
}

func (r row) ok() bool {
	if r.most {
		return r.value <= r.bound
	}
	return r.value >= r.bound
}

func (r row) verdict() string {
	if r.ok() {
		return "ok"
	}
	return "short"
}

func (r row) needed() string {
	sign := "≥ "
	if r.most {
		sign = "≤ "
	}
	return sign + inUnit(r.bound, r.unit)
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

// pace is the speed of a server for a question: medians of the rounds.
type pace struct {
	question, server string
	perCPU, perWall  float64 // requests per second of processor time, and of wall-clock time
	p99              float64 // seconds
	kernel           float64 // share of its processor time
}

// report is the result of a run.
type report struct {
	rows  []row
	paces []pace
	why   []string
}

func (r *report) add(rows ...row) {
	for _, one := range rows {
		progress("%s: %s (%s)", one.what, inUnit(one.value, one.unit), one.verdict())
	}
	r.rows = append(r.rows, rows...)
}

// table is a heading and the lines below it.
type table [][]string

func (r *report) tables() (tables []table) {
	rows := table{{"what", "ours", "beside it", "measured", "needed", ""}}
	for _, one := range r.rows {
		rows = append(rows, []string{one.what, one.ours, one.other, inUnit(one.value, one.unit), one.needed(), one.verdict()})
	}
	tables = append(tables, rows)
	if len(r.paces) == 0 {
		return tables
	}
	paces := table{{"answer", "server", "requests/s of its processor time", "requests/s", "p99", "in the kernel"}}
	for _, p := range r.paces {
		paces = append(paces, []string{p.question, p.server, thousands(p.perCPU), thousands(p.perWall),
			fmt.Sprintf("%.1f ms", p.p99*1e3), fmt.Sprintf("%.0f %%", p.kernel*100)})
	}
	return append(tables, paces)
}

// thousands writes a whole number with commas.
func thousands(v float64) string {
	text := fmt.Sprintf("%.0f", v)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// print writes the report for a terminal.
func (r *report) print(w io.Writer, machine string) {
	fmt.Fprintf(w, "%s\n", machine)
	for _, t := range r.tables() {
		fmt.Fprintln(w)
		columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, line := range t {
			fmt.Fprintln(columns, strings.Join(line, "\t"))
		}
		columns.Flush()
	}
	for _, text := range r.why {
		fmt.Fprintf(w, "\n%s", text)
	}
}

// markdown writes the report for the README.
func (r *report) markdown(w io.Writer, machine string) {
	fmt.Fprintf(w, "%s\n", machine)
	for _, t := range r.tables() {
		fmt.Fprintf(w, "\n| %s |\n|%s\n", strings.Join(t[0], " | "), strings.Repeat("---|", len(t[0])))
		for _, line := range t[1:] {
			fmt.Fprintf(w, "| %s |\n", strings.Join(line, " | "))
		}
	}
	for _, text := range r.why {
		fmt.Fprintf(w, "\n```\n%s```\n", text)
	}
}
