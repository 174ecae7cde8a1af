package prometheus

import "github.com/lewistv/xcri-proxy/proxy/admin/api"

// fronts writes the figures of the caches in front, by the names that the settings give
// them.
func (m *metricsText) fronts(all []api.Front) {
	for _, family := range []struct {
		name, kind, help string
		value            func(*api.Front) float64
	}{
		{"xcri_front_pending_tags", gauge, "Tags that were not purged yet in a cache in front.", func(f *api.Front) float64 { return float64(f.Pending) }},
		{"xcri_front_pending_since_timestamp_seconds", gauge, "Time from which a tag has waited for its purge; 0 while none waits.", func(f *api.Front) float64 { return unixSeconds(f.PendingSince) }},
		{"xcri_front_repeating_tags", gauge, "Tags that were purged in a cache in front, and will be purged again.", func(f *api.Front) float64 { return float64(f.Repeats) }},
		{"xcri_front_purges_total", counter, "Purges of a cache in front: requests that succeeded.", func(f *api.Front) float64 { return float64(f.Requests) }},
		{"xcri_front_purged_tags_total", counter, "Tags in the purges of a cache in front.", func(f *api.Front) float64 { return float64(f.Tags) }},
		{"xcri_front_failures_total", counter, "Purges of a cache in front that failed; each is repeated.", func(f *api.Front) float64 { return float64(f.Failures) }},
		{"xcri_front_widened_total", counter, "Purges of everything because too many tags were pending.", func(f *api.Front) float64 { return float64(f.Widened) }},
		{"xcri_front_purged_timestamp_seconds", gauge, "When a cache in front was last purged; 0 for never.", func(f *api.Front) float64 { return unixSeconds(f.SentAt) }},
		{"xcri_front_failed_timestamp_seconds", gauge, "When a purge of a cache in front last failed; 0 for never.", func(f *api.Front) float64 { return unixSeconds(f.FailedAt) }},
	} {
		m.begin(family.name, family.kind, family.help)
		for i := range all {
			m.add("", family.value(&all[i]), "cache", all[i].Name)
		}
	}
}
