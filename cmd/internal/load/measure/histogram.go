package measure

import (
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// digits are the decimal digits of a time that are kept.
	digits = 2
	// longest is the longest time that is distinguished. Longer times count as longest.
	longest = 70 * time.Second
)

// Histogram counts durations with a precision of 1 % up to a minute. The zero value is
// empty. Its methods are safe for concurrent use.
type Histogram struct {
	mu    sync.Mutex
	times Times
}

// Record counts a time. A negative time counts as zero.
func (h *Histogram) Record(took time.Duration) {
	took = max(0, took)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times.extend(took, took)
	_ = h.times.ensure().RecordValue(int64(min(took, longest))) // it is in the range
}

// Times is a snapshot of histograms. The zero value is empty. It is not safe for concurrent
// use.
type Times struct {
	counts           *hdr.Histogram // nil means no times
	fastest, slowest time.Duration
}

// ensure returns the counts, which it creates before the first time.
func (t *Times) ensure() *hdr.Histogram {
	if t.counts == nil {
		t.counts = hdr.New(1, int64(longest), digits)
	}
	return t.counts
}

// extend extends the extremes. It must come before the count of their times.
func (t *Times) extend(fastest, slowest time.Duration) {
	if t.Total() == 0 || fastest < t.fastest {
		t.fastest = fastest
	}
	t.slowest = max(t.slowest, slowest)
}

// Add adds the current counts of a histogram.
func (t *Times) Add(h *Histogram) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.times.Total() == 0 {
		return
	}
	t.extend(h.times.fastest, h.times.slowest)
	t.ensure().Merge(h.times.counts)
}

// Since returns the times that were recorded after an earlier snapshot. Its extremes
// are of all times.
func (t *Times) Since(earlier *Times) *Times {
	if t.Total() == 0 || earlier.Total() == 0 {
		return t
	}
	counts := t.counts.Export()
	for i, n := range earlier.counts.Export().Counts {
		counts.Counts[i] -= n
	}
	return &Times{hdr.Import(counts), t.fastest, t.slowest}
}

// Total returns the number of times.
func (t *Times) Total() int64 {
	if t.counts == nil {
		return 0
	}
	return t.counts.TotalCount()
}

// Quantile returns the time that a share q of the times, from 0 to 1, did not exceed.
// It returns zero if there are no times.
func (t *Times) Quantile(q float64) time.Duration {
	if t.Total() == 0 {
		return 0
	}
	return min(max(time.Duration(t.counts.ValueAtPercentile(100*q)), t.fastest), t.slowest)
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
