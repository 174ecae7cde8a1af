package proxy

import (
	"context"
	"encoding/json"
	"math"
	"math/bits"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// Bounds of the latency histogram: two a factor of two, from 2^firstBit to
// 2^lastBit nanoseconds (1 µs to 34 s), and one bucket for what took longer.
const (
	firstBit, lastBit = 10, 35
	latencyBounds     = 2*(lastBit-firstBit) + 1
)

// latencyBound is the longest duration that each bucket but the last counts, in
// nanoseconds.
var latencyBound = func() (bounds [latencyBounds]int64) {
	for i := range bounds {
		bounds[i] = 1 << (firstBit + i/2)
		if i%2 == 1 {
			bounds[i] = int64(float64(bounds[i]) * math.Sqrt2)
		}
	}
	return bounds
}()

// latencies counts how long requests took. It is safe for concurrent use.
type latencies struct {
	counts [latencyBounds + 1]atomic.Int64
	total  atomic.Int64 // nanoseconds
}

// spread are the counts of a latencies, at one moment or between two.
type spread [latencyBounds + 1]int64

func (l *latencies) record(took time.Duration) {
	l.counts[latencyBucket(int64(took))].Add(1)
	l.total.Add(int64(took))
}

func latencyBucket(ns int64) int {
	if ns <= latencyBound[0] {
		return 0
	}
	i := 2 * (bits.Len64(uint64(ns-1)) - firstBit)
	if i-1 < latencyBounds && ns <= latencyBound[i-1] {
		i--
	}
	return min(i, latencyBounds)
}

func (l *latencies) read() (s spread) {
	for i := range l.counts {
		s[i] = l.counts[i].Load()
	}
	return s
}

// since takes off what was counted earlier.
func (s *spread) since(earlier *spread) (d spread) {
	for i := range s {
		d[i] = s[i] - earlier[i]
	}
	return d
}

func (s *spread) add(o *spread) {
	for i := range s {
		s[i] += o[i]
	}
}

func (s *spread) count() (n int64) {
	for _, c := range s {
		n += c
	}
	return n
}

// percentile returns the time in milliseconds within which the share of the
// requests was answered, guessed from its bucket's bounds; zero if there were
// none.
func (s *spread) percentile(share float64) float64 {
	wanted := share * float64(s.count())
	if wanted == 0 {
		return 0
	}
	var lower int64
	for i, bound := range latencyBound {
		n := float64(s[i])
		if n > 0 && wanted <= n {
			return milliseconds(lower) + wanted/n*milliseconds(bound-lower)
		}
		wanted -= n
		lower = bound
	}
	return milliseconds(lower)
}

const (
	// sampleEvery and samplesKept make the history an hour long. With all
	// routes in use in every sample it takes 0.8 MB; it never takes more.
	sampleEvery = 10 * time.Second
	samplesKept = 360
	// glanceEvery is how often the pool is looked at: it is rarely in use at
	// the moment a sample is taken.
	glanceEvery = time.Second
)

// The history's samples have room for each outcome.
var _ [cache.Outcomes]struct{} = [api.Outcomes]struct{}{}

// reading are the counters that a sample is the difference of.
type reading struct {
	outcomes         [cache.Outcomes]int64
	latency          spread
	fills, fillNanos int64
}

// history keeps samples of the last hour. It is safe for concurrent use.
type history struct {
	mu       sync.Mutex
	ring     [samplesKept]api.Sample
	taken    int // so many were written to the ring, one after the other
	at       time.Time
	readings []reading // of each route, when the last sample was taken
	peak     int       // of the pool, since then
	// staleSince is when a look at the cache first saw stale entries after one
	// that saw none; the zero time if there are none.
	staleSince time.Time
}

// record takes samples until ctx ends.
func (p *Proxy) record(ctx context.Context) {
	p.sample(time.Now()) // what came before is no part of the history
	tick := time.NewTicker(glanceEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			p.history.glance(p.opts.Origin.Stats().InUse)
			if n%int(sampleEvery/glanceEvery) == 0 {
				p.sample(now)
			}
		}
	}
}

