package fleet

import (
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// Report returns the members and the figures of the shared level for operators; nil of a nil
// Fleet.
func (f *Fleet) Report() *api.Fleet {
	if f == nil {
		return nil
	}
	s := f.Stats()
	state := api.BreakerOpen
	if s.Up {
		state = api.BreakerClosed
	}
	report := &api.Fleet{
		Members:       []api.Member{},
		SharedLink:    api.SharedLink{State: state, Since: orNull(s.Since), Reason: s.Reason, Switches: s.Opened},
		SharedTraffic: api.SharedTraffic(s.Traffic), SharedFaults: api.SharedFaults(s.Faults),
		Latency: api.Latency{Count: s.Latency.Count(), P50MS: s.Latency.Percentile(0.5), P95MS: s.Latency.Percentile(0.95), P99MS: s.Latency.Percentile(0.99)},
	}
	for _, m := range f.Members() {
		report.Members = append(report.Members, api.Member{
			Name: m.Name, Own: m.Own, Version: m.Version, Generation: m.Generation, Calculated: m.Calculated, Health: m.Health, Behind: orNull(m.Behind),
		})
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
