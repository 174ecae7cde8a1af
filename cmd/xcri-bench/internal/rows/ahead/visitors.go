package ahead

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
)

// visitorRate is the number of requests a second of the visitors. They warm the cache before
// the seconds that are measured: a few requests would decide the p99 of fewer seconds.
const visitorRate, warmingSeconds, measuredSeconds = 200, 4, 16

// played is the load generator's report.
type played struct {
	Requests, Errors int64
	PerSecond        float64 `json:"per_second"`
	HitRatio         float64 `json:"hit_ratio"`
	Latency          struct{ P99 float64 }
}

// play plays visitors of the live pages, and returns the report also if requests failed.
func play(ctx context.Context, l *lab.Lab, flags ...string) (done played, err error) {
	cmd := exec.CommandContext(ctx, l.Proxy, append([]string{"load", "http://" + ask.ProxyAddr, "--json", "--live"}, flags...)...)
	out, err := cmd.Output()
	if len(out) == 0 {
		return done, fmt.Errorf("xcri-proxy load: %w", err)
	}
	if err := json.Unmarshal(out, &done); err != nil || done.Requests == 0 {
		return done, fmt.Errorf("xcri-proxy load: %d requests, %w", done.Requests, err)
	}
	return done, nil
}

// setting is one side of a comparison.
type setting struct {
	env []string
	// working reports whether the work is still under way; nil means that there is none.
	working func(ask.Stats) bool
}

// window is the result of visitors beside a setting.
type window struct{ p99, cores float64 }

// Visitors compares the p99 of visitors with and without the load of a season, and with and
// without the compression of large answers in idle time.
func Visitors(ctx context.Context, l *lab.Lab) error {
	filling := func(s ask.Stats) bool { return s.Generation.Warm.Season.State == "filling" }
	roomy := []string{"WARM=lists", "CACHE_BYTES=300MiB", "MEMORY_LIMIT=600MiB"}
	with, without, err := pairs(ctx, l, l.Count(6, 2), setting{room, filling}, setting{roomy, nil}) // six: the fewest with an interval
	if err != nil {
		return fmt.Errorf("visitors beside the season: %w", err)
	}
	add(l, "visitors' p99 at 200 requests/s while the season is loaded, to without a season", with, without)

	// The ratios of single pairs were 0.3 to 1.3.
	with, without, err = pairs(ctx, l, l.Count(12, 2), setting{append([]string{"IDLE_COMPRESS=on"}, roomy...), nil}, setting{append([]string{"IDLE_COMPRESS=off"}, roomy...), nil})
	if err != nil {
		return fmt.Errorf("visitors beside IDLE_COMPRESS: %w", err)
	}
	add(l, "visitors' p99 at 200 requests/s with IDLE_COMPRESS, to without", with, without)
	var more []float64
	for i := range with {
		more = append(more, with[i].cores-without[i].cores)
	}
	l.Reports.Add(report.Row{Name: "processor time of IDLE_COMPRESS beside them", Most: true, Bound: 1, Unit: "cores", Samples: more,
		Ours: cores(with) + " with it", Other: cores(without) + " without"})
	return nil
}

// add adds the row of a comparison.
func add(l *lab.Lab, name string, with, without []window) {
	a, b := p99s(with), p99s(without)
	l.Reports.Add(report.Row{Name: name, Most: true, Bound: 1.1, Samples: stats.Ratios(a, b),
		Ours: report.Milliseconds(stats.Median(a)), Other: report.Milliseconds(stats.Median(b))})
}

func p99s(of []window) (all []float64) {
	for _, w := range of {
		all = append(all, w.p99)
	}
	return all
}

func cores(of []window) string {
	var all []float64
	for _, w := range of {
		all = append(all, w.cores)
	}
	return fmt.Sprintf("%.2f cores", stats.Median(all))
}

// pairs measures both settings count times in turn, with the same visitors in both windows
// of a pair, each first in every other pair.
func pairs(ctx context.Context, l *lab.Lab, count int, a, b setting) (with, without []window, err error) {
	for i := range count {
		sides := []struct {
			setting
			to *[]window
		}{{a, &with}, {b, &without}}
		if i%2 == 1 {
			sides[0], sides[1] = sides[1], sides[0]
		}
		for _, side := range sides {
			w, err := side.window(ctx, l, uint64(100+i))
			if err != nil {
				return nil, nil, err
			}
			*side.to = append(*side.to, w)
		}
	}
	return with, without, nil
}

// window starts the proxy and measures visitors, of whom the first warm its cache.
func (s setting) window(ctx context.Context, l *lab.Lab, seed uint64) (w window, err error) {
	p, err := l.StartAt(ctx, ask.ProxyAddr, "", s.env...)
	if err != nil {
		return w, err
	}
	defer p.Stop()
	if err := p.Await(ctx, func() bool { now, err := ask.ReadStats(ctx); return err == nil && now.Generation.Warm.Published > 0 }); err != nil {
		return w, err
	}
	before, err := p.CPU()
	if err != nil {
		return w, err
	}
	begun := time.Now()
	done, err := play(ctx, l, "--rate", strconv.Itoa(visitorRate), "--warm-up", strconv.Itoa(warmingSeconds*visitorRate), "--requests", strconv.Itoa(measuredSeconds*visitorRate), "--seed", strconv.FormatUint(seed, 10))
	if err != nil {
		return w, err
	}
	now, err := ask.ReadStats(ctx)
	switch {
	case err != nil:
		return w, err
	case done.Errors > 0:
		return w, fmt.Errorf("%d of %d requests failed", done.Errors, done.Requests)
	case s.working != nil && !s.working(now):
		return w, fmt.Errorf("the work ended before the measurement")
	}
	after, err := p.CPU()
	return window{done.Latency.P99, after.Minus(before).Busy.Seconds() / time.Since(begun).Seconds()}, err
}
