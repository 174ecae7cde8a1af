package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// flat measures the cost of a request for growing caches, numbers of connections and
// answers.
func flat(ctx context.Context, l *lab) error {
	if err := l.flatInEntries(ctx); err != nil {
		return err
	}
	if err := l.flatInConnections(ctx); err != nil {
		return err
	}
	return l.linearInRows(ctx)
}

// flatInEntries compares hits in a small cache with hits in a large cache. The two
// proxies run one after the other on the same address, so they can't alternate. A
// bare server beside each measures the machine's current speed.
func (l *lab) flatInEntries(ctx context.Context) error {
	few, many := 100, 100_000
	if l.short {
		many = 5_000
	}
	targets, err := l.profiles(ctx, many)
	if err != nil {
		return err
	}
	if len(targets) < many {
		return fmt.Errorf("there are %d profiles, not %d", len(targets), many)
	}
	small, err := l.hitsAmong(ctx, targets[:few], targets[:few])
	if err != nil {
		return err
	}
	large, err := l.hitsAmong(ctx, targets, targets[:few], targets)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("hits with %s entries cached to hits with %d, ", thousands(float64(many)), few)
	for i, asked := range []string{"the same keys asked", "all of them asked"} {
		l.reports.add(row{what: what + asked, bound: 0.8,
			ours: fmt.Sprintf("%.2f of bare", large[i]), other: fmt.Sprintf("%.2f of bare", small[0]), value: large[i] / small[0]})
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
func (l *lab) hitsAmong(ctx context.Context, cached []string, asked ...[]string) (speeds []float64, err error) {
	p, err := l.startProxy(ctx, serverCore, "GOMAXPROCS=1", "CACHE_BYTES=1GiB", "MEMORY_LIMIT=2GiB")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err := fillAll(ctx, cached); err != nil {
		return nil, err
	}
	b, err := l.startBare(ctx, question{target: cached[0]})
	if err != nil {
		return nil, err
	}
	defer b.stop()
	for _, targets := range asked {
		script, err := l.script(targets)
		if err != nil {
			return nil, err
		}
		if _, err := wrk(ctx, load{url: "http://" + proxyAddr, connections: crowd, script: script, length: settling(len(targets))}); err != nil {
			return nil, err
		}
		before, err := readStats(ctx)
		if err != nil {
			return nil, err
		}
		all, err := l.match(ctx, []job{
			{p, load{url: "http://" + proxyAddr, connections: crowd, script: script}},
			{b, load{url: "http://" + bareAddr, connections: crowd, script: script}}})
		if err != nil {
			return nil, err
		}
		after, err := readStats(ctx)
		if err != nil {
			return nil, err
		}
		if fills := after.Cache.Fills - before.Cache.Fills; fills*1000 > all[0].requests {
			return nil, fmt.Errorf("%d fills in %d requests: the cache does not hold its %d entries", fills, all[0].requests, len(cached))
		}
		speeds = append(speeds, median(ratios(all[0].perCPU, all[1].perCPU)))
	}
	return speeds, nil
}

// script writes a wrk script that requests targets one after the other.
func (l *lab) script(targets []string) (file string, err error) {
	file = filepath.Join(l.dir, "targets.lua")
	// wrk sets the headers only before it calls init.
	lua := fmt.Sprintf(`local all, i = {}, 0
function init()
	for line in io.lines(%q) do all[#all+1] = wrk.format("GET", line) end
end
function request()
	i = i %% #all + 1
	return all[i]
end
`, file+".txt")
	if err := os.WriteFile(file+".txt", []byte(strings.Join(targets, "\n")), 0o600); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, []byte(lua), 0o600)
}

// fillAll requests each target once, a few concurrently.
func fillAll(ctx context.Context, targets []string) error {
	var next atomic.Int64
	var all sync.WaitGroup
	var once sync.Once
	var failed error
	for range 8 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(targets)); i = next.Add(1) - 1 {
				a, err := ask(ctx, proxyAddr, question{target: targets[i]})
				if err == nil && a.status != http.StatusOK && a.status != http.StatusNotFound {
					err = fmt.Errorf("status %d", a.status)
				}
				if err != nil {
					once.Do(func() { failed = fmt.Errorf("%s: %w", targets[i], err) })
					return
				}
			}
		})
	}
	all.Wait()
	return failed
}

// flatInConnections compares one connection with many connections.
func (l *lab) flatInConnections(ctx context.Context) error {
	p, err := l.startProxy(ctx, serverCore, oneCore...)
	if err != nil {
		return err
	}
	defer p.stop()
	q, err := l.smallAnswer(ctx)
	if err != nil {
		return err
	}
	var jobs []job
	for _, connections := range []int{1, 2000} {
		// Opening the connections takes part of a round.
		jobs = append(jobs, job{p, load{url: q.url(proxyAddr), connections: connections, length: 3 * time.Second}})
	}
	if err := warmUp(ctx, jobs, make([]series, len(jobs))); err != nil {
		return err
	}
	// A block can't attribute the time of one server to its jobs.
	all, err := l.rounds(ctx, jobs)
	if err != nil {
		return err
	}
	l.reports.add(row{what: "hits on 2,000 connections to hits on one", bound: 0.8,
		ours: thousands(median(all[1].perCPU)) + "/s", other: thousands(median(all[0].perCPU)) + "/s", value: median(ratios(all[1].perCPU, all[0].perCPU))})
	return nil
}
