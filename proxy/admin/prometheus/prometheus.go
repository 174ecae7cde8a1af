// Package prometheus writes the figures of the proxy in the text format of
// Prometheus.
package prometheus

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// ContentType is the type of Text: the format that every version of Prometheus reads.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
	summary   = "summary"
)

// metricsText builds an answer in the text format.
type metricsText struct {
	text   []byte
	family string
}

// begin starts a family of metrics; its values must follow.
func (m *metricsText) begin(family, kind, help string) {
	m.family = family
	m.text = append(m.text, "# HELP "+family+" "+help+"\n# TYPE "+family+" "+kind+"\n"...)
}

// labelEscapes escapes the characters that a label's value must not contain.
var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// add writes a value of the family that was begun last. Labels are name, value, name,
// value; suffix names a part of a histogram or summary.
func (m *metricsText) add(suffix string, value float64, labels ...string) {
	m.text = append(m.text, m.family+suffix...)
	for i := 0; i < len(labels); i += 2 {
		m.text = append(m.text, "{,"[min(i, 1)])
		m.text = append(m.text, labels[i]+`="`+labelEscapes.Replace(labels[i+1])+`"`...)
	}
	if len(labels) > 0 {
		m.text = append(m.text, '}')
	}
	m.text = append(m.text, ' ')
	m.text = strconv.AppendFloat(m.text, value, 'g', -1, 64)
	m.text = append(m.text, '\n')
}

// one writes a family of a single value.
func (m *metricsText) one(family, kind, help string, value float64, labels ...string) {
	m.begin(family, kind, help)
	m.add("", value, labels...)
}

// byLabel adds a value for each key of a map, which is the value of a label, in the order
// of the keys.
func byLabel[V any](m *metricsText, label string, of map[string]V, value func(V) float64) {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		m.add("", value(of[name]), label, name)
	}
}

// count is the value of a counter.
func count(n int64) float64 { return float64(n) }

// Text returns the metrics: the stats, the histograms of the routes, and the figures of
// the process, which was started at that time.
func Text(s api.Stats, routes []*route.Route, counted *metrics.Metrics, started time.Time) []byte {
	m := &metricsText{}
	m.stats(s)
	m.durations(routes, counted)
	m.process(started)
	m.runtime()
	return m.text
}

// stats writes a metric for every number of the stats.
func (m *metricsText) stats(s api.Stats) {
	m.one("xcri_build_info", gauge, "Version of the proxy and of Go; always 1.", 1, "version", s.Version, "go", s.Go)
	m.one("xcri_uptime_seconds", gauge, "Time since the start.", s.UptimeSeconds)
	m.begin("xcri_condition_since_timestamp_seconds", gauge, "Conditions of the service that an operator should know, by condition and level, and since when they hold.")
	for _, c := range s.Conditions {
		if c.Since != nil {
			m.add("", unixSeconds(c.Since), "condition", c.Code, "level", c.Level)
		}
	}
	m.maintenance(s.Maintenance)
	m.generation(s.Generation)
	m.requests(s.Requests)
	m.routes(s.Routes)
	m.sources(s)
	m.cache(s.Cache)
	oldest := 0.0
	for _, l := range s.Loading {
		oldest = max(oldest, seconds(l.AgeMS))
	}
	m.one("xcri_oldest_load_seconds", gauge, "Age of the oldest fill that has not ended, with its wait for a turn; 0 without fills.", oldest)
	m.shelves(s.Cache.Shelves)
	m.one("xcri_site_requests_total", counter, "Requests for the site.", float64(s.Site.Requests))
	m.one("xcri_site_missing_total", counter, "Requests for files that the site does not serve (404).", float64(s.Site.Missing))
	m.one("xcri_site_files", gauge, "Files of the site that are known.", float64(s.Site.Files))
	m.one("xcri_site_bytes", gauge, "Memory that the site's files take.", float64(s.Site.Bytes))
	m.begin("xcri_hottest_key_asked", gauge, "Requests for the most requested keys, by rank; halved with each refresh and publish.")
	for i, hot := range s.Hottest {
		m.add("", float64(hot.Asked), "rank", strconv.Itoa(i+1))
	}
	m.verify(s.Verify)
	m.fronts(s.Fronts)
	m.one("xcri_pool_limit", gauge, "Most connections to the database.", float64(s.Pool.Limit))
	m.one("xcri_pool_open", gauge, "Connections to the database that are open.", float64(s.Pool.Open))
	m.one("xcri_pool_in_use", gauge, "Connections to the database that are in use.", float64(s.Pool.InUse))
	m.one("xcri_pool_refused_total", counter, "Connections that the database did not grant.", float64(s.Pool.Refused))
	m.one("xcri_pool_waits_total", counter, "Waits for a connection to the database.", float64(s.Pool.Waits))
	m.one("xcri_pool_waited_seconds_total", counter, "Time of the waits for a connection to the database.", seconds(s.Pool.WaitedMS))
	m.legacy(s.Legacy)
	m.fleet(s.Fleet)
	m.one("xcri_log_lines_dropped_total", counter, "Lines of the log that were dropped: its reader was too slow, or gone.", float64(s.Program.LogDropped))
	m.one("xcri_memory_rss_bytes", gauge, "Memory of the process as the kernel counts it.", float64(s.Memory.RSS))
	m.one("xcri_memory_used_bytes", gauge, "Memory that the limit of the process counts: the process and its memory files.", float64(s.Memory.Used))
	m.one("xcri_memory_budget_bytes", gauge, "Memory limit of the process; 0 without a limit.", float64(s.Memory.Budget))
	m.one("xcri_memory_heap_bytes", gauge, "Memory of the objects in the Go heap.", float64(s.Memory.Heap))
	m.one("xcri_memory_files", gauge, "Memory files that hold large answers outside the heap.", float64(s.Memory.Files))
	m.one("xcri_memory_file_bytes", gauge, "Memory that the memory files take.", float64(s.Memory.FileBytes))
	m.one("xcri_memory_request_bytes", gauge, "Memory for requests: their bodies and long heads, the old API's answers to them, and bodies that are decompressed while they are sent.", float64(s.Memory.Requests))
	m.one("xcri_memory_request_limit_bytes", gauge, "Most memory for requests: see xcri_memory_request_bytes.", float64(s.Memory.RequestsLimit))
	m.one("xcri_memory_requests_refused_total", counter, "Requests that were refused because they exceeded the limit.", float64(s.Memory.RequestsRefused))
	m.one("xcri_memory_limit_bytes", gauge, "Memory limit of the Go runtime.", float64(s.Memory.Limit))
}

