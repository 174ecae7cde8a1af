package visitors

import (
	"math/rand/v2"
	"sort"
)

// zipf draws indices from a Zipf distribution with exponent 1: the n-th is drawn 1/n
// times as often as the first. It is not safe for concurrent use. rand.Zipf requires
// an exponent above 1.
type zipf struct{ sums []float64 }

// draw returns an index below n, which must be above 0.
func (z *zipf) draw(r *rand.Rand, n int) int {
	for len(z.sums) < n {
		last := 0.0
		if len(z.sums) > 0 {
			last = z.sums[len(z.sums)-1]
		}
		z.sums = append(z.sums, last+1/float64(len(z.sums)+1))
	}
	return min(n-1, sort.SearchFloat64s(z.sums[:n], r.Float64()*z.sums[n-1]))
}
