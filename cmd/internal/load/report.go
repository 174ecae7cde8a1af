package load

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/client"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/measure"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/visitors"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// Report is the report of load.
type Report struct {
	Result      string  `json:"result"`
	URL         string  `json:"url"`
	Connections int     `json:"connections"`
	Rate        float64 `json:"rate"` // zero means no rate
	Seed        uint64  `json:"seed"`
	Error       string  `json:"error,omitempty"`

	Log *visitors.Log `json:"log,omitempty"`
	*measure.Report
}

// results are the words for the exit statuses.
var results = map[int]string{0: "ok", exit.Runtime: "failed", exit.Usage: "failed", exit.Partly: "errors", exit.Unreachable: "unreachable", exit.TooSlow: "too_slow"}

// judge returns an error with the exit status unless all requests were sent and
// the limits hold.
func (r *Report) judge(interrupted bool, most Limits) error {
	all := r.Requests + r.WarmUp
	switch {
	case r.Errors > 0 && r.Errors >= all && r.Failures[0].Kind == client.NoConnection && len(r.Failures) == 1:
		return exit.Errorf(exit.Unreachable, "%s", r.Failures[0].Example)
	case r.Errors > most.Errors:
		return exit.Errorf(exit.Partly, "%s in %s", plural.Of(r.Errors, "error"), plural.Of(all, "request"))
	case interrupted:
		return exit.Errorf(exit.Runtime, "interrupted after %s", plural.Of(all, "request"))
	case r.Requests == 0:
		return exit.Errorf(exit.Runtime, "no request came after the warm-up")
	case most.P99 > 0 && r.Latency.P99 > most.P99.Seconds():
		return exit.Errorf(exit.TooSlow, "the p99 is %.1f ms, over --max-p99 %s", r.Latency.P99*1e3, most.P99)
	}
	return nil
}

// print writes the report for people.
func (r *Report) print(w io.Writer) {
	if r.Log != nil {
		fmt.Fprintf(w, "log: %s, %d malformed, %d skipped, %d taken\n", plural.Of(r.Log.Lines, "line"), r.Log.Malformed, r.Log.Skipped, r.Log.Taken)
	}
	fmt.Fprintf(w, "%s in %.2f s, %.0f a second, %s, %s", plural.Of(r.Requests, "request"), r.Seconds, r.PerSecond, console.Bytes(r.Bytes), plural.Of(r.Errors, "error"))
	if r.WarmUp > 0 {
		fmt.Fprintf(w, "; %d before them", r.WarmUp)
	}
	if r.Reconnects > 0 {
		fmt.Fprintf(w, "; %d sent again on another connection", r.Reconnects)
	}
	fmt.Fprintf(w, "\nstatuses: %s\n", counted(r.Statuses))
	fmt.Fprintf(w, "outcomes: %s; hit ratio %.2f %%\n\n", counted(r.Outcomes), 100*r.HitRatio)
	fmt.Fprintf(w, "%-10s %9s %7s %9s %9s %9s %9s %9s %9s\n", "time in ms", "requests", "hits %", "min", "p50", "p90", "p99", "p99.9", "max")
	for _, k := range append([]measure.KindReport{{Kind: "all", Requests: r.Requests, HitRatio: r.HitRatio, Latency: r.Latency}}, r.Kinds...) {
		l := k.Latency
		fmt.Fprintf(w, "%-10s %9d %7.2f", k.Kind, k.Requests, 100*k.HitRatio)
		for _, seconds := range []float64{l.Min, l.P50, l.P90, l.P99, l.P999, l.Max} {
			fmt.Fprintf(w, " %9.2f", seconds*1e3)
		}
		fmt.Fprintln(w)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(w, "\n%d × %s, such as\n  %s\n", f.Count, f.Kind, f.Example)
	}
}

// counted writes counts by name, most first.
func counted(by map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		if by[a] != by[b] {
			return int(by[b] - by[a])
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, by[name])
	}
	return console.OrNone(strings.Join(names, ", "))
}