func (m *metricsText) maintenance(is *api.Maintenance) {
	m.one("xcri_maintenance", gauge, "Whether maintenance mode is on.", flag(is != nil))
	if is == nil {
		is = &api.Maintenance{}
	}
	m.one("xcri_maintenance_since_timestamp_seconds", gauge, "Start of maintenance mode; 0 while it is off.", unixSeconds(is.Since))
	m.one("xcri_maintenance_until_timestamp_seconds", gauge, "Announced end of maintenance mode; 0 without one.", unixSeconds(is.Until))
}

func (m *metricsText) verify(v api.Verify) {
	m.one("xcri_verify_ratio", gauge, "Share of the loads from the database that are compared with the old API's answer.", v.Share)
	m.begin("xcri_verify_total", counter, "Loads that were compared, by verdict.")
	byLabel(m, "verdict", v.Verdicts, count)
	m.one("xcri_verify_dropped_total", counter, "Loads that were selected for a comparison and not compared: too many waited, or no connection was free.", float64(v.Dropped))
}

// legacy writes zeros without an old API, so that there are always the same
// families.
func (m *metricsText) legacy(l *api.Legacy) {
	if l == nil {
		l = &api.Legacy{}
	}
	m.one("xcri_legacy_requests_total", counter, "Requests to the old API.", float64(l.Requests))
	m.one("xcri_legacy_failures_total", counter, "Requests to the old API without a usable answer.", float64(l.Failures))
	m.one("xcri_legacy_timeouts_total", counter, "Requests to the old API without an answer in time.", float64(l.Timeouts))
	m.one("xcri_legacy_resent_total", counter, "Requests repeated because the old API had closed the connection.", float64(l.Resent))
	m.begin("xcri_legacy_duration_seconds", summary, "Time that answers of the old API took.")
	m.add("_sum", seconds(l.MeanMS)*float64(l.Answered))
	m.add("_count", float64(l.Answered))
	m.one("xcri_legacy_in_use", gauge, "Connections to the old API that are in use.", float64(l.InUse))
	m.one("xcri_legacy_limit", gauge, "Most connections to the old API.", float64(l.Limit))
}

