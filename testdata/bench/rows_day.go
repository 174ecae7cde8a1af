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

// dayRequests is a day of production, and shortDay a tenth of it. A day before it
// warms the cache.
const (
	dayRequests    = 720_000
	shortDay       = dayRequests / 10
	dayConnections = 200
	// longestDay is when it is broken off.
	longestDay = 4 * time.Minute
)

// day plays the page mix of a day's visitors with the proxy's own load generator,
// on all cores together with the proxy and the database. The cache has the room
// that holds all snapshots.
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
	out, err := l.play(ctx, requests)
	if len(out) == 0 {
		return err
	}
	var done struct {
		Requests, Errors int64
		Seconds          float64
		HitRatio         float64 `json:"hit_ratio"`
		Latency          struct{ P99 float64 }
	}
	if err := json.Unmarshal(out, &done); err != nil {
		return fmt.Errorf("xcri-proxy load: %w", err)
	}
	if done.Requests == 0 {
		return fmt.Errorf("no request came after the warm-up in %v", longestDay)
	}
	// A day that was broken off would have gone on as it began.
	took := done.Seconds * float64(requests) / float64(done.Requests)
	what += ", " + thousands(float64(requests)) + " requests: "
	l.reports.add(
		row{what: what + "time", most: true, bound: 60 * float64(requests) / dayRequests, unit: "s", value: took,
			ours: thousands(float64(done.Requests)/done.Seconds) + "/s", other: thousands(float64(done.Requests)) + " were made"},
		row{what: what + "errors", most: true, bound: 0, unit: "errors", value: float64(done.Errors)},
		row{what: what + "hit ratio after another such", bound: 99, unit: "%", value: 100 * done.HitRatio},
		row{what: what + "p99", most: true, bound: 25, unit: "ms", value: 1e3 * done.Latency.P99})
	return nil
}

// play runs the load generator and returns its report. It may have one and fail
// too: some requests went wrong, or it was broken off.
func (l *lab) play(ctx context.Context, requests int) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, longestDay)
	defer stop()
	cmd := exec.CommandContext(ctx, l.proxy, "load", "http://"+proxyAddr, "--json",
		"--requests", strconv.Itoa(requests), "--warm-up", strconv.Itoa(requests), "--connections", strconv.Itoa(dayConnections))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("xcri-proxy load: %w", err)
	}
	return out, err
}
