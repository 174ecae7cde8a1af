package alone

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
)

// dayRequests is the number of requests in a day of production; shortDay is a
// tenth of it.
const (
	dayRequests    = 720_000
	shortDay       = dayRequests / 10
	dayConnections = 200
	// dayRate is the scheduled requests per second: a day in 58 s.
	dayRate = 12_500
	// longestDay is the time after which a day is aborted.
	longestDay = 4 * time.Minute
)

// played is the load generator's report on a day.
type played struct {
	Requests, Errors int64
	Seconds          float64
	HitRatio         float64 `json:"hit_ratio"`
	Latency          struct{ P99 float64 }
}

// took returns the duration of all requests. It extrapolates an aborted day at the
// same rate.
func (d played) took(requests int) float64 {
	return d.Seconds * float64(requests) / float64(d.Requests)
}

// Day plays the page mix of a day's visitors with the proxy's own load generator, on
// the same cores as the proxy and the database. The cache has room for all snapshots.
// It plays four days, each with other visitors. The first two warm the cache at full
// speed: in production more days pass between two imports. On the third, requests are
// sent on a schedule that does not wait for earlier answers, and latency is measured
// from the scheduled time. This day has the bounds. The fourth, again at full speed,
// shows the margin of the third day's rate.
func Day(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, "", "CACHE_BYTES="+roomyCache, "MEMORY_LIMIT="+roomyLimit)
	if err != nil {
		return err
	}
	defer p.Stop()
	requests, what := dayRequests, "a day of production"
	if l.Short {
		requests, what = shortDay, "a tenth of a day of production"
	}
	what += ", " + report.Thousands(float64(requests)) + " requests"
	bound := 60 * float64(requests) / dayRequests
	var errorsBefore int64
	for _, seed := range []string{"11", "12"} {
		before, err := play(ctx, l, dayRequests, "--seed", seed)
		if err != nil {
			return err
		}
		errorsBefore += before.Errors
	}
	begun, err := machine.ReadShare()
	if err != nil {
		return err
	}
	done, err := play(ctx, l, requests, "--seed", "2", "--rate", strconv.Itoa(dayRate))
	if err != nil {
		return err
	}
	lost, err := begun.Lost()
	if err != nil {
		return err
	}
	at := what + " at " + report.Thousands(dayRate) + "/s: "
	l.Reports.Add(
		report.Row{Name: at + "time", Most: true, Bound: bound, Unit: "s", Value: done.took(requests),
			Ours: report.Thousands(float64(done.Requests)/done.Seconds) + "/s", Other: report.Thousands(float64(done.Requests)) + " were made"},
		report.Row{Name: at + "errors", Most: true, Bound: 0, Unit: "errors", Value: float64(errorsBefore + done.Errors),
			Ours: "with the days before"},
		report.Row{Name: at + "hit ratio after two days of others", Bound: 99, Unit: "%", Value: 100 * done.HitRatio},
		report.Row{Name: at + "p99 from when a request was due", Most: true, Bound: 25, Unit: "ms", Value: 1e3 * done.Latency.P99,
			Other: machine.Taken(lost)})
	if done, err = play(ctx, l, requests, "--seed", "3"); err != nil {
		return err
	}
	l.Reports.Add(report.Row{Name: what + ", as fast as it goes: time", Most: true, Bound: bound, Unit: "s", Value: done.took(requests),
		Ours: report.Thousands(float64(done.Requests)/done.Seconds) + "/s", Other: fmt.Sprintf("%d errors, p99 %s", done.Errors, report.Milliseconds(done.Latency.P99))})
	if done.Errors > 0 {
		return fmt.Errorf("%d errors as fast as it goes", done.Errors)
	}
	return nil
}

// play runs the load generator and returns its report, also for a day that failed or
// was aborted.
func play(ctx context.Context, l *lab.Lab, requests int, more ...string) (done played, err error) {
	ctx, stop := context.WithTimeout(ctx, longestDay)
	defer stop()
	cmd := exec.CommandContext(ctx, l.Proxy, append([]string{"load", "http://" + ask.ProxyAddr, "--json",
		"--requests", strconv.Itoa(requests), "--connections", strconv.Itoa(dayConnections)}, more...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.Output()
	if len(out) == 0 {
		return done, fmt.Errorf("xcri-proxy load: %w", err)
	}
	if err := json.Unmarshal(out, &done); err != nil {
		return done, fmt.Errorf("xcri-proxy load: %w", err)
	}
	if done.Requests == 0 {
		return done, fmt.Errorf("no request was answered in %v", longestDay)
	}
	return done, nil
}