func (m *metricsText) generation(g api.Generation) {
	m.one("xcri_generation_held_since_timestamp_seconds", gauge, "Time from which a generation is held back because it resembles an unfinished import; 0 without such a generation.", unixSeconds(g.Warm.HeldSince))
	m.begin("xcri_table_changing_since_timestamp_seconds", gauge, "Time from which a table is changing without a reported calculation; 0 while it is not.")
	for _, t := range g.Tables {
		m.add("", unixSeconds(t.Changing), "table", t.Name)
	}
	w := g.Warm
	m.one("xcri_generation_info", gauge, "The generation that is published; always 1.", 1, "generation", g.ID, "calculated_at", w.Calculated)
	m.one("xcri_generation_published_timestamp_seconds", gauge, "When the generation was published; 0 before the first.", unixSeconds(g.Published))
	m.one("xcri_generation_confirmed_timestamp_seconds", gauge, "When the database last confirmed the generation; 0 for never.", unixSeconds(g.Confirmed))
	m.one("xcri_generations_published_total", counter, "Generations that were published.", float64(w.Published))
	m.one("xcri_database_up", gauge, "Whether the database answers.", flag(g.DownSince == nil))
	m.one("xcri_database_down_since_timestamp_seconds", gauge, "Start of the outage of the database; 0 while it answers.", unixSeconds(g.DownSince))
	m.one("xcri_stale_entries", gauge, "Entries that are stale: of an older generation, or purged.", float64(g.StaleCount))
	m.one("xcri_stale_since_timestamp_seconds", gauge, "Time from which the cache has had stale entries, to 10 s; 0 without stale entries.", unixSeconds(g.StaleSince))
	m.stale(g.StaleRoutes)
	m.one("xcri_looks_total", counter, "Requested polls of the database that have ended.", float64(w.Looked))
	m.one("xcri_warming", gauge, "Whether a warm set is being filled.", flag(w.Warming))
	m.begin("xcri_warm_keys", gauge, "Keys of the warm set, by state: all, done, filled, failed.")
	for _, of := range []struct {
		state string
		n     int
	}{{"all", w.Keys}, {"done", w.Done}, {"filled", w.Filled}, {"failed", w.Failed}} {
		m.add("", float64(of.n), "state", of.state)
	}
	m.one("xcri_warm_bytes", gauge, "Size of the entries that the last warm-up filled.", float64(w.Bytes))
	m.one("xcri_warm_seconds", gauge, "Time that the last warm-up took so far.", w.Seconds)
	m.one("xcri_warm_slowest_seconds", gauge, "Time that the slowest fill of the last warm-up took.", w.SlowestSeconds)
	m.season(&w.Season)
}

// season writes the figures of the season, all zero if there is none.
func (m *metricsText) season(s *api.Season) {
	m.one("xcri_season_filling", gauge, "Whether the season is being filled.", flag(s.State == api.SeasonFilling))
	m.begin("xcri_season_keys", gauge, "Keys of the season, by state: all, done, filled, failed, left_out.")
	for _, of := range []struct {
		state string
		n     int
	}{{"all", s.Keys}, {"done", s.Done}, {"filled", s.Filled}, {"failed", s.Failed}, {"left_out", s.LeftOut}} {
		m.add("", float64(of.n), "state", of.state)
	}
	m.one("xcri_season_bytes", gauge, "Size of the season's entries that are kept.", float64(s.Bytes))
	m.one("xcri_season_needed_bytes", gauge, "Size of all entries of the season, by estimate.", float64(s.Needed))
	m.one("xcri_season_seconds", gauge, "Time that the last walk over the season took so far.", s.Seconds)
}

func (m *metricsText) stale(routes map[string]api.Stale) {
	m.begin("xcri_stale_route_entries", gauge, "Stale entries, by route; only routes with stale entries.")
	byLabel(m, "route", routes, func(s api.Stale) float64 { return float64(s.Entries) })
	m.begin("xcri_stale_oldest_filled_timestamp_seconds", gauge, "When the oldest stale entry was filled, by route.")
	byLabel(m, "route", routes, func(s api.Stale) float64 { return unixSeconds(s.Oldest) })
}

