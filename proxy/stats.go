package proxy

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
)

// Stats is what /cache/stats shows. Counts are since the start; times are in
// milliseconds, sizes in bytes.
type Stats struct {
	Version       string  `json:"version"`
	Go            string  `json:"go"`
	UptimeSeconds float64 `json:"uptime_seconds"`

	// Maintenance is null while maintenance mode is off.
	Maintenance *maintenanceStats `json:"maintenance"`

	Generation generationStats       `json:"generation"`
	Requests   requestStats          `json:"requests"`
	Routes     map[string]routeStats `json:"routes"`
	Sources    sourcesStats          `json:"sources"`
	Cache      cacheStats            `json:"cache"`
	Site       siteStats             `json:"site"`
	Pool       poolStats             `json:"pool"`
	Legacy     *legacyStats          `json:"legacy"` // null without one
	Memory     memoryStats           `json:"memory"`
	Verify     verifyStats           `json:"verify"`
	Hottest    []hotKey              `json:"hottest"` // the keys asked for most
}

type generationStats struct {
	ID          string                `json:"id"` // of the one that is published
	Published   *time.Time            `json:"published_at"`
	Confirmed   *time.Time            `json:"confirmed_at"` // when it was last known to be the database's
	DownSince   *time.Time            `json:"down_since"`   // null while the database answers
	StaleCount  int64                 `json:"stale_entries"`
	StaleSince  *time.Time            `json:"stale_since"` // to 10 s; null while there are none
	StaleRoutes map[string]staleStats `json:"stale_routes"`
	Warm        WarmStatus            `json:"warm"`
}

// staleStats are what is stale of one route.
type staleStats struct {
	Entries int64      `json:"entries"`
	Oldest  *time.Time `json:"oldest_filled_at"`
}

type requestStats struct {
	Outcomes    map[string]int64 `json:"outcomes"`
	HitRatio    float64          `json:"hit_ratio"` // of what went to the cache
	NotModified int64            `json:"not_modified"`
	Rejected    int64            `json:"rejected"` // 422
	Inflated    int64            `json:"inflated"` // sent without a coding, from a compressed body
	Panics      int64            `json:"panics"`
	Open        int64            `json:"open_connections"`
	Latency     latencyStats     `json:"latency"`
}

type routeStats struct {
	Outcomes map[string]int64 `json:"outcomes"`
	Fills    fillStats        `json:"fills"`
	Latency  latencyStats     `json:"latency"`
	// Loads are the fills by the source that was asked, which may be both for
	// one fill.
	Loads map[string]loadStats `json:"loads"`
}

// latencyStats are percentiles of the time from a request to its answer.
type latencyStats struct {
	Count int64   `json:"count"`
	P50MS float64 `json:"p50_ms"`
	P95MS float64 `json:"p95_ms"`
	P99MS float64 `json:"p99_ms"`
}

// siteStats are zero without a site.
type siteStats struct {
	Requests int64 `json:"requests"`
	Missing  int64 `json:"missing"` // 404
	Files    int64 `json:"files"`   // that were asked for and are known
	Bytes    int64 `json:"bytes"`   // of memory that they take, in all their forms
}

// hotKey is a key that is asked for often.
type hotKey struct {
	Key     string `json:"key"`
	Asked   uint32 `json:"asked"`   // halves with each refresh
	Where   string `json:"where"`   // warm, or the name of a shelf
	Outcome string `json:"outcome"` // of a request for it now
}

type fillStats struct {
	Count    int64   `json:"count"`
	Failed   int64   `json:"failed"`
	MeanMS   float64 `json:"mean_ms"`
	MaxMS    float64 `json:"max_ms"`
	LatestMS float64 `json:"latest_ms"`
}

