package alone

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
)

// Pages measures fills of further pages of a list: the first page has counted the rows.
func Pages(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.Stop()
	for _, of := range []struct{ what, more string }{{"a list", ""}, {"a filtered list", "&min_races=4"}, {"a search", "&search=an"}} {
		var took []float64
		begun := time.Now()
		if _, err := ask.Get(ctx, ask.Page(100, 0)+of.more); err != nil {
			return err
		}
		first := time.Since(begun).Seconds()
		for i := range l.Repeats() {
			begun = time.Now()
			if _, err := ask.Get(ctx, ask.Page(100, 100*(i+1))+of.more); err != nil {
				return err
			}
			took = append(took, 1e3*time.Since(begun).Seconds())
		}
		l.Reports.Add(report.Row{Name: "a further page of " + of.what + ", 100 rows, cold: median", Most: true, Bound: 5, Unit: "ms", Samples: took,
			Ours: fmt.Sprintf("%.2f ms", stats.Median(took)), Other: "the first page: " + report.Milliseconds(first)})
	}
	return nil
}
