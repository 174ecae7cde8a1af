package admin

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/process"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/preload"
	"github.com/lewistv/xcri-proxy/proxy/trace"
)

// Stats returns the figures of this moment.
func (a *Admin) Stats() api.Stats {
	conns := a.opts.Connections()
	stats := api.Stats{
		Program: api.Program{
			Version: a.opts.Version, Go: runtime.Version(), UptimeSeconds: time.Since(a.started).Seconds(), LogDropped: a.opts.LostLines(),
			Conditions: a.conditions(time.Now()), Maintenance: newMaintenanceStats(a.opts.Maintenance.Period()),
		},
		Traffic: api.Traffic{
			Requests: api.Requests{
				Outcomes: map[string]int64{}, Statuses: map[string]int64{}, NotModified: a.opts.Metrics.Statuses.Of(fasthttp.StatusNotModified), Rejected: a.opts.Metrics.Rejected.Load(),
				Inflated: a.opts.Metrics.Inflated.Load(), Panics: a.opts.Metrics.Panics.Load(), Open: conns.Open,
				Refusals: api.Refusals{Refused: conns.Refused, AdminRefused: a.gate.Refused(), ClientRefused: a.opts.Shares.Refused(), ClientLimits: a.opts.Shares.Limits()},
			},
			Routes: map[string]api.Route{}, Fronts: a.opts.Fronts.Report(),
		},
		Loading: a.loading(), Memory: a.processMemory(), Verify: a.verifyStats(),
	}
	for code, n := range a.opts.Metrics.Statuses.Read() {
		stats.Requests.Statuses[strconv.Itoa(code)] = n
	}
	cached := a.opts.Cache.Stats()
	stats.Cache = newCacheStats(cached)
	stats.Generation = api.Generation{
		ID: cached.Generation, Published: orNull(cached.Published), Confirmed: orNull(a.opts.Generations.Confirmed()),
		DownSince: orNull(cached.DownSince), StaleCount: cached.Stale, StaleSince: orNull(a.history.Stale(cached.Stale, time.Now())), StaleRoutes: map[string]api.Stale{},
		Warm: a.warmStatus(), Tables: []api.Table{},
	}
	for _, t := range a.opts.Generations.Tables() {
		stats.Generation.Tables = append(stats.Generation.Tables, api.Table{Name: t.Name, Recorded: t.Recorded, Changing: orNull(t.ChangingSince), Held: t.Held})
	}
	if cached.Stale > 0 {
		stats.Generation.StaleRoutes = a.staleRoutes()
	}
	var all metrics.Spread
	for _, r := range a.opts.Routes.Routes() {
		counted := a.opts.Metrics.Route(r.ID)
		now := counted.Read()
		all.Add(&now.Latency)
		route := api.Route{Outcomes: map[string]int64{}, Fills: newFills(counted.Fills.Stats()), Latency: newLatency(&now.Latency), Loads: newLoads(counted)}
		for o := range cache.Outcomes {
			n := now.Outcomes[o]
			route.Outcomes[o.String()] = n
			stats.Requests.Outcomes[o.String()] += n
		}
		stats.Routes[r.Path()] = route
	}
	stats.Requests.Outcomes[cache.Pass.String()] += a.opts.Metrics.Passed.Load()
	stats.Requests.HitRatio, stats.Requests.Latency = api.HitRatio(stats.Requests.Outcomes), newLatency(&all)
	stats.Legacy, stats.Sources = newLegacyStats(a.opts.Legacy), newSources(a.opts.Origins.Stats())
	stats.Site, stats.Hottest, stats.Events, stats.Slowest, stats.Fleet = a.siteStats(), a.hottest(), a.events(), a.opts.Slowest.Slowest(), a.opts.Fleet.Report(cached.Holds)
	if a.opts.Log != nil {
		stats.Requests.LogDropped = a.opts.Log.Dropped()
	}
	pool := a.opts.Store.Stats()
	stats.Pool = api.Pool{Limit: pool.Limit, Open: pool.Open, InUse: pool.InUse, Waits: pool.Waits, Refused: pool.Refused, WaitedMS: milliseconds(int64(pool.Waited))}
	return stats
}

func (a *Admin) siteStats() api.Site {
	if a.opts.Site == nil {
		return api.Site{}
	}
	kept := a.opts.Site.Stats()
	return api.Site{
		Requests: a.opts.Metrics.SiteRequests.Load(), Missing: a.opts.Metrics.SiteMissing.Load(), Files: kept.Files, Bytes: kept.Bytes,
		Preloads: preloads(a.opts.Preload),
	}
}

// preloads returns the hints of pages, the most visited page first.
func preloads(learned *preload.Learner) []api.Preload {
	all := []api.Preload{}
	for _, h := range learned.Hints() {
		all = append(all, api.Preload{Page: h.Page, List: h.List, Visits: h.Visits, Asked: h.Asked})
	}
	slices.SortFunc(all, func(a, b api.Preload) int {
		return cmp.Or(cmp.Compare(b.Visits, a.Visits), cmp.Compare(a.Page, b.Page))
	})
	return all
}

