package fleet

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/level"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
)

// Join measures the time from the start of a new member until it serves the warm set of the
// others, and counts its reads of the database.
func Join(ctx context.Context, l *lab.Lab) error {
	f, err := open(ctx, l, 2, "GENERATION_POLL=1h")
	if err != nil {
		return err
	}
	defer f.close()
	var took []float64
	all, reads, cold, keys := 0, 0, 0, 0
	for range 6 { // the fewest with an interval
		one, err := f.joined(ctx, l)
		if err != nil {
			return err
		}
		took, all, keys = append(took, one.took.Seconds()), one.all, one.keys
		reads, cold = max(reads, one.reads), max(cold, one.cold)
	}
	name := fmt.Sprintf("a third proxy joins, %d answers in its warm set: ", keys)
	l.Reports.Add(
		report.Row{Name: name + "from its start to the publish, median of 6", Most: true, Bound: 1, Unit: "s",
			Ours: fmt.Sprintf("%.2f s", stats.Median(took)), Samples: took},
		report.Row{Name: name + "reads of the database for answers", Most: true, Bound: 0, Unit: "reads", Value: float64(reads),
			Other: fmt.Sprintf("%d statements for sessions, the rights to the tables and the generation", all-reads)},
		report.Row{Name: name + "lists of the site that are no hits then", Most: true, Bound: 0, Unit: "lists", Value: float64(cold)})
	return nil
}

// joining is the result of a new member's start.
type joining struct {
	took       time.Duration
	all, reads int // statements, and of them reads of rows for answers
	cold, keys int // lists that are no hits, and answers from the level
}

// joined starts a new member, and stops it.
func (f *fleet) joined(ctx context.Context, l *lab.Lab) (j joining, err error) {
	if err := l.Log(ctx); err != nil {
		return j, err
	}
	defer l.Unlog(ctx)
	addr, begun := addrs[3], time.Now()
	p, err := l.StartAt(ctx, addr, "", level.Setting, "GENERATION_POLL=1h")
	if err != nil {
		return j, err
	}
	defer p.Stop()
	var s ask.Stats
	if err := p.Await(ctx, func() bool {
		s, err = ask.StatsOf(ctx, addr)
		return err == nil && s.Generation.Warm.Published > 0 && !s.Generation.Warm.Warming
	}); err != nil {
		return j, err
	}
	j.took, j.keys = time.Since(begun), int(s.Fleet.Hits)
	for _, target := range ask.LiveLists(0) {
		a, err := ask.GetFrom(ctx, addr, target)
		if err != nil {
			return j, err
		}
		if !strings.Contains(a.CacheStatus, "hit") || strings.Contains(a.CacheStatus, "fwd") {
			j.cold++
		}
	}
	j.all, j.reads, err = l.Reads(ctx)
	return j, err
}
