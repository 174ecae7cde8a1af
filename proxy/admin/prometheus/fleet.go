package prometheus

import "github.com/lewistv/xcri-proxy/proxy/admin/api"

// fleet writes zeros without a shared level, so that there are always the same families.
func (m *metricsText) fleet(f *api.Fleet) {
	if f == nil {
		f = &api.Fleet{}
	}
	m.begin("xcri_member_info", gauge, "The members of the fleet that are alive, as this member sees them; always 1.")
	for _, one := range f.Members {
		m.add("", 1, "member", one.Name, "version", one.Version, "calculated_at", one.Calculated, "health", one.Health)
	}
	m.begin("xcri_member_behind_since_timestamp_seconds", gauge, "Time from which a member has not published the newest generation; 0 if it has.")
	for _, one := range f.Members {
		m.add("", unixSeconds(one.Behind), "member", one.Name)
	}
	m.begin("xcri_member_last_heard_timestamp_seconds", gauge, "Time of the last report of a member that is gone without having been stopped in order; for ten minutes.")
	for _, one := range f.Gone {
		m.add("", unixSeconds(&one.Heard), "member", one.Name)
	}
	m.begin("xcri_fleet_publishes_total", counter, "Publishes of this member: together, once all members held requests; late, after 250 ms, when not all held them; alone, without the shared level.")
	m.add("", float64(f.Publishes.Together), "result", "together")
	m.add("", float64(f.Publishes.Late), "result", "late")
	m.add("", float64(f.Publishes.Alone), "result", "alone")
	m.one("xcri_fleet_forced_total", counter, "Decisions that this member forced, because a member was not ready in time.", float64(f.Publishes.Forced))
	m.one("xcri_fleet_votes_lost_total", counter, "Votes of this member for a generation other than the decision's.", float64(f.Publishes.Lost))
	m.one("xcri_fleet_held", gauge, "Requests and fills that wait for a publish by all members.", float64(f.Holds.Now))
	m.one("xcri_fleet_holds_total", counter, "Waits of requests and fills for a publish by all members.", float64(f.Holds.Total))
	m.one("xcri_fleet_hold_seconds_total", counter, "Time of the waits for a publish by all members.", f.Holds.Seconds)
	m.one("xcri_shared_up", gauge, "Whether the circuit breaker before the shared level is closed.", flag(f.State == api.BreakerClosed))
	m.one("xcri_shared_since_timestamp_seconds", gauge, "When the circuit breaker before the shared level last opened or closed; 0 for never.", unixSeconds(f.Since))
	m.one("xcri_shared_opened_total", counter, "Times that the circuit breaker before the shared level opened.", float64(f.Switches))
	m.begin("xcri_shared_lookups_total", counter, "Lookups in the shared level, by result: hit, miss, and skipped while the circuit breaker is open.")
	m.add("", float64(f.Hits), "result", "hit")
	m.add("", float64(f.Misses), "result", "miss")
	m.add("", float64(f.Skipped), "result", "skipped")
	m.one("xcri_shared_waits_total", counter, "Waits for the fill of another member.", float64(f.Waits))
	m.one("xcri_shared_puts_total", counter, "Answers that this member stored in the shared level.", float64(f.Puts))
	m.begin("xcri_shared_bytes_total", counter, "Size of the values that were read from the shared level or written to it.")
	m.add("", float64(f.Read), "direction", "read")
	m.add("", float64(f.Written), "direction", "written")
	m.begin("xcri_shared_faults_total", counter, "Operations and values of the shared level that failed, by kind.")
	m.add("", float64(f.Errors), "kind", "error")
	m.add("", float64(f.Damaged), "kind", "damaged")
	m.add("", float64(f.Full), "kind", "full")
	m.add("", float64(f.Oversized), "kind", "oversized")
	m.one("xcri_shared_operations_total", counter, "Operations of the shared level.", float64(f.Latency.Count))
	m.begin("xcri_shared_latency_seconds", summary, "Percentiles of the time of an operation of the shared level, since the start; the count is xcri_shared_operations_total.")
	m.quantiles(f.Latency)
}
