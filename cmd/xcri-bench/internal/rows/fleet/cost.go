package fleet

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/level"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/rounds"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/wrk"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
)

// Cost counts the requests and bytes of the shared level for misses and for imports.
func Cost(ctx context.Context, l *lab.Lab) error {
	f, err := open(ctx, l, 3)
	if err != nil {
		return err
	}
	defer f.close()
	const misses = 300
	targets, err := l.Profiles(ctx, misses)
	if err != nil {
		return err
	}
	missed, err := f.during(ctx, func() error { return fill(ctx, addrs[0], targets) })
	if err != nil {
		return err
	}
	found, err := f.during(ctx, func() error { return fill(ctx, addrs[1], targets) })
	if err != nil {
		return err
	}
	var changed int64
	imported, err := f.during(ctx, func() error {
		changed, _, err = f.imports(ctx, l, 1000)
		if err != nil {
			return err
		}
		return f.offered(ctx, afterImport)
	})
	if err != nil {
		return err
	}
	s, err := ask.StatsOf(ctx, addrs[0])
	if err != nil {
		return err
	}
	l.Reports.Add(
		report.Row{Name: "the shared level for the miss of a page: requests", Most: true, Bound: 2.1, Unit: "requests", Value: missed.requests / misses,
			Ours: fmt.Sprintf("%.1f KB", missed.bytes/misses/1e3), Other: fmt.Sprintf("a page that another member has filled: %.2f requests, %.1f KB", found.requests/misses, found.bytes/misses/1e3)},
		report.Row{Name: "the shared level for an import of one division and gender, 3 members: requests", Most: true, Unit: "requests",
			// Each member claims a changed answer, and again after a wait. All names of the warm set are new: each member
			// compares its answers, and the first stores them, once more after compressing them better.
			Bound: float64(2*3*int(changed) + 5*s.Generation.Warm.Keys + 20), Value: imported.requests,
			Ours: fmt.Sprintf("%.2f MB", imported.bytes/1e6), Other: fmt.Sprintf("%d changed answers, each filled by one of the members", changed)})
	return nil
}

// fill requests targets once, one after the other.
func fill(ctx context.Context, addr string, targets []string) error {
	for _, target := range targets {
		a, err := ask.Send(ctx, addr, ask.Question{Target: target, Headers: []string{ask.AsGzip}})
		if err == nil && a.Status != http.StatusOK && a.Status != http.StatusNotFound {
			err = fmt.Errorf("status %d", a.Status)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
	}
	return nil
}

// imports imports one division and gender as a version, and waits until all members have
// published it. It returns the number of fills, and the time from the first publish to the
// last.
func (f *fleet) imports(ctx context.Context, l *lab.Lab, version int) (fills int64, spread time.Duration, err error) {
	before, err := f.fills(ctx)
	if err != nil {
		return 0, 0, err
	}
	scope := importer.Scope{Season: 2025, Division: ask.Divisions[0], Gender: ask.Genders[0]}
	if err := importer.Import(ctx, l.Root, scope, version, importer.Options{}); err != nil {
		return 0, 0, err
	}
	want := importer.At(version).Format("2006-01-02T15:04:05")
	at, errs := make([]time.Time, len(f.members)), make([]error, len(f.members))
	var all sync.WaitGroup
	for i, m := range f.members {
		all.Go(func() {
			errs[i] = m.Await(ctx, func() bool {
				s, err := ask.StatsOf(ctx, m.Addr)
				return err == nil && s.Generation.Warm.Calculated == want && !s.Generation.Warm.Warming
			})
			at[i] = time.Now()
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, 0, err
		}
	}
	after, err := f.fills(ctx)
	return after - before, slices.MaxFunc(at, time.Time.Compare).Sub(slices.MinFunc(at, time.Time.Compare)), err
}

// fills returns the number of reads of the database for answers of all members.
func (f *fleet) fills(ctx context.Context) (n int64, err error) {
	for _, m := range f.members {
		s, err := ask.StatsOf(ctx, m.Addr)
		if err != nil {
			return 0, err
		}
		n += s.Cache.Fills
	}
	return n, nil
}

// Spread measures the time from the first publish of an import to the last.
func Spread(ctx context.Context, l *lab.Lab) error {
	f, err := open(ctx, l, 3)
	if err != nil {
		return err
	}
	defer f.close()
	var took []float64
	for i := range 6 {
		_, spread, err := f.imports(ctx, l, 1100+i)
		if err != nil {
			return err
		}
		took = append(took, float64(spread.Milliseconds()))
	}
	l.Reports.Add(report.Row{Name: "an import on 3 members: from the first publish to the last, longest of 6", Most: true, Bound: 500, Unit: "ms",
		Value: slices.Max(took), Other: fmt.Sprintf("median %.0f ms", stats.Median(took))})
	return nil
}

// Hits compares the hits of a member with the hits of a proxy without a shared level.
func Hits(ctx context.Context, l *lab.Lab) error {
	f := &fleet{}
	var err error
	if f.level, err = level.Start(ctx); err != nil {
		return err
	}
	defer f.close()
	var jobs []rounds.Job
	for i, env := range [][]string{{"GOMAXPROCS=1", level.Setting}, {"GOMAXPROCS=1"}} {
		m, err := l.StartAt(ctx, addrs[i], machine.ServerCore, env...)
		if err != nil {
			return err
		}
		f.members = append(f.members, m)
		if err := m.Await(ctx, func() bool { return lab.Settled(ctx, addrs[i]) }); err != nil {
			return err
		}
		jobs = append(jobs, rounds.Job{Service: m, Load: wrk.Load{URL: "http://" + addrs[i] + ask.Page(2, 0), Connections: 50}})
	}
	all, err := rounds.Plan{}.Match(ctx, jobs) // also with -short: too few pairs decide nothing
	if err != nil {
		return err
	}
	l.Reports.Add(report.Row{Name: "hits of a member to hits of a proxy without a shared level", Bound: 0.97,
		Ours: report.Thousands(stats.Median(all[0].PerCPU)) + "/s", Other: report.Thousands(stats.Median(all[1].PerCPU)) + "/s", Samples: stats.Ratios(all[0].PerCPU, all[1].PerCPU)})
	return nil
}