type cacheStats struct {
	Bytes     int64                 `json:"bytes"`
	Budget    int64                 `json:"budget"`
	Entries   int64                 `json:"entries"`
	Shelves   map[string]shelfStats `json:"shelves"`
	Fills     int64                 `json:"fills"`
	Failures  int64                 `json:"fill_failures"`
	Refreshes int64                 `json:"refreshes"`
	Panics    int64                 `json:"fill_panics"`
	Filling   int64                 `json:"filling"`
	Waiting   int64                 `json:"waiting"`
}

type shelfStats struct {
	Name     string `json:"-"`
	Budget   int64  `json:"budget"`
	Bytes    int64  `json:"bytes"`
	Entries  int64  `json:"entries"`
	Evicted  int64  `json:"evicted"`
	Rejected int64  `json:"rejected"`
	TooLarge int64  `json:"too_large"`
	Dropped  int64  `json:"dropped"`
}

type poolStats struct {
	Limit    int     `json:"limit"`
	Open     int     `json:"open"`
	InUse    int     `json:"in_use"`
	Waits    int64   `json:"waits"`
	WaitedMS float64 `json:"waited_ms"`
}

// legacyStats are of the connections to the old API.
type legacyStats struct {
	Requests int64   `json:"requests"`
	Failures int64   `json:"failures"` // without an answer that could be used
	Timeouts int64   `json:"timeouts"` // those of them that took too long
	Resent   int64   `json:"resent"`   // sent once more over a new connection
	Answered int64   `json:"answered"`
	MeanMS   float64 `json:"mean_ms"` // of those answered
	InUse    int     `json:"in_use"`
	Limit    int     `json:"limit"`
}

type memoryStats struct {
	RSS   int64 `json:"rss"`
	Heap  int64 `json:"heap"`
	Limit int64 `json:"limit"` // of the Go runtime
}

// Stats returns the figures of this moment.
func (p *Proxy) Stats() Stats {
	stats := Stats{
		Version: p.opts.Version, Go: runtime.Version(), UptimeSeconds: time.Since(p.started).Seconds(),
		Requests: requestStats{
			Outcomes: map[string]int64{}, NotModified: p.counts.notModified.Load(), Rejected: p.counts.rejected.Load(),
			Inflated: p.counts.inflated.Load(), Panics: p.counts.panics.Load(), Open: int64(p.server.GetOpenConnectionsCount()),
		},
		Routes: map[string]routeStats{}, Memory: processMemory(), Maintenance: newMaintenanceStats(p.maintenance.Period()), Verify: p.verifyStats(),
	}
	cached := p.cache.Stats()
	stats.Cache = newCacheStats(cached)
	stats.Generation = generationStats{
		ID: cached.Generation, Published: orNull(cached.Published), Confirmed: orNull(cached.Confirmed),
		DownSince: orNull(cached.DownSince), StaleCount: cached.Stale, StaleSince: orNull(p.history.stale(cached.Stale, time.Now())), StaleRoutes: map[string]staleStats{},
		Warm: p.WarmStatus(),
	}
	if cached.Stale > 0 {
		stats.Generation.StaleRoutes = p.staleRoutes()
	}
	var all spread
	for _, r := range p.router.routes {
		latency := r.figures.latency.read()
		all.add(&latency)
		route := routeStats{Outcomes: map[string]int64{}, Fills: r.figures.fill.stats(), Latency: latency.stats(), Loads: r.figures.loadStats()}
		for o := range cache.Outcomes {
			n := r.figures.outcomes[o].Load()
			route.Outcomes[o.String()] = n
			stats.Requests.Outcomes[o.String()] += n
		}
		stats.Routes[r.endpoint.Path] = route
	}
	stats.Requests.Outcomes[cache.Pass.String()] += p.counts.passed.Load()
	stats.Legacy = newLegacyStats(p.opts.Legacy)
	stats.Requests.HitRatio, stats.Requests.Latency = hitRatio(stats.Requests.Outcomes), all.stats()
	stats.Sources = p.sourcesStats()
	stats.Site, stats.Hottest = p.siteStats(), p.hottest()
	pool := p.opts.Origin.Stats()
	stats.Pool = poolStats{pool.Limit, pool.Open, pool.InUse, pool.Waits, milliseconds(int64(pool.Waited))}
	return stats
}

