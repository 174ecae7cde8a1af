package admin

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/process"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

const (
	// sampleEvery and samplesKept make the history an hour long. It takes at most
	// 0.8 MB: with all routes in use in every sample.
	sampleEvery = 10 * time.Second
	samplesKept = 360
	// glanceEvery is the interval at which the pool is read: it is rarely in use at
	// the moment of a sample.
	glanceEvery = time.Second
)

// The history's samples have room for each outcome.
var _ [cache.Outcomes]struct{} = [api.Outcomes]struct{}{}

// history keeps samples of the last hour. It is safe for concurrent use.
type history struct {
	mu       sync.Mutex
	ring     [samplesKept]api.Sample
	taken    int // number of samples written to the ring
	at       time.Time
	readings []metrics.Reading // of each route, when the last sample was taken
	peak     int               // of the pool, since then
	// staleSince is the time of the first of the latest consecutive readings that found
	// stale entries; zero if the last reading found none.
	staleSince time.Time
}

// Run records the history until ctx ends.
func (a *Admin) Run(ctx context.Context) {
	a.Sample(time.Now()) // counts from before are not part of the history
	tick := time.NewTicker(glanceEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			a.Glance(a.opts.Store.Stats().InUse)
			if n%int(sampleEvery/glanceEvery) == 0 {
				a.Sample(now)
			}
		}
	}
}

// Glance notes how many connections to the database are in use: the next sample has
// the highest number.
func (a *Admin) Glance(inUse int) {
	h := &a.history
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peak = max(h.peak, inUse)
}

// Sample adds a sample to the history. The first call only reads the counters.
func (a *Admin) Sample(now time.Time) {
	cached := a.opts.Cache.Stats()
	s := api.Sample{At: now.UnixMilli(), RSS: process.Resident(), Stale: cached.Stale}
	for _, shelf := range cached.Shelves {
		s.CacheBytes += shelf.Bytes
	}
	h := &a.history
	h.mu.Lock()
	defer h.mu.Unlock()
	s.PoolInUse = max(h.peak, a.opts.Store.Stats().InUse)
	first := h.readings == nil
	if first {
		h.readings = make([]metrics.Reading, len(a.opts.Routes.Routes()))
	}
	s.Seconds = now.Sub(h.at).Seconds()
	s.All, s.Routes = h.advance(a.opts.Routes.Routes(), a.opts.Metrics)
	h.noteStale(s.Stale, now)
	h.at, h.peak = now, 0
	if !first {
		h.ring[h.taken%samplesKept] = s
		h.taken++
	}
}

// advance reads the routes' counters and returns their increase.
func (h *history) advance(routes []*route.Route, counted *metrics.Metrics) (all api.Flow, each []api.Flow) {
	var total metrics.Reading
	for i, r := range routes {
		now := counted.Route(r.ID).Read()
		d := now.Since(&h.readings[i])
		h.readings[i] = now
		if f := newFlow(&d); f != (api.Flow{}) {
			f.Route = r.Path()
			each = append(each, f)
			total.Add(&d)
		}
	}
	return newFlow(&total), each
}

func newFlow(r *metrics.Reading) (f api.Flow) {
	for o, n := range r.Outcomes {
		f.Outcomes[o] = uint32(n)
	}
	l := &r.Latency
	f.P50, f.P95, f.P99 = float32(l.Percentile(0.5)), float32(l.Percentile(0.95)), float32(l.Percentile(0.99))
	f.Fills = uint32(r.Fills)
	if r.Fills > 0 {
		f.FillMS = float32(milliseconds(int64(r.FillTime) / r.Fills))
	}
	return f
}

// History returns the samples that were taken after a moment in Unix milliseconds,
// the oldest first.
func (a *Admin) History(at int64) []api.Sample {
	h := &a.history
	h.mu.Lock()
	defer h.mu.Unlock()
	samples := []api.Sample{}
	for i := max(0, h.taken-samplesKept); i < h.taken; i++ {
		if s := h.ring[i%samplesKept]; s.At > at {
			samples = append(samples, s)
		}
	}
	return samples
}

// stale returns since when the cache has had stale entries, of which it has n now; the
// zero time if it has none.
func (h *history) stale(n int64, now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noteStale(n, now)
	return h.staleSince
}

func (h *history) noteStale(n int64, now time.Time) {
	switch {
	case n == 0:
		h.staleSince = time.Time{}
	case h.staleSince.IsZero():
		h.staleSince = now
	}
}

// serveHistory answers with the samples of the last hour, or with the samples after the
// moment in the parameter after.
func (a *Admin) serveHistory(ctx *fasthttp.RequestCtx) {
	after, _ := strconv.ParseInt(string(ctx.QueryArgs().Peek("after")), 10, 64)
	past := api.History{
		Now: time.Now().UnixMilli(), EverySeconds: sampleEvery.Seconds(), Kept: samplesKept, Samples: a.History(after),
	}
	for o := range cache.Outcomes {
		past.Outcomes = append(past.Outcomes, o.String())
	}
	body, err := json.Marshal(past)
	if err != nil {
		panic(err) // plain numbers and strings
	}
	reply.Send(ctx, fasthttp.StatusOK, body)
}
