package fleet

import (
	"sync/atomic"

	"github.com/lewistv/xcri-proxy/proxy/fleet/counts"
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

// Traffic counts the lookups and the values, and Faults the failures. See package counts.
type (
	Traffic = counts.Traffic
	Faults  = counts.Faults
)

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