func (m *metricsText) requests(r api.Requests) {
	m.begin("xcri_responses_total", counter, "Answers to visitors, by status code.")
	byLabel(m, "code", r.Statuses, count)
	m.one("xcri_hit_ratio", gauge, "Share of the answers since the start that needed no fill.", r.HitRatio)
	m.begin("xcri_latency_seconds", summary, "Percentiles of the time from a request to its answer, since the start; sum and count are in xcri_request_duration_seconds.")
	m.quantiles(r.Latency)
	m.one("xcri_not_modified_total", counter, "Answers 304 Not Modified.", float64(r.NotModified))
	m.one("xcri_passed_total", counter, "Requests for the old API.", float64(r.Outcomes[cache.Pass.String()]))
	m.one("xcri_rejected_total", counter, "Requests with a bad parameter (422).", float64(r.Rejected))
	m.one("xcri_inflated_total", counter, "Bodies decompressed for a client that takes no coding.", float64(r.Inflated))
	m.one("xcri_panics_total", counter, "Panics in handlers.", float64(r.Panics))
	m.one("xcri_open_connections", gauge, "Connections of clients.", float64(r.Open))
	m.one("xcri_refused_connections_total", counter, "Connections of clients that were refused because too many were open.", float64(r.Refused))
	m.one("xcri_access_log_dropped_total", counter, "Lines that the access log could not take.", float64(r.LogDropped))
	m.begin("xcri_admin_refused_total", counter, "Requests for admin pages that were refused, by cause.")
	byLabel(m, "cause", r.AdminRefused, count)
	m.begin("xcri_client_refused_total", counter, "Requests that were refused because their client waited for too many fills (429), by limit.")
	byLabel(m, "limit", r.ClientRefused, count)
	m.begin("xcri_client_limit", gauge, "Fills that one client may wait for, by limit; 0 means no limit.")
	byLabel(m, "limit", r.ClientLimits, count)
}

func (m *metricsText) routes(routes map[string]api.Route) {
	paths := slices.Sorted(maps.Keys(routes))
	m.begin("xcri_requests_total", counter, "Requests, by route and outcome.")
	for _, path := range paths {
		for _, outcome := range slices.Sorted(maps.Keys(routes[path].Outcomes)) {
			m.add("", float64(routes[path].Outcomes[outcome]), "route", path, "outcome", outcome)
		}
	}
	m.begin("xcri_route_latency_seconds", summary, "Percentiles of the time from a request to its answer, by route, since the start; sum and count are in xcri_request_duration_seconds.")
	for _, path := range paths {
		m.quantiles(routes[path].Latency, "route", path)
	}
	m.begin("xcri_fill_duration_seconds", summary, "Time that fills took, by route.")
	for _, path := range paths {
		fills := routes[path].Fills
		m.add("_sum", seconds(fills.MeanMS)*float64(fills.Count), "route", path)
		m.add("_count", float64(fills.Count), "route", path)
	}
	for _, of := range []struct {
		family, kind, help string
		value              func(api.Fills) float64
	}{
		{"xcri_fill_max_seconds", gauge, "Time that the slowest fill took, by route.", func(f api.Fills) float64 { return seconds(f.MaxMS) }},
		{"xcri_fill_latest_seconds", gauge, "Time that the latest fill took, by route.", func(f api.Fills) float64 { return seconds(f.LatestMS) }},
		{"xcri_route_fill_failures_total", counter, "Fills that failed, by route.", func(f api.Fills) float64 { return float64(f.Failed) }},
	} {
		m.begin(of.family, of.kind, of.help)
		for _, path := range paths {
			m.add("", of.value(routes[path].Fills), "route", path)
		}
	}
}

// sources writes the sources of answers and their circuit breakers.
func (m *metricsText) sources(s api.Stats) {
	m.begin("xcri_source_info", gauge, "Source of answers, by route, * for all routes without an own source; always 1.")
	m.add("", 1, "route", "*", "source", s.Sources.Default)
	for _, path := range slices.Sorted(maps.Keys(s.Sources.Routes)) {
		m.add("", 1, "route", path, "source", s.Sources.Routes[path])
	}
	m.begin("xcri_loads_total", counter, "Loads, by route, source and result.")
	for _, path := range slices.Sorted(maps.Keys(s.Routes)) {
		for _, source := range slices.Sorted(maps.Keys(s.Routes[path].Loads)) {
			loads := s.Routes[path].Loads[source]
			m.add("", float64(loads.OK), "route", path, "source", source, "result", "ok")
			m.add("", float64(loads.Failed), "route", path, "source", source, "result", "failed")
		}
	}
	for _, of := range []struct {
		family, kind, help string
		value              func(api.Breaker) float64
	}{
		{"xcri_breaker_open", gauge, "Whether the circuit breaker of the source is open.", func(b api.Breaker) float64 { return flag(b.State == api.BreakerOpen) }},
		{"xcri_breaker_since_timestamp_seconds", gauge, "When the circuit breaker last opened or closed; 0 for never.", func(b api.Breaker) float64 { return unixSeconds(b.Since) }},
		{"xcri_breaker_switches_total", counter, "Times that the circuit breaker opened or closed.", func(b api.Breaker) float64 { return float64(b.Switches) }},
		{"xcri_breaker_loads", gauge, "Loads from the source in the last minute, or since the last switch.", func(b api.Breaker) float64 { return float64(b.Loads) }},
		{"xcri_breaker_failed_loads", gauge, "Loads from the source that failed in the last minute, or since the last switch.", func(b api.Breaker) float64 { return float64(b.Failed) }},
		{"xcri_breaker_load_seconds", gauge, "Mean time of the loads from the source that succeeded.", func(b api.Breaker) float64 { return seconds(b.MeanMS) }},
	} {
		m.begin(of.family, of.kind, of.help)
		byLabel(m, "source", s.Sources.Breakers, of.value)
	}
}

