package load

import (
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/measure"
)

// TestLimits holds that each limit has its exit status and message, and that a
// limit that is not exceeded has no effect.
func TestLimits(t *testing.T) {
	of := func(errors int64, p99 float64) *Report {
		r := &Report{Report: &measure.Report{Requests: 100, Faults: measure.Faults{Errors: errors}, Latency: measure.Latency{P99: p99}}}
		for range errors {
			r.Failures = []measure.Failure{{Kind: "status 503", Count: errors}}
		}
		return r
	}
	for _, tt := range []struct {
		report    *Report
		maxErrors int64
		maxP99    time.Duration
		status    int
		word      string
	}{
		{of(0, 0.3), 0, 0, 0, "ok"},
		{of(1, 0.3), 0, 0, exit.Partly, "errors"},
		{of(5, 0.3), 5, 0, 0, "ok"},
		{of(6, 0.3), 5, 0, exit.Partly, "errors"},
		{of(0, 0.2), 0, 200 * time.Millisecond, 0, "ok"},
		{of(0, 0.201), 0, 200 * time.Millisecond, exit.TooSlow, "too_slow"},
		{of(1, 0.201), 0, 200 * time.Millisecond, exit.Partly, "errors"},
	} {
		got := exit.Status(tt.report.judge(false, Limits{P99: tt.maxP99, Errors: tt.maxErrors}))
		if got != tt.status || results[got] != tt.word {
			t.Errorf("%d errors of %d, p99 %v of %v: status %d, %q; want %d", tt.report.Errors, tt.maxErrors, tt.report.Latency.P99, tt.maxP99, got, results[got], tt.status)
		}
	}
}

func TestShow(t *testing.T) {
	var out strings.Builder
	p := console.NewProgress(&out, true, false)
	show(p, measure.Progress{Done: 50, Total: 100, Rate: 1234.5, P99: 2500 * time.Microsecond}, 0)
	show(p, measure.Progress{Done: 50, Rate: 10, Errors: 2, Left: 30 * time.Second}, time.Minute)
	half := "[" + strings.Repeat("#", 30/2) + strings.Repeat(".", 30/2) + "] "
	want := "\r" + half + "50 requests, 1234 a second, p99 2.5 ms\x1b[K\r" + half + "50 requests, 10 a second, 2 errors, 30 s left\x1b[K"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

func TestIsThisMachine(t *testing.T) {
	for host, want := range map[string]bool{"LOCALHOST": true, "127.0.0.9": true, "::1": true, "::ffff:127.0.0.1": true, "0.0.0.0": false, "10.0.0.1": false, "localhost.example": false} {
		if isThisMachine(host) != want {
			t.Errorf("%s is this machine: %v", host, !want)
		}
	}
}

// TestReportJSON holds the names and the order of a report's fields.
func TestReportJSON(t *testing.T) {
	var out strings.Builder
	if err := console.JSON(&out, Report{Result: "ok", URL: "http://x", Report: &measure.Report{Requests: 2, Faults: measure.Faults{Errors: 1}, Kinds: []measure.KindReport{{Kind: "list"}}}}); err != nil {
		t.Fatal(err)
	}
	const latency = `"latency":{"min":0,"p50":0,"p90":0,"p99":0,"p99.9":0,"max":0}`
	const want = `{"result":"ok","url":"http://x","connections":0,"rate":0,"seed":0,"requests":2,"warm_up":0,"seconds":0,"per_second":0,"errors":1,"failures":null,` +
		`"reconnects":0,"statuses":null,"outcomes":null,"hit_ratio":0,"bytes":0,` + latency + `,"kinds":[{"kind":"list","requests":0,"hit_ratio":0,` + latency + `}]}` + "\n"
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", &out, want)
	}
}
