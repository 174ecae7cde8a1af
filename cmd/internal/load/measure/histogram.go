package measure

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	// Each power of two of nanoseconds is divided into 1<<subBits buckets, so that
	// the width of a bucket is at most 1/128 of its times.
	subBits = 7
	// longest is the shortest time in the last bucket, about 69 s, which also counts
	// all longer times.
	longest = 1 << 36
	buckets = (36-subBits)<<subBits + 1<<subBits
)

// Histogram counts durations with a precision of 1 % up to a minute. The zero value is
// empty. Its methods are safe for concurrent use.
type Histogram struct {
	counts   [buckets]atomic.Int64
	fastest  atomic.Int64 // nanoseconds plus one; zero means no times
	slowest  atomic.Int64 // nanoseconds
	recorded atomic.Int64
}

// Record counts a time. A negative time counts as zero.
func (h *Histogram) Record(took time.Duration) {
	ns := max(0, int64(took))
	h.counts[bucketOf(ns)].Add(1)
	h.recorded.Add(1)
	for old := h.slowest.Load(); ns > old && !h.slowest.CompareAndSwap(old, ns); old = h.slowest.Load() {
	}
	for old := h.fastest.Load(); (old == 0 || ns < old-1) && !h.fastest.CompareAndSwap(old, ns+1); old = h.fastest.Load() {
	}
}

func bucketOf(ns int64) int {
	ns = min(ns, longest-1)
	shift := max(0, bits.Len64(uint64(ns))-subBits-1)
	return shift<<subBits + int(ns>>shift)
}

// middle returns the middle of a bucket.
func middle(bucket int) time.Duration {
	shift := max(0, bucket>>subBits-1)
	from := int64(bucket-shift<<subBits) << shift
	return time.Duration(from + int64(1)<<shift/2)
}

// Times is a snapshot of histograms. The zero value is empty.
type Times struct {
	counts           [buckets]int64
	total            int64
	fastest, slowest time.Duration
}

// Add adds the current counts of a histogram.
func (t *Times) Add(h *Histogram) {
	if first := h.fastest.Load(); first > 0 && (t.total == 0 || time.Duration(first-1) < t.fastest) {
		t.fastest = time.Duration(first - 1)
	}
	t.slowest = max(t.slowest, time.Duration(h.slowest.Load()))
	for i := range h.counts {
		n := h.counts[i].Load()
		t.counts[i] += n
		t.total += n
	}
}

// Since returns the times that were recorded after an earlier snapshot. Its extremes
// are of all times.
func (t *Times) Since(earlier *Times) *Times {
	diff := *t
	diff.total -= earlier.total
	for i := range diff.counts {
		diff.counts[i] -= earlier.counts[i]
	}
	return &diff
}

// Total returns the number of times.
func (t *Times) Total() int64 { return t.total }

// Quantile returns the time that a share q of the times, from 0 to 1, did not exceed.
// It returns zero if there are no times.
func (t *Times) Quantile(q float64) time.Duration {
	if t.total == 0 {
		return 0
	}
	rank := max(1, int64(q*float64(t.total)+0.999999))
	for i, n := range t.counts {
		if rank -= n; rank <= 0 {
			return min(max(middle(i), t.fastest), t.slowest)
		}
	}
	return t.slowest
}

// Latency holds the reported quantiles in seconds.
type Latency struct {
	Min  float64 `json:"min"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// Latency returns the reported quantiles.
func (t *Times) Latency() Latency {
	at := func(q float64) float64 { return t.Quantile(q).Seconds() }
	return Latency{t.fastest.Seconds(), at(.5), at(.9), at(.99), at(.999), t.slowest.Seconds()}
}