// quantiles writes the percentiles of a latency, if there is one.
func (m *metricsText) quantiles(l api.Latency, labels ...string) {
	if l.Count == 0 {
		return
	}
	m.add("", seconds(l.P50MS), append(labels, "quantile", "0.5")...)
	m.add("", seconds(l.P95MS), append(labels, "quantile", "0.95")...)
	m.add("", seconds(l.P99MS), append(labels, "quantile", "0.99")...)
}

func (m *metricsText) cache(c api.Cache) {
	m.one("xcri_fills_total", counter, "Loads from an origin: the database or the old API.", float64(c.Fills))
	m.one("xcri_fill_failures_total", counter, "Fills that failed or got no turn.", float64(c.Failures))
	m.one("xcri_fill_panics_total", counter, "Fills that failed by a panic.", float64(c.Panics))
	m.one("xcri_refreshes_total", counter, "Fills in the background, without a waiting request.", float64(c.Refreshes))
	m.one("xcri_filling", gauge, "Fills that run now.", float64(c.Filling))
	m.one("xcri_waiting", gauge, "Requests that wait for a fill now.", float64(c.Waiting))
	m.one("xcri_fills_abandoned_total", counter, "Searches that ended because their clients had left.", float64(c.Abandoned))
	m.begin("xcri_lane_running", gauge, "Fills that run now, by lane.")
	byLabel(m, "lane", c.Lanes, func(l api.Lane) float64 { return float64(l.Running) })
	m.begin("xcri_lane_queued", gauge, "Fills that wait for their turn now, by lane.")
	byLabel(m, "lane", c.Lanes, func(l api.Lane) float64 { return float64(l.Queued) })
}

func (m *metricsText) shelves(shelves map[string]api.Shelf) {
	for _, of := range []struct {
		family, kind, help string
		value              func(api.Shelf) int64
	}{
		{"xcri_cache_bytes", gauge, "Size of the entries, by shelf.", func(s api.Shelf) int64 { return s.Bytes }},
		{"xcri_cache_budget_bytes", gauge, "Room for entries, by shelf.", func(s api.Shelf) int64 { return s.Budget }},
		{"xcri_cache_entries", gauge, "Entries, by shelf.", func(s api.Shelf) int64 { return s.Entries }},
		{"xcri_cache_evicted_total", counter, "Entries evicted, by shelf.", func(s api.Shelf) int64 { return s.Evicted }},
		{"xcri_cache_rejected_total", counter, "Entries refused by the admission policy, by shelf.", func(s api.Shelf) int64 { return s.Rejected }},
		{"xcri_cache_too_large_total", counter, "Entries over the size limit, by shelf.", func(s api.Shelf) int64 { return s.TooLarge }},
		{"xcri_cache_dropped_total", counter, "Entries dropped because the write buffer was full, by shelf.", func(s api.Shelf) int64 { return s.Dropped }},
	} {
		m.begin(of.family, of.kind, of.help)
		byLabel(m, "shelf", shelves, func(s api.Shelf) float64 { return float64(of.value(s)) })
	}
}

// durations writes the histograms of the routes, with every fourth of their bounds.
func (m *metricsText) durations(routes []*route.Route, counted *metrics.Metrics) {
	sorted := slices.SortedFunc(slices.Values(routes), func(a, b *route.Route) int { return cmp.Compare(a.Path(), b.Path()) })
	m.begin("xcri_request_duration_seconds", histogram, "Time from a request to its answer, by route.")
	for _, r := range sorted {
		now, path := counted.Route(r.ID).Read(), r.Path()
		var below int64
		for i, n := range now.Latency {
			below += n
			if i < metrics.Bounds && i%4 == 0 {
				bound := metrics.Bound(i).Seconds()
				m.add("_bucket", float64(below), "route", path, "le", strconv.FormatFloat(bound, 'g', -1, 64))
			}
		}
		m.add("_bucket", float64(below), "route", path, "le", "+Inf")
		m.add("_sum", now.Took.Seconds(), "route", path)
		m.add("_count", float64(below), "route", path)
	}
}

func seconds(milliseconds float64) float64 { return milliseconds / 1000 }

func flag(set bool) float64 {
	if set {
		return 1
	}
	return 0
}

func unixSeconds(t *time.Time) float64 {
	if t == nil {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
