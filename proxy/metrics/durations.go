package metrics

import (
	"sync/atomic"
	"time"
)

// Durations counts runs of an operation and the time that they take. It is safe for
// concurrent use.
type Durations struct {
	count, failed          atomic.Int64
	total, longest, latest atomic.Int64 // nanoseconds
}

// DurationStats is a snapshot of a Durations.
type DurationStats struct {
	Count, Failed          int64
	Total, Longest, Latest time.Duration
}

// Stopwatch measures one run of an operation.
type Stopwatch struct {
	of    *Durations
	begun time.Time
}

// Start begins to measure a run.
func (d *Durations) Start() Stopwatch { return Stopwatch{d, time.Now()} }

// Stop records that the run has succeeded.
func (s Stopwatch) Stop() {
	took := int64(time.Since(s.begun))
	s.of.count.Add(1)
	s.of.total.Add(took)
	s.of.latest.Store(took)
	for longest := s.of.longest.Load(); took > longest; longest = s.of.longest.Load() {
		if s.of.longest.CompareAndSwap(longest, took) {
			return
		}
	}
}

// Fail records that the run has failed. The time that it took does not count.
func (s Stopwatch) Fail() { s.of.failed.Add(1) }

// Stats returns the counts of this moment.
func (d *Durations) Stats() DurationStats {
	return DurationStats{
		Count: d.count.Load(), Failed: d.failed.Load(), Total: time.Duration(d.total.Load()),
		Longest: time.Duration(d.longest.Load()), Latest: time.Duration(d.latest.Load()),
	}
}
