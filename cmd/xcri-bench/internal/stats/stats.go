// Package stats holds the statistics of measurements: medians, ratios and lines.
package stats

import (
	"math"
	"slices"
)

// Sum returns the sum of numbers.
func Sum(of []float64) (sum float64) {
	for _, v := range of {
		sum += v
	}
	return sum
}

// Median returns the middle value, or the mean of the two middle values. It returns 0
// for an empty list.
func Median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Quantile returns the value that a share q of the values, from 0 to 1, does not exceed.
// It returns 0 for an empty list.
func Quantile(of []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

// Ratios divides two series round by round.
func Ratios(a, b []float64) (all []float64) {
	for i := range a {
		all = append(all, a[i]/b[i])
	}
	return all
}

// Point is a measured value Y at X.
type Point struct{ X, Y float64 }

// line is y = base + slope·x.
type line struct{ Slope, Base float64 }

func (l line) at(x float64) float64 { return l.Base + l.Slope*x }

// Straight returns the least-squares line through the points, which need two different
// x.
func Straight(points []Point) line {
	var x, y, xx, xy float64
	for _, p := range points {
		x, y = x+p.X, y+p.Y
		xx, xy = xx+p.X*p.X, xy+p.X*p.Y
	}
	n := float64(len(points))
	slope := (n*xy - x*y) / (n*xx - x*x)
	return line{slope, (y - slope*x) / n}
}

// Farthest returns the x of the point that is farthest from the line, and its distance
// relative to the line's value.
func (l line) Farthest(points []Point) (x, off float64) {
	for _, p := range points {
		if d := math.Abs(p.Y/l.at(p.X) - 1); d >= off {
			x, off = p.X, d
		}
	}
	return x, off
}
