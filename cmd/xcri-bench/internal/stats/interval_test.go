package stats

import (
	"math/rand/v2"
	"testing"
)

// TestInterval: the ranks of the interval are the ranks of tables of the sign test.
func TestInterval(t *testing.T) {
	for n, rank := range map[int]int{0: 0, 5: 0, 6: 1, 8: 1, 9: 2, 12: 3, 20: 6} {
		var all []float64
		for i := range n {
			all = append(all, float64(n-i))
		}
		low, high, ok := Interval(all)
		if ok != (rank > 0) || ok && (low != float64(rank) || high != float64(n+1-rank)) {
			t.Errorf("%d measurements: %v to %v, %t; want rank %d", n, low, high, ok, rank)
		}
	}
}

// TestIntervalHoldsTheMedian: it does in at least 95 of 100 samples.
func TestIntervalHoldsTheMedian(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const samples = 4000
	holds := 0
	for range samples {
		var all []float64
		for range 9 {
			all = append(all, random.ExpFloat64()) // of which the median is ln 2
		}
		if low, high, _ := Interval(all); low <= 0.6931 && high >= 0.6931 {
			holds++
		}
	}
	if share := float64(holds) / samples; share < 0.945 {
		t.Errorf("%.3f of the intervals hold the median", share)
	}
}
