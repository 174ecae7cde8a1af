package proxy

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
)

// forwarding are headers that a proxy adds: a request with one of them comes
// from somewhere else than the address it comes from.
var forwarding = []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Server", "X-Forwarded-Proto", "X-Real-Ip", "Forwarded", "Via"}

// serveAdmin answers what is below /cache. It returns false for other paths.
func (p *Proxy) serveAdmin(ctx *fasthttp.RequestCtx, path []byte) bool {
	rest, ok := bytes.CutPrefix(path, []byte("/cache"))
	if !ok || len(rest) > 0 && rest[0] != '/' {
		return false
	}
	switch {
	case !p.mayAdminister(ctx):
		p.fail(ctx, fasthttp.StatusForbidden, "Only this machine, or a request with the admin token, may see this page")
	case string(bytes.TrimSuffix(rest, []byte("/"))) != "/stats":
		p.fail(ctx, fasthttp.StatusNotFound, "Not Found")
	case !ctx.IsGet() && !ctx.IsHead():
		ctx.Response.Header.Set("Allow", "GET, HEAD")
		p.fail(ctx, fasthttp.StatusMethodNotAllowed, "Method Not Allowed")
	default:
		body, err := json.MarshalIndent(p.Stats(), "", "  ")
		if err != nil {
			panic(err) // plain numbers and strings
		}
		p.headers.send(ctx, fasthttp.StatusOK, append(body, '\n'))
	}
	return true
}

// mayAdminister reports whether a request comes from this machine, not by way
// of a proxy on it, or has the token.
func (p *Proxy) mayAdminister(ctx *fasthttp.RequestCtx) bool {
	if header := ctx.Request.Header.Peek(fasthttp.HeaderAuthorization); len(header) > 0 {
		token, ok := bytes.CutPrefix(header, []byte("Bearer "))
		return ok && p.opts.AdminToken != "" && subtle.ConstantTimeCompare(token, []byte(p.opts.AdminToken)) == 1
	}
	for _, name := range forwarding {
		if len(ctx.Request.Header.Peek(name)) > 0 {
			return false
		}
	}
	return ctx.RemoteIP().IsLoopback()
}

// Stats is what /cache/stats shows. Counts are since the start; times are in
// milliseconds, sizes in bytes.
type Stats struct {
	Version       string  `json:"version"`
	Go            string  `json:"go"`
	UptimeSeconds float64 `json:"uptime_seconds"`

	Requests requestStats          `json:"requests"`
	Routes   map[string]routeStats `json:"routes"`
	Cache    cacheStats            `json:"cache"`
	Pool     poolStats             `json:"pool"`
	Memory   memoryStats           `json:"memory"`
}

type requestStats struct {
	Outcomes    map[string]int64 `json:"outcomes"`
	HitRatio    float64          `json:"hit_ratio"` // of what went to the cache
	NotModified int64            `json:"not_modified"`
	Rejected    int64            `json:"rejected"` // 422
	Inflated    int64            `json:"inflated"` // sent without a coding, from a compressed body
	Panics      int64            `json:"panics"`
	Open        int64            `json:"open_connections"`
}

type routeStats struct {
	Outcomes map[string]int64 `json:"outcomes"`
	Fills    fillStats        `json:"fills"`
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
		Routes: map[string]routeStats{}, Cache: p.cacheStats(), Memory: processMemory(),
	}
	for _, r := range p.router.routes {
		route := routeStats{Outcomes: map[string]int64{}, Fills: r.figures.fill.stats()}
		for o := range cache.Outcomes {
			n := r.figures.outcomes[o].Load()
			route.Outcomes[o.String()] = n
			stats.Requests.Outcomes[o.String()] += n
		}
		stats.Routes[r.endpoint.Path] = route
	}
	stats.Requests.HitRatio = hitRatio(stats.Requests.Outcomes)
	pool := p.opts.Origin.Stats()
	stats.Pool = poolStats{pool.Limit, pool.Open, pool.InUse, pool.Waits, milliseconds(int64(pool.Waited))}
	return stats
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

func (p *Proxy) cacheStats() cacheStats {
	s := p.cache.Stats()
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
