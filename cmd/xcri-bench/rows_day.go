package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
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

// day plays the page mix of a day's visitors with the proxy's own load generator, on
// the same cores as the proxy and the database. The cache has room for all snapshots.
// It plays four days, each with other visitors. The first two warm the cache at full
// speed: in production more days pass between two imports. On the third, requests are
// sent on a schedule that does not wait for earlier answers, and latency is measured
// from the scheduled time. This day has the bounds. The fourth, again at full speed,
// shows the margin of the third day's rate.
func day(ctx context.Context, l *lab) error {
	p, err := l.startProxy(ctx, "", "CACHE_BYTES="+roomyCache, "MEMORY_LIMIT="+roomyLimit)
	if err != nil {
		return err
	}
	defer p.stop()
	requests, what := dayRequests, "a day of production"
	if l.short {
		requests, what = shortDay, "a tenth of a day of production"
	}
	what += ", " + thousands(float64(requests)) + " requests"
	bound := 60 * float64(requests) / dayRequests
	var errorsBefore int64
	for _, seed := range []string{"11", "12"} {
		before, err := l.play(ctx, dayRequests, "--seed", seed)
		if err != nil {
			return err
		}
		errorsBefore += before.Errors
	}
	begun, err := readShare()
	if err != nil {
		return err
	}
	done, err := l.play(ctx, requests, "--seed", "2", "--rate", strconv.Itoa(dayRate))
	if err != nil {
		return err
	}
	lost, err := begun.lost()
	if err != nil {
		return err
	}
	at := what + " at " + thousands(dayRate) + "/s: "
	l.reports.add(
		row{what: at + "time", most: true, bound: bound, unit: "s", value: done.took(requests),
			ours: thousands(float64(done.Requests)/done.Seconds) + "/s", other: thousands(float64(done.Requests)) + " were made"},
		row{what: at + "errors", most: true, bound: 0, unit: "errors", value: float64(errorsBefore + done.Errors),
			ours: "with the days before"},
		row{what: at + "hit ratio after two days of others", bound: 99, unit: "%", value: 100 * done.HitRatio},
		row{what: at + "p99 from when a request was due", most: true, bound: 25, unit: "ms", value: 1e3 * done.Latency.P99,
			other: taken(lost)})
	if done, err = l.play(ctx, requests, "--seed", "3"); err != nil {
		return err
	}
	l.reports.add(row{what: what + ", as fast as it goes: time", most: true, bound: bound, unit: "s", value: done.took(requests),
		ours: thousands(float64(done.Requests)/done.Seconds) + "/s", other: fmt.Sprintf("%d errors, p99 %s", done.Errors, milliseconds(done.Latency.P99))})
	if done.Errors > 0 {
		return fmt.Errorf("%d errors as fast as it goes", done.Errors)
	}
	return nil
}

// play runs the load generator and returns its report, also for a day that failed or
// was aborted.
func (l *lab) play(ctx context.Context, requests int, more ...string) (done played, err error) {
	ctx, stop := context.WithTimeout(ctx, longestDay)
	defer stop()
	cmd := exec.CommandContext(ctx, l.proxy, append([]string{"load", "http://" + proxyAddr, "--json",
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
