package main

import (
	"context"
	"fmt"
	"math"
	"time"
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

// linearInRows measures whether each further row of a fill costs the same, in addition
// to a fixed cost to count and sort the list: the times of all lengths lie on a
// straight line.
func (l *lab) linearInRows(ctx context.Context) error {
	p, err := l.startProxy(ctx, "")
	if err != nil {
		return err
	}
	defer p.stop()
	for _, plan := range plans {
		points, err := l.fillTimes(ctx, plan.limit)
		if err != nil {
			return err
		}
		fit := straight(points)
		length, off := fit.farthest(points)
		l.reports.add(row{what: "fills, " + plan.name + ": farthest from a cost for each row and a base", most: true, bound: 20, unit: "%", value: 100 * off,
			ours:  fmt.Sprintf("%.1f µs a row and %.1f ms", fit.slope*1e6, fit.base*1e3),
			other: fmt.Sprintf("%d to %d rows; farthest %.0f", plan.limit[0], plan.limit[len(plan.limit)-1], length)})
	}
	return nil
}

// fillTimes measures cold pages of the given lengths in turn, and returns the median
// for each length in seconds.
func (l *lab) fillTimes(ctx context.Context, limits []int) (points []point, err error) {
	times := make([][]float64, len(limits))
	for round := range 2*l.repeats() + 1 {
		for _, i := range order(round, len(limits)) {
			begun := time.Now()
			if _, err := get(ctx, page(limits[i], round+1)); err != nil { // another offset is another entry
				return nil, err
			}
			if round > 0 { // the first warms up
				times[i] = append(times[i], time.Since(begun).Seconds())
			}
		}
	}
	for i, limit := range limits {
		points = append(points, point{float64(limit), median(times[i])})
	}
	return points, nil
}

type point struct{ x, y float64 }

// line is y = base + slope·x.
type line struct{ slope, base float64 }

func (l line) at(x float64) float64 { return l.base + l.slope*x }

// straight returns the least-squares line through the points, which need two different
// x.
func straight(points []point) line {
	var x, y, xx, xy float64
	for _, p := range points {
		x, y = x+p.x, y+p.y
		xx, xy = xx+p.x*p.x, xy+p.x*p.y
	}
	n := float64(len(points))
	slope := (n*xy - x*y) / (n*xx - x*x)
	return line{slope, (y - slope*x) / n}
}

// farthest returns the x of the point that is farthest from the line, and its distance
// relative to the line's value.
func (l line) farthest(points []point) (x, off float64) {
	for _, p := range points {
		if d := math.Abs(p.y/l.at(p.x) - 1); d >= off {
			x, off = p.x, d
		}
	}
	return x, off
}