func (h *history) glance(inUse int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peak = max(h.peak, inUse)
}

// sample adds a sample to the history; the first time it only remembers where
// the counters are.
func (p *Proxy) sample(now time.Time) {
	cached := p.cache.Stats()
	s := api.Sample{At: now.UnixMilli(), RSS: residentBytes(), Stale: cached.Stale}
	for _, shelf := range cached.Shelves {
		s.CacheBytes += shelf.Bytes
	}
	h := &p.history
	h.mu.Lock()
	defer h.mu.Unlock()
	s.PoolInUse = max(h.peak, p.opts.Origin.Stats().InUse)
	first := h.readings == nil
	if first {
		h.readings = make([]reading, len(p.router.Routes()))
	}
	s.Seconds = now.Sub(h.at).Seconds()
	s.All, s.Routes = h.advance(p.router.Routes(), p.figures)
	h.noteStale(s.Stale, now)
	h.at, h.peak = now, 0
	if !first {
		h.ring[h.taken%samplesKept] = s
		h.taken++
	}
}

// advance reads the routes' counters and returns what was added to them.
func (h *history) advance(routes []*route.Route, figures []figures) (all api.Flow, each []api.Flow) {
	var total reading
	for i, r := range routes {
		now := figures[r.ID].read()
		d := now.since(&h.readings[i])
		h.readings[i] = now
		if f := d.flow(); f != (api.Flow{}) {
			f.Route = r.Path()
			each = append(each, f)
			total.add(&d)
		}
	}
	return total.flow(), each
}

func (f *figures) read() (r reading) {
	for o := range r.outcomes {
		r.outcomes[o] = f.outcomes[o].Load()
	}
	r.latency = f.latency.read()
	r.fills, r.fillNanos = f.fill.count.Load(), f.fill.total.Load()
	return r
}

func (r *reading) since(earlier *reading) (d reading) {
	for o := range r.outcomes {
		d.outcomes[o] = r.outcomes[o] - earlier.outcomes[o]
	}
	d.latency = r.latency.since(&earlier.latency)
	d.fills, d.fillNanos = r.fills-earlier.fills, r.fillNanos-earlier.fillNanos
	return d
}

func (r *reading) add(o *reading) {
	for i := range r.outcomes {
		r.outcomes[i] += o.outcomes[i]
	}
	r.latency.add(&o.latency)
	r.fills += o.fills
	r.fillNanos += o.fillNanos
}

func (r *reading) flow() (f api.Flow) {
	for o, n := range r.outcomes {
		f.Outcomes[o] = uint32(n)
	}
	f.P50, f.P95, f.P99 = float32(r.latency.percentile(0.5)), float32(r.latency.percentile(0.95)), float32(r.latency.percentile(0.99))
	f.Fills = uint32(r.fills)
	if r.fills > 0 {
		f.FillMS = float32(milliseconds(r.fillNanos / r.fills))
	}
	return f
}

// after returns the samples that were taken after a moment in Unix
// milliseconds, the oldest first.
func (h *history) after(at int64) []api.Sample {
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

// stale returns since when the cache, which has n stale entries now, has had
// some; the zero time if it has none.
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

// serveHistory answers with the samples of the last hour, or those after the
// moment in the parameter after.
func (p *Proxy) serveHistory(ctx *fasthttp.RequestCtx) {
	after, _ := strconv.ParseInt(string(ctx.QueryArgs().Peek("after")), 10, 64)
	past := api.History{
		Now: time.Now().UnixMilli(), EverySeconds: sampleEvery.Seconds(), Kept: samplesKept, Samples: p.history.after(after),
	}
	for o := range cache.Outcomes {
		past.Outcomes = append(past.Outcomes, o.String())
	}
	body, err := json.Marshal(past)
	if err != nil {
		panic(err) // plain numbers and strings
	}
	p.headers.send(ctx, fasthttp.StatusOK, body)
}
