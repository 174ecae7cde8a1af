package stats

import (
	"math"
	"slices"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 100, 2}, 3}} {
		of := slices.Clone(test.of)
		if got := Median(of); got != test.want {
			t.Errorf("%v: got %v, want %v", test.of, got, test.want)
		}
		if !slices.Equal(of, test.of) {
			t.Errorf("%v was changed to %v", test.of, of)
		}
	}
	if got := Ratios([]float64{6, 1}, []float64{3, 4}); !slices.Equal(got, []float64{2, 0.25}) {
		t.Errorf("ratios: got %v", got)
	}
}

func TestQuantile(t *testing.T) {
	of := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.2: 1, 0.21: 2, 0.5: 3, 0.95: 5, 1: 5} {
		if got := Quantile(of, q); got != want {
			t.Errorf("%v: got %v, want %v", q, got, want)
		}
	}
	if got := Quantile(nil, 0.5); got != 0 {
		t.Errorf("no values: got %v", got)
	}
}

func TestStraight(t *testing.T) {
	points := []Point{{100, 12}, {200, 22}, {400, 42}}
	if got := Straight(points); math.Abs(got.Slope-0.1) > 1e-9 || math.Abs(got.Base-2) > 1e-9 {
		t.Errorf("got %+v, want 2 + x/10", got)
	}
	l := line{Slope: 0.1, Base: 2}
	if x, off := l.Farthest(append(points, Point{300, 24}, Point{500, 53})); x != 300 || math.Abs(off-0.25) > 1e-9 {
		t.Errorf("got %v at %v, want 0.25 at 300", off, x)
	}
	// The least-squares line has the mean of y: (0,0), (1,3), (2,0).
	if got := Straight([]Point{{0, 0}, {1, 3}, {2, 0}}); math.Abs(got.Slope) > 1e-9 || math.Abs(got.Base-1) > 1e-9 {
		t.Errorf("got %+v, want 1", got)
	}
}
