package alone

import (
	"context"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/rounds"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/stats"
)

// plans are the two plans with which the database reads a page, and page lengths that
// use each plan at any of the first offsets. A page that ends within the first 1,000
// rows is cut before the join. The list has 3,882 rows.
var plans = []struct {
	name  string
	limit []int
}{
	{"pages within the first 1,000 rows", []int{100, 250, 500, 750, 950}},
	{"pages beyond them", []int{1000, 1500, 2000, 2500, 3000, 3850}},
}

// LinearInRows measures whether each further row of a fill costs the same, in addition
// to a fixed cost to count and sort the list: the times of all lengths lie on a
// straight line.
func LinearInRows(ctx context.Context, l *lab.Lab) error {
	p, err := l.StartProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.Stop()
	for _, plan := range plans {
		points, err := fillTimes(ctx, l, plan.limit)
		if err != nil {
			return err
		}
		fit := stats.Straight(points)
		length, off := fit.Farthest(points)
		l.Reports.Add(report.Row{Name: "fills, " + plan.name + ": farthest from a cost for each row and a base", Most: true, Bound: 20, Unit: "%", Value: 100 * off,
			Ours:  fmt.Sprintf("%.1f µs a row and %.1f ms", fit.Slope*1e6, fit.Base*1e3),
			Other: fmt.Sprintf("%d to %d rows; farthest %.0f", plan.limit[0], plan.limit[len(plan.limit)-1], length)})
	}
	return nil
}

// fillTimes measures cold pages of the given lengths in turn, and returns the median
// for each length in seconds.
func fillTimes(ctx context.Context, l *lab.Lab, limits []int) (points []stats.Point, err error) {
	times := make([][]float64, len(limits))
	for round := range 2*l.Repeats() + 1 {
		for _, i := range rounds.Order(round, len(limits)) {
			begun := time.Now()
			if _, err := ask.Get(ctx, ask.Page(limits[i], round+1)); err != nil { // another offset is another entry
				return nil, err
			}
			if round > 0 { // the first warms up
				times[i] = append(times[i], time.Since(begun).Seconds())
			}
		}
	}
	for i, limit := range limits {
		points = append(points, stats.Point{X: float64(limit), Y: stats.Median(times[i])})
	}
	return points, nil
}