// events returns the latest events.
func (a *Admin) events() []api.Event {
	all := []api.Event{}
	for _, e := range a.opts.Events.All() {
		all = append(all, api.Event{At: e.At, Kind: string(e.Kind), Text: e.Text})
	}
	return all
}

// hottestKeys limits the most requested keys in the stats.
const hottestKeys = 20

func (a *Admin) hottest() []api.HotKey {
	hot := []api.HotKey{}
	for _, key := range a.opts.Cache.Popular(hottestKeys) {
		if sight := a.opts.Cache.Peek(&cache.Ref{Key: key}); sight.Entry != nil {
			hot = append(hot, api.HotKey{Key: key, Asked: sight.Asked, Where: sight.Where, Outcome: sight.Outcome.String()})
		}
	}
	return hot
}

// staleRoutes counts the stale entries of each route.
func (a *Admin) staleRoutes() map[string]api.Stale {
	stale := map[string]api.Stale{}
	a.opts.Cache.EachStale(func(e *cache.Entry) {
		if r := a.opts.Routes.Of(e.Key); r != nil {
			s := stale[r.Path()]
			s.Entries++
			if s.Oldest == nil || e.Filled.Before(*s.Oldest) {
				s.Oldest = &e.Filled
			}
			stale[r.Path()] = s
		}
	})
	return stale
}

func newLatency(s *metrics.Spread) api.Latency {
	return api.Latency{Count: s.Count(), P50MS: s.Percentile(0.5), P95MS: s.Percentile(0.95), P99MS: s.Percentile(0.99)}
}

// orNull makes the zero time null in JSON.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func newCacheStats(s cache.Stats) api.Cache {
	out := api.Cache{
		Shelves: map[string]api.Shelf{}, Lanes: map[string]api.Lane{},
		FillCounts: api.FillCounts{Fills: s.Fills, Failures: s.Failures, Refreshes: s.Refreshes, Panics: s.Panics,
			Filling: s.Filling, Waiting: s.Waiting, Abandoned: s.Abandoned},
	}
	for lane := range cache.Lanes {
		out.Lanes[lane.String()] = api.Lane(s.Lanes[lane])
	}
	for _, shelf := range s.Shelves {
		out.Bytes += shelf.Bytes
		out.Budget += shelf.Budget
		out.Entries += shelf.Entries
		out.Shelves[shelf.Name] = api.Shelf(shelf)
	}
	return out
}

func newLegacyStats(client *legacy.Client) *api.Legacy {
	if client == nil {
		return nil
	}
	s := client.Stats()
	out := &api.Legacy{
		Requests: s.Requests, Failures: s.Failures, Timeouts: s.Timeouts, Resent: s.Resent,
		Answered: s.Answered, InUse: s.InUse, Limit: s.Limit,
	}
	if s.Answered > 0 {
		out.MeanMS = milliseconds(int64(s.Latency) / s.Answered)
	}
	return out
}

func newFills(d metrics.DurationStats) api.Fills {
	s := api.Fills{Count: d.Count, Failed: d.Failed, MaxMS: milliseconds(int64(d.Longest)), LatestMS: milliseconds(int64(d.Latest))}
	if s.Count > 0 {
		s.MeanMS = milliseconds(int64(d.Total) / s.Count)
	}
	return s
}

func milliseconds(ns int64) float64 { return float64(ns) / 1e6 }

// maxLoads limits the fills in the stats.
const maxLoads = 50

// loading returns the fills that have not ended.
func (a *Admin) loading() []api.Load {
	all := []api.Load{}
	for _, l := range a.opts.Cache.Loading() {
		if len(all) == maxLoads {
			break
		}
		one := api.Load{
			Key: l.Key, Lane: l.Lane.String(), Table: l.Group, Client: clientName(l.Client), Request: l.Request,
			Phase: api.PhaseQueued, AgeMS: milliseconds(int64(l.Times.Total())), Waiting: l.Waiting,
			Step: l.Phase.String(), Phases: *trace.NewPhases(&l.Times),
		}
		if r := a.opts.Routes.Of(l.Key); r != nil {
			one.Route = r.Path()
		}
		if !l.Began.IsZero() {
			one.Phase = api.PhaseFilling
		}
		all = append(all, one)
	}
	return all
}

func (a *Admin) processMemory() api.Memory {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, requests := a.opts.Memory, a.opts.Requests.Stats()
	return api.Memory{RSS: process.Resident(), Used: a.memoryUsed(), Budget: a.opts.MemoryLimit.Bytes,
		Heap: int64(m.HeapAlloc), Limit: debug.SetMemoryLimit(-1),
		Files: files.Files(), FileBytes: files.Bytes(),
		Requests: requests.Used, RequestsLimit: requests.Limit, RequestsRefused: requests.Refused}
}
