package fleet

import (
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache/current"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
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
		Faults:  Faults{Errors: c.errors.Load(), Damaged: c.damaged.Load() + f.opts.Engine.Damaged(), Full: c.full.Load(), Oversized: c.oversized.Load()},
		Latency: c.latency.Read(), Total: c.latency.Total().Seconds(),
	}
}

// Report returns the members and the figures of the shared level for operators, with the waits
// for a publish; nil of a nil Fleet.
func (f *Fleet) Report(holds current.Holds) *api.Fleet {
	if f == nil {
		return nil
	}
	s := f.Stats()
	state := api.BreakerOpen
	if s.Up {
		state = api.BreakerClosed
	}
	report := &api.Fleet{
		Members: []api.Member{}, Gone: []api.GoneMember{}, Publishes: api.Publishes(f.rounds.Counts()),
		Holds:         api.Holds{Now: holds.Now, Total: holds.Total, Seconds: holds.Time.Seconds()},
		SharedLink:    api.SharedLink{State: state, Since: orNull(s.Since), Reason: s.Reason, Switches: s.Opened},
		SharedTraffic: api.SharedTraffic(s.Traffic), SharedFaults: api.SharedFaults(s.Faults),
		Latency: api.Latency{Count: s.Latency.Count(), P50MS: s.Latency.Percentile(0.5), P95MS: s.Latency.Percentile(0.95), P99MS: s.Latency.Percentile(0.99)},
	}
	for _, m := range f.Members() {
		report.Members = append(report.Members, api.Member{
			Name: m.Name, Own: m.Own, Version: m.Version, Generation: m.Generation, Calculated: m.Calculated, Health: m.Health, Behind: orNull(m.Behind),
		})
	}
	for _, m := range f.Gone() {
		report.Gone = append(report.Gone, api.GoneMember{Name: m.Name, Version: m.Version, Calculated: m.Calculated, Heard: m.Heard})
	}
	return report
}

// orNull makes the zero time null in JSON.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
