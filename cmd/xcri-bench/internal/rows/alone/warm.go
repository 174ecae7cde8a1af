package alone

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
)

// Warm measures the time to load the warm set at the start, with four connections to
// the database.
func Warm(ctx context.Context, l *lab.Lab) error {
	var took []float64
	most, filled := int64(0), 0
	for range l.Count(21, 6) { // six are the fewest with an interval, which is all their range
		if err := l.ForgetConnections(ctx); err != nil {
			return err
		}
		p, err := l.StartProxy(ctx, "", "DATABASE_MAX_CONNS=4")
		if err != nil {
			return err
		}
		s, err := ask.ReadStats(ctx)
		p.Stop()
		if err != nil {
			return err
		}
		connections, err := l.Connections(ctx)
		if err != nil {
			return err
		}
		took, filled, most = append(took, s.Generation.Warm.Seconds), s.Generation.Warm.Filled, max(most, connections)
	}
	l.Reports.Add(
		report.Row{Name: fmt.Sprintf("warm set at the start, %d answers, median of %d", filled, len(took)), Most: true, Bound: 0.5, Unit: "s",
			Ours: fmt.Sprintf("%.2f s", stats.Median(took)), Samples: took},
		report.Row{Name: "connections to the database meanwhile", Most: true, Bound: 4, Unit: "connections", Value: float64(most)})
	return nil
}

// pollsFor is the time in which polls are measured.
const pollsFor = 2 * time.Second

// Imports measures the time from the commit of an import until its data is published,
// for one division's men and for all divisions one after the other, and the cost of polls.
func Imports(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.Stop()
	var all []importer.Scope
	for _, division := range ask.Divisions {
		for _, gender := range ask.Genders {
			all = append(all, importer.Scope{Season: 2025, Division: division, Gender: gender})
		}
	}
	load, err := l.DatabaseLoad(ctx, pollsFor)
	if err != nil {
		return err
	}
	for _, of := range []struct {
		what   string
		scopes []importer.Scope
		bound  float64
	}{{"one division and gender", all[:1], 0.6}, {"all 14, one after the other", all, 5}} {
		var took []float64
		for range l.Repeats() {
			if err := l.Import(ctx, of.scopes...); err != nil {
				return err
			}
			committed := time.Now()
			if err := l.AwaitPublish(ctx); err != nil {
				return err
			}
			took = append(took, time.Since(committed).Seconds())
		}
		l.Reports.Add(report.Row{Name: "import of " + of.what + ": from the commit to the publish, median", Most: true, Bound: of.bound, Unit: "s",
			Ours: fmt.Sprintf("%.2f s", stats.Median(took)), Other: fmt.Sprintf("longest %.2f s", slices.Max(took)), Samples: took})
	}
	l.Reports.Add(report.Row{Name: "processor time of the database for the polls, four in a second, of one core", Most: true, Bound: 3, Unit: "%", Value: 100 * load})
	return nil
}
