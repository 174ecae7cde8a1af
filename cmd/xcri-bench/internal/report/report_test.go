package report

import (
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/neighbours"
)

func TestRow(t *testing.T) {
	for _, test := range []struct {
		Row
		needed, verdict string
	}{
		{Row{Value: 0.95, Bound: 0.95}, "≥ 0.95", "ok"},
		{Row{Value: 0.94, Bound: 0.95}, "≥ 0.95", "short"},
		{Row{Value: 3, Bound: 3, Most: true, Unit: "s"}, "≤ 3 s", "ok"},
		{Row{Value: 3.1, Bound: 3, Most: true, Unit: "s"}, "≤ 3 s", "short"},
		{Row{Value: 499.6, Bound: 500, Unit: "MB/s"}, "≥ 500 MB/s", "short"},
		{Row{Value: 98.96, Bound: 98.5, Unit: "%"}, "≥ 98.5 %", "ok"},
	} {
		if test.Row.needed() != test.needed || test.Row.verdict() != test.verdict {
			t.Errorf("%+v: got %s, %s, want %s, %s", test.Row, test.Row.needed(), test.Row.verdict(), test.needed, test.verdict)
		}
	}
}

// TestUndecidable: a row whose interval spans its bound is neither ok nor short.
func TestUndecidable(t *testing.T) {
	for _, tt := range []struct {
		samples []float64
		most    bool
		want    string
	}{
		{[]float64{.9, 1.1, 1, 1.2, .8, 1.3}, false, undecidable},
		{[]float64{.9, 1.1, 1, 1.2, .8, 1.3}, true, undecidable},
		{[]float64{1.1, 1.1, 1.2, 1.2, 1.1, 1.3}, false, "ok"},
		{[]float64{1.1, 1.1, 1.2, 1.2, 1.1, 1.3}, true, "short"},
		{[]float64{.7, .7, .8, .8, .9, .9}, false, "short"},
		{[]float64{.9, 1.1, 1.3}, false, "ok"}, // too few for an interval
	} {
		calls := 0
		r := Report{Machine: func() string { calls++; return "quiet" }}
		r.Add(Row{Name: "a", Bound: 1, Most: tt.most, Samples: tt.samples}, Row{Name: "b"})
		if got := r.rows[0].verdict(); got != tt.want || calls != 1 || r.rows[1].machine != "quiet" {
			t.Errorf("%v: %s, want %s; %d calls", tt.samples, got, tt.want, calls)
		}
	}
	r := Report{}
	r.Add(Row{Samples: []float64{1, 2, 3, 4, 5, 6}})
	if got := r.rows[0].measured(); got != "3.50 (1.00 to 6.00)" {
		t.Errorf("measured: %s", got)
	}
}

func TestFigures(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567.8: "1,234,568"} {
		if got := Thousands(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

func TestMarkdownIsTables(t *testing.T) {
	r := Report{rows: []Row{{Name: "a hit", Bound: 1, Value: 2}}, Paces: []Pace{{Question: "1 KB", Server: "nginx", PerCPU: 10}}}
	var text strings.Builder
	r.Markdown(&text, "a machine")
	for line := range strings.Lines(text.String()) {
		if columns := strings.Count(line, "|"); columns != 0 && columns != 7 && columns != 8 {
			t.Errorf("%d bars in %q", columns, line)
		}
	}
	for _, row := range []string{"| a hit |  |  | 2.00 | ≥ 1.00 | ok |  |\n", "| 1 KB | nginx | 10 | 0 |  | 0 % |\n"} { // without a p99
		if !strings.Contains(text.String(), row) {
			t.Errorf("no %q in\n%s", row, text.String())
		}
	}
}

// The README includes the chart by its name alone, so the file must be complete.
func TestChartIsXML(t *testing.T) {
	var paces []Pace
	for _, q := range []string{"1 KB", "a <b> & c"} {
		for i, name := range neighbours.Names {
			paces = append(paces, Pace{Question: q, Server: name, PerCPU: float64(1000 * (i + 1))})
		}
	}
	text := Chart{Paces: paces, Note: `machine "x" <y>`, Ours: neighbours.Names[neighbours.Ours], Base: []string{neighbours.Names[neighbours.Bare], neighbours.Names[neighbours.Untimed]}}.draw()
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
