package alone

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
)

// Pages measures fills of the second page of lists of all divisions: the first page has
// counted the rows.
func Pages(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.Stop()
	for _, of := range []struct{ what, more string }{{"a list", ""}, {"a filtered list", "&min_races=4"}, {"a search", "&search=an"}} {
		var first, second []float64
		for _, division := range ask.Divisions {
			for _, gender := range ask.Genders {
				list := fmt.Sprintf("/athletes/?season_year=2025&division=%d&gender=%s%s&limit=100&offset=", division, gender, of.more)
				total, took, err := fillPage(ctx, list+"0")
				if err != nil {
					return err
				}
				if total < 200 {
					continue // the second page shows the end: nothing is counted
				}
				first = append(first, took)
				if _, took, err = fillPage(ctx, list+"100"); err != nil {
					return err
				}
				second = append(second, took)
			}
		}
		l.Reports.Add(report.Row{Name: "second page of " + of.what + ", 100 rows, cold: median", Most: true, Bound: 5, Unit: "ms", Samples: second,
			Ours: fmt.Sprintf("%.2f ms", stats.Median(second)), Other: fmt.Sprintf("the first page: %.2f ms", stats.Median(first))})
	}
	return nil
}

// fillPage requests a page and returns the total that it names, and the milliseconds that
// the answer took.
func fillPage(ctx context.Context, target string) (total int, took float64, err error) {
	begun := time.Now()
	a, err := ask.Get(ctx, target)
	if err != nil {
		return 0, 0, err
	}
	took = 1e3 * time.Since(begun).Seconds()
	text, err := a.Text()
	if err != nil {
		return 0, 0, err
	}
	var page struct{ Total int }
	return page.Total, took, json.Unmarshal(text, &page)
}
