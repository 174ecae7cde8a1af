package fleet

import (
	"sync/atomic"

	"github.com/lewistv/xcri-proxy/proxy/metrics"
)

// figures are the counters since the start.
type figures struct {
	hits, misses, waited, skipped atomic.Int64
	puts, oversized, full         atomic.Int64
	errors, damaged               atomic.Int64
	read, written                 atomic.Int64
	latency                       metrics.Latencies
}

// Stats are figures of the shared level, as one member sees it. Counts are since its start.
type Stats struct {
	LinkState
	Traffic
	Faults
	Latency metrics.Spread // of all operations
	Total   float64        // seconds of all operations
}

// Traffic counts the lookups and the values.
type Traffic struct {
	Hits    int64 // answers that were found
	Misses  int64 // answers that this member then filled
	Waits   int64 // waits for the fill of another member
	Skipped int64 // fills without a lookup, because the circuit breaker was open
	Puts    int64 // values stored
	Read    int64 // bytes
	Written int64 // bytes
}

// Faults counts operations and values that failed.
type Faults struct {
	Errors    int64 // operations that failed or exceeded their budget
	Damaged   int64 // values that were no answers, and were removed
	Full      int64 // values that found no room
	Oversized int64 // answers that are too large to be shared
}

// Stats returns the figures of this moment.
func (f *Fleet) Stats() Stats {
	c := &f.figures
	f.link.mu.Lock()
	state := f.link.state
	f.link.mu.Unlock()
	return Stats{
		LinkState: state,
		Traffic: Traffic{
			Hits: c.hits.Load(), Misses: c.misses.Load(), Waits: c.waited.Load(), Skipped: c.skipped.Load(),
			Puts: c.puts.Load(), Read: c.read.Load(), Written: c.written.Load(),
		},
		Faults:  Faults{Errors: c.errors.Load(), Damaged: c.damaged.Load(), Full: c.full.Load(), Oversized: c.oversized.Load()},
		Latency: c.latency.Read(), Total: c.latency.Total().Seconds(),
	}
}
