package main

import (
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestRow(t *testing.T) {
	for _, test := range []struct {
		row
		needed, verdict string
	}{
		{row{value: 0.95, bound: 0.95}, "≥ 0.95", "ok"},
		{row{value: 0.94, bound: 0.95}, "≥ 0.95", "short"},
		{row{value: 3, bound: 3, most: true, unit: "s"}, "≤ 3 s", "ok"},
		{row{value: 3.1, bound: 3, most: true, unit: "s"}, "≤ 3 s", "short"},
		{row{value: 499.6, bound: 500, unit: "MB/s"}, "≥ 500 MB/s", "short"},
		{row{value: 98.96, bound: 98.5, unit: "%"}, "≥ 98.5 %", "ok"},
	} {
		if test.row.needed() != test.needed || test.row.verdict() != test.verdict {
			t.Errorf("%+v: got %s, %s, want %s, %s", test.row, test.row.needed(), test.row.verdict(), test.needed, test.verdict)
		}
	}
}

func TestFromTheirCaches(t *testing.T) {
	all := make([]series, contenders)
	for i := range all {
		all[i] = series{runs: 2, requests: 10_000}
	}
	if err := fromTheirCaches(all, 10_000+2*crowd+10); err != nil {
		t.Error(err)
	}
	if err := fromTheirCaches(all, 10_000+2*crowd+11); err == nil {
		t.Error("11 of 10,000 answers are not from a cache, and no error")
	}
}

func TestFigures(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567.8: "1,234,568"} {
		if got := thousands(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

func TestMarkdownIsTables(t *testing.T) {
	r := report{rows: []row{{what: "a hit", bound: 1, value: 2}}, paces: []pace{{question: "1 KB", server: "nginx", perCPU: 10}}}
	var text strings.Builder
	r.markdown(&text, "a machine")
	for line := range strings.Lines(text.String()) {
		if columns := strings.Count(line, "|"); columns != 0 && columns != 7 {
			t.Errorf("%d bars in %q", columns, line)
		}
	}
	if !strings.Contains(text.String(), "| a hit |  |  | 2.00 | ≥ 1.00 | ok |\n") {
		t.Errorf("no row of a hit in\n%s", text.String())
	}
}

// The README includes the chart by its name alone, so the file must be complete.
func TestChartIsXML(t *testing.T) {
	var paces []pace
	for _, q := range []string{"1 KB", "a <b> & c"} {
		for i, name := range names {
			paces = append(paces, pace{question: q, server: name, perCPU: float64(1000 * (i + 1))})
		}
	}
	text := chart(paces, `machine "x" <y>`)
	d := xml.NewDecoder(strings.NewReader(text))
	bars := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if bars != len(paces) {
		t.Errorf("%d bars, want %d", bars, len(paces))
	}
}

func TestWrap(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{{"", []string{""}}, {"one", []string{"one"}}, {"a bc def g", []string{"a bc", "def g"}}, {"longer-than-that a", []string{"longer-than-that", "a"}}} {
		if got := wrap(test.text, 5); !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestPerRequest(t *testing.T) {
	table := `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.600000          10      1000           write
 39.00    0.390000          10      1500       500 read
  1.00    0.000100          10         5           futex
------ ----------- ----------- --------- --------- ----------------
100.00    1.000000                  2505       500 total
`
	if got, want := perRequest(table, 1000), "   1.00 write\n   1.50 read\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
