package metrics

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Bounds of the latency histogram: two for each factor of two, from 2^firstBit to
// 2^lastBit nanoseconds (1 µs to 34 s). One more bucket counts longer times.
const (
	firstBit, lastBit = 10, 35
	// Bounds is the number of the bounds.
	Bounds = 2*(lastBit-firstBit) + 1
)

var bounds = func() (ns [Bounds]int64) {
	for i := range ns {
		ns[i] = 1 << (firstBit + i/2)
		if i%2 == 1 {
			ns[i] = int64(float64(ns[i]) * math.Sqrt2)
		}
	}
	return ns
}()

// Bound returns the longest time that bucket i, from 0 to Bounds-1, counts. The last
// bucket, Bounds, has none.
func Bound(i int) time.Duration { return time.Duration(bounds[i]) }

// Latencies is a histogram of times. It is safe for concurrent use.
type Latencies struct {
	counts [Bounds + 1]atomic.Int64
	total  atomic.Int64 // nanoseconds
}

// Spread holds the counts of the buckets at one moment, or between two moments.
type Spread [Bounds + 1]int64

// Record counts a time.
func (l *Latencies) Record(took time.Duration) {
	l.counts[bucket(int64(took))].Add(1)
	l.total.Add(int64(took))
}

// Total returns the sum of the recorded times.
func (l *Latencies) Total() time.Duration { return time.Duration(l.total.Load()) }

// Read returns the counts of this moment.
func (l *Latencies) Read() (s Spread) {
	for i := range l.counts {
		s[i] = l.counts[i].Load()
	}
	return s
}

func bucket(ns int64) int {
	if ns <= bounds[0] {
		return 0
	}
	i := 2 * (bits.Len64(uint64(ns-1)) - firstBit)
	if i-1 < Bounds && ns <= bounds[i-1] {
		i--
	}
	return min(i, Bounds)
}

// Since returns the counts from an earlier moment to s.
func (s *Spread) Since(earlier *Spread) (d Spread) {
	for i := range s {
		d[i] = s[i] - earlier[i]
	}
	return d
}

// Add adds the counts of another spread to s.
func (s *Spread) Add(o *Spread) {
	for i := range s {
		s[i] += o[i]
	}
}

// Count returns the number of recorded times.
func (s *Spread) Count() (n int64) {
	for _, c := range s {
		n += c
	}
	return n
}

// Percentile returns the time within which a share of the operations was done, in
// milliseconds, interpolated between the bounds of its bucket. It is zero without
// operations, and at most the last bound.
func (s *Spread) Percentile(share float64) float64 {
	wanted := share * float64(s.Count())
	if wanted == 0 {
		return 0
	}
	var lower int64
	for i, bound := range bounds {
		n := float64(s[i])
		if n > 0 && wanted <= n {
			return milliseconds(lower) + wanted/n*milliseconds(bound-lower)
		}
		wanted -= n
		lower = bound
	}
	return milliseconds(lower)
}

func milliseconds(ns int64) float64 { return float64(ns) / 1e6 }

// Over returns the number of operations in the buckets that begin at a time or above it.
func (s *Spread) Over(limit time.Duration) (n int64) {
	for i := 1; i < len(s); i++ {
		if Bound(i-1) >= limit {
			n += s[i]
		}
	}
	return n
}
