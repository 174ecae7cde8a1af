package stats

import (
	"math"
	"slices"
)

// confidence is the probability with which an Interval holds the median.
const confidence = 0.95

// Interval returns the narrowest interval between two of the measurements, equally far
// from both ends, that holds the true median with a probability of 95 % for any
// distribution. It returns false if the measurements are too few: under six.
// Source: the sign test; each measurement is under the median with a probability of 1/2.
func Interval(of []float64) (low, high float64, ok bool) {
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	outside := 0.0 // the probability that at most i measurements are on one side, twice
	for i := range n / 2 {
		outside += 2 * choose(n, i) / math.Pow(2, float64(n))
		if outside > 1-confidence {
			break
		}
		low, high, ok = sorted[i], sorted[n-1-i], true
	}
	return low, high, ok
}

// choose returns the number of ways to choose k of n.
func choose(n, k int) float64 {
	ways := 1.0
	for i := range k {
		ways *= float64(n-i) / float64(i+1)
	}
	return ways
}
