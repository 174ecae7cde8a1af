package beside

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/neighbours"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/rounds"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/wrk"
)

// FlatInEntries compares hits in a small cache with hits in a large cache. The two
// proxies run one after the other on the same address, so they can't alternate. A
// bare server beside each measures the machine's current speed.
func FlatInEntries(ctx context.Context, l *lab.Lab) error {
	few, many := 100, 100_000
	if l.Short {
		many = 5_000
	}
	targets, err := l.Profiles(ctx, many)
	if err != nil {
		return err
	}
	if len(targets) < many {
		return fmt.Errorf("there are %d profiles, not %d", len(targets), many)
	}
	small, err := hitsAmong(ctx, l, targets[:few], targets[:few])
	if err != nil {
		return err
	}
	large, err := hitsAmong(ctx, l, targets, targets[:few], targets)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("hits with %s entries cached to hits with %d, ", report.Thousands(float64(many)), few)
	for i, asked := range []string{"the same keys asked", "all of them asked"} {
		l.Reports.Add(report.Row{Name: what + asked, Bound: 0.8,
			Ours: fmt.Sprintf("%.2f of bare", large[i]), Other: fmt.Sprintf("%.2f of bare", small[0]), Value: large[i] / small[0]})
	}
	return nil
}

// settling returns how long to load targets so that each is requested at least five
// times at 10,000 requests a second. By then the popular entries are on the hot shelf
// and the proxy has memoized their positions.
func settling(targets int) time.Duration {
	return time.Second + time.Duration(5*targets)*100*time.Microsecond
}

// hitsAmong fills a cache and returns, for each list of targets, the rate of hits
// relative to a bare server.
func hitsAmong(ctx context.Context, l *lab.Lab, cached []string, asked ...[]string) (speeds []float64, err error) {
	p, err := l.StartProxy(ctx, machine.ServerCore, "GOMAXPROCS=1", "CACHE_BYTES=1GiB", "MEMORY_LIMIT=2GiB")
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	if err := ask.FillAll(ctx, cached); err != nil {
		return nil, err
	}
	b, err := neighbours.StartBare(ctx, l.Bare, ask.Question{Target: cached[0]})
	if err != nil {
		return nil, err
	}
	defer b.Stop()
	for _, targets := range asked {
		script, err := l.Script(targets)
		if err != nil {
			return nil, err
		}
		if _, err := wrk.Run(ctx, wrk.Load{URL: "http://" + ask.ProxyAddr, Connections: crowd, Script: script, Length: settling(len(targets))}); err != nil {
			return nil, err
		}
		before, err := ask.ReadStats(ctx)
		if err != nil {
			return nil, err
		}
		all, err := l.Match(ctx, []rounds.Job{
			{Service: p, Load: wrk.Load{URL: "http://" + ask.ProxyAddr, Connections: crowd, Script: script}},
			{Service: b, Load: wrk.Load{URL: "http://" + neighbours.BareAddr, Connections: crowd, Script: script}}})
		if err != nil {
			return nil, err
		}
		after, err := ask.ReadStats(ctx)
		if err != nil {
			return nil, err
		}
		if fills := after.Cache.Fills - before.Cache.Fills; fills*1000 > all[0].Requests {
			return nil, fmt.Errorf("%d fills in %d requests: the cache does not hold its %d entries", fills, all[0].Requests, len(cached))
		}
		speeds = append(speeds, stats.Median(stats.Ratios(all[0].PerCPU, all[1].PerCPU)))
	}
	return speeds, nil
}

// FlatInConnections compares one connection with many connections.
func FlatInConnections(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, machine.ServerCore, neighbours.OneCore...)
	if err != nil {
		return err
	}
	defer p.Stop()
	q, err := smallAnswer(ctx, l)
	if err != nil {
		return err
	}
	var jobs []rounds.Job
	for _, connections := range []int{1, 2000} {
		// Opening the connections takes part of a round.
		jobs = append(jobs, rounds.Job{Service: p, Load: wrk.Load{URL: q.URL(ask.ProxyAddr), Connections: connections, Length: 3 * time.Second}})
	}
	if err := rounds.WarmUp(ctx, jobs, make([]rounds.Series, len(jobs))); err != nil {
		return err
	}
	// A block can't attribute the time of one server to its jobs.
	all, err := l.Rounds(ctx, jobs)
	if err != nil {
		return err
	}
	l.Reports.Add(report.Row{Name: "hits on 2,000 connections to hits on one", Bound: 0.8,
		Ours: report.Thousands(stats.Median(all[1].PerCPU)) + "/s", Other: report.Thousands(stats.Median(all[0].PerCPU)) + "/s", Samples: stats.Ratios(all[1].PerCPU, all[0].PerCPU)})
	return nil
}
