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
	for range 6 { // the fewest with an interval
		if err := l.SQL(ctx, "FLUSH STATUS"); err != nil {
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
		report.Row{Name: fmt.Sprintf("warm set at the start, %d answers, median of 6", filled), Most: true, Bound: 3, Unit: "s",
			Ours: fmt.Sprintf("%.2f s", stats.Median(took)), Samples: took},
		report.Row{Name: "connections to the database meanwhile", Most: true, Bound: 4, Unit: "connections", Value: float64(most)})
	return nil
}

// Imports measures the time from the commit of an import until its data is published,
// for one division's men and for all divisions one after the other.
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
	version := 0
	for _, of := range []struct {
		what   string
		scopes []importer.Scope
	}{{"one division and gender", all[:1]}, {"all 14, one after the other", all}} {
		var took []float64
		for range l.Repeats() {
			for _, s := range of.scopes {
				version++
				if err := importer.Import(ctx, l.Root, s, version, importer.Options{}); err != nil {
					return err
				}
			}
			committed := time.Now()
			if err := awaitPublish(ctx, version); err != nil {
				return err
			}
			took = append(took, time.Since(committed).Seconds())
		}
		l.Reports.Add(report.Row{Name: "import of " + of.what + ": from the commit to the publish, median", Most: true, Bound: 5, Unit: "s",
			Ours: fmt.Sprintf("%.2f s", stats.Median(took)), Other: fmt.Sprintf("longest %.2f s", slices.Max(took)), Samples: took})
	}
	return nil
}

// awaitPublish polls until the calculation with a version is published.
func awaitPublish(ctx context.Context, version int) error {
	want := importer.At(version).Format("2006-01-02T15:04:05")
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		s, err := ask.ReadStats(ctx)
		warm := s.Generation.Warm
		switch {
		case err != nil:
			return err
		case warm.Calculated == want && !warm.Warming && warm.Failed > 0:
			return fmt.Errorf("version %d is published without %d answers", version, warm.Failed)
		case warm.Calculated == want && !warm.Warming:
			return nil
		}
	}
	return fmt.Errorf("version %d is not published", version)
}