func (p *Proxy) siteStats() siteStats {
	if p.opts.Site == nil {
		return siteStats{}
	}
	kept := p.opts.Site.Stats()
	return siteStats{p.counts.siteRequests.Load(), p.counts.siteMissing.Load(), kept.Files, kept.Bytes}
}

// hottestKeys is how many of the keys asked for most are shown.
const hottestKeys = 20

func (p *Proxy) hottest() []hotKey {
	hot := []hotKey{}
	for _, key := range p.cache.Popular(hottestKeys) {
		if sight := p.cache.Peek(key); sight.Entry != nil {
			hot = append(hot, hotKey{key, sight.Asked, sight.Where, sight.Outcome.String()})
		}
	}
	return hot
}

// staleRoutes counts the stale entries of each route.
func (p *Proxy) staleRoutes() map[string]staleStats {
	stale := map[string]staleStats{}
	p.cache.EachStale(func(e *cache.Entry) {
		if r, _, err := p.router.question(e.Key); err == nil {
			s := stale[r.endpoint.Path]
			s.Entries++
			if s.Oldest == nil || e.Filled.Before(*s.Oldest) {
				s.Oldest = &e.Filled
			}
			stale[r.endpoint.Path] = s
		}
	})
	return stale
}

func (s *spread) stats() latencyStats {
	return latencyStats{s.count(), s.percentile(0.5), s.percentile(0.95), s.percentile(0.99)}
}

// hitRatio is the share of answers that no fill was needed for.
func hitRatio(outcomes map[string]int64) float64 {
	hits := outcomes[cache.Hit.String()] + outcomes[cache.Stale.String()] + outcomes[cache.StaleError.String()]
	all := hits + outcomes[cache.Miss.String()] + outcomes[cache.Coalesced.String()] + outcomes[cache.Error.String()]
	if all == 0 {
		return 0
	}
	return float64(hits) / float64(all)
}

// orNull makes the zero time null in JSON.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func newCacheStats(s cache.Stats) cacheStats {
	out := cacheStats{
		Shelves: map[string]shelfStats{}, Fills: s.Fills, Failures: s.Failures, Refreshes: s.Refreshes,
		Panics: s.Panics, Filling: s.Filling, Waiting: s.Waiting,
	}
	for _, shelf := range s.Shelves {
		out.Bytes += shelf.Bytes
		out.Budget += shelf.Budget
		out.Entries += shelf.Entries
		out.Shelves[shelf.Name] = shelfStats(shelf)
	}
	return out
}

func newLegacyStats(client *legacy.Client) *legacyStats {
	if client == nil {
		return nil
	}
	s := client.Stats()
	out := &legacyStats{
		Requests: s.Requests, Failures: s.Failures, Timeouts: s.Timeouts, Resent: s.Resent,
		Answered: s.Answered, InUse: s.InUse, Limit: s.Limit,
	}
	if s.Answered > 0 {
		out.MeanMS = milliseconds(int64(s.Latency) / s.Answered)
	}
	return out
}

func (d *durations) stats() fillStats {
	s := fillStats{
		Count: d.count.Load(), Failed: d.failed.Load(),
		MaxMS: milliseconds(d.longest.Load()), LatestMS: milliseconds(d.latest.Load()),
	}
	if s.Count > 0 {
		s.MeanMS = milliseconds(d.total.Load() / s.Count)
	}
	return s
}

func milliseconds(ns int64) float64 { return float64(ns) / 1e6 }

func processMemory() memoryStats {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memoryStats{RSS: residentBytes(), Heap: int64(m.HeapAlloc), Limit: debug.SetMemoryLimit(-1)}
}

// residentBytes is the process's memory as the kernel counts it; zero where
// there is no /proc.
func residentBytes() int64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
