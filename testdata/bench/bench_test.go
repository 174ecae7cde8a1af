package main

import (
	"encoding/xml"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

const wrkOutput = `Running 2s test @ http://127.0.0.1:18080/
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.05ms    1.20ms  30.06ms   93.01%
    Req/Sec    50.46k     4.77k   57.26k    65.00%
  Latency Distribution
     50%  784.00us
     75%    1.16ms
     90%    1.95ms
     99%    5.78ms
  100542 requests in 2.10s, 127.43MB read
`

const wrkFailures = `  Socket errors: connect 1, read 20, write 300, timeout 4000
  Non-2xx or 3xx responses: 50000
`

func TestParseWrk(t *testing.T) {
	want := loaded{requests: 100542, seconds: 2.1, p99: 5780 * time.Microsecond}
	if got, err := parseWrk(wrkOutput + "Requests/sec:  50232.12\n"); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	want.failed = 54321
	if got, err := parseWrk(wrkOutput + wrkFailures); err != nil || got != want {
		t.Errorf("with failures: got %+v, %v, want %+v", got, err, want)
	}
	for _, out := range []string{"", "unable to connect", strings.Replace(wrkOutput, "2.10s", "2.10x", 1), strings.Replace(wrkOutput, "99% ", "98% ", 1)} {
		if got, err := parseWrk(out); err == nil {
			t.Errorf("%q: got %+v and no error", out, got)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 100, 2}, 3}} {
		of := slices.Clone(test.of)
		if got := median(of); got != test.want {
			t.Errorf("%v: got %v, want %v", test.of, got, test.want)
		}
		if !slices.Equal(of, test.of) {
			t.Errorf("%v was changed to %v", test.of, of)
		}
	}
	if got := ratios([]float64{6, 1}, []float64{3, 4}); !slices.Equal(got, []float64{2, 0.25}) {
		t.Errorf("ratios: got %v", got)
	}
}

func TestParseProcess(t *testing.T) {
	line := "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 150 25 9 9 20 0 1 0 100 1 1\n"
	want := process{42, 7, used{1500 * time.Millisecond, 250 * time.Millisecond}}
	if got, err := parseProcess(line); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, line := range []string{"", "42 (a) S 7", "42 (a) S x 42 42 0 -1 4194560 1 2 3 4 150 25 9 9"} {
		if got, err := parseProcess(line); err == nil {
			t.Errorf("%q: got %+v and no error", line, got)
		}
	}
}

func TestBelow(t *testing.T) {
	all := []process{{id: 1}, {id: 5, parent: 1}, {id: 9, parent: 5}, {id: 7, parent: 5}, {id: 8, parent: 7}, {id: 6, parent: 1}}
	var got []int
	for _, p := range below(5, all) {
		got = append(got, p.id)
	}
	slices.Sort(got)
	if want := []int{5, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

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
	} {
		if test.row.needed() != test.needed || test.row.verdict() != test.verdict {
			t.Errorf("%+v: got %s, %s, want %s, %s", test.row, test.row.needed(), test.row.verdict(), test.needed, test.verdict)
		}
	}
}

func TestFromTheirCaches(t *testing.T) {
	all := make([]series, contenders)
	for i := range all {
		all[i] = series{perCPU: []float64{1}, requests: 10_000}
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

// The README shows the chart by its name alone, so it must be whole.
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
