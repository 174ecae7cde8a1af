// Package history keeps samples of the figures of the last 48 hours in three steps, the
// newest the finest, also from one run of the program to the next.
package history

import (
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
)

// SampleEvery is the interval of the finest samples.
const SampleEvery = 10 * time.Second

// The history's samples have room for each outcome.
var _ [cache.Outcomes]struct{} = [api.Outcomes]struct{}{}

// step is a part of the history: its interval and the most samples that it keeps.
type step struct {
	name  string
	every time.Duration
	kept  int
}

// steps are the parts of the history, the finest first. With all routes in use in every
// sample it takes 2 MB.
var steps = [...]step{
	{"1h", SampleEvery, 360},
	{"6h", time.Minute, 360},
	{"48h", 10 * time.Minute, 288},
}

// surplus is the number of samples over the limit of a step that are dropped together.
const surplus = 32

// Reading holds counters at one moment. Its routes are in the order of New's.
type Reading struct {
	Routes  []metrics.Reading
	Answers [api.Classes]int64
}

// Gauges holds figures of one moment.
type Gauges struct {
	RSS, Memory, CacheBytes, Stale, Waiting int64
	PoolInUse                               int
}

// History keeps samples. It is safe for concurrent use.
type History struct {
	routes []string // paths, in the order of Reading.Routes

	mu     sync.Mutex
	series [len(steps)]series
	// staleSince is the time of the first reading with stale entries after a reading
	// without; zero if there are none.
	staleSince time.Time
}

// series holds the samples of one step, the oldest first.
type series struct {
	points  []point
	at      time.Time // of the last sample
	reading Reading   // then
	peak    Gauges    // since then
}

// point is a sample with the spread of its requests' times, from which percentiles of
// several samples can be computed.
type point struct {
	api.Sample
	Spread [metrics.Bounds + 1]uint32 `json:"spread"`
}

// New returns an empty History of routes with these paths.
func New(routes []string) *History { return &History{routes: routes} }

// Glance notes figures between two samples: a sample has the highest of them.
func (h *History) Glance(g Gauges) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.glance(g)
}

func (h *History) glance(g Gauges) {
	for i := range h.series {
		p := &h.series[i].peak
		p.PoolInUse, p.Waiting = max(p.PoolInUse, g.PoolInUse), max(p.Waiting, g.Waiting)
	}
}

// Sample adds a sample to each step whose interval has passed. The first call only reads
// the counters.
func (h *History) Sample(now time.Time, r Reading, g Gauges) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.glance(g)
	h.noteStale(g.Stale, now)
	for i := range h.series {
		s, every := &h.series[i], steps[i].every
		if s.at.IsZero() {
			s.at, s.reading = now, r
			continue
		}
		// A ticker may be a little early.
		if i > 0 && now.Sub(s.at) < every-SampleEvery/2 {
			continue
		}
		s.add(h.routes, now, r, g)
		if n := len(s.points) - steps[i].kept; n >= surplus {
			s.points = append(s.points[:0], s.points[n:]...)
		}
	}
}

// add appends the sample of the time since the last sample.
func (s *series) add(routes []string, now time.Time, r Reading, g Gauges) {
	p := point{Sample: api.Sample{
		At: now.UnixMilli(), Seconds: now.Sub(s.at).Seconds(), Routes: []api.Flow{},
		PoolInUse: s.peak.PoolInUse, Waiting: s.peak.Waiting,
		RSS: g.RSS, Memory: g.Memory, CacheBytes: g.CacheBytes, Stale: g.Stale,
	}}
	var total metrics.Reading
	for i := range r.Routes {
		d := r.Routes[i].Since(&s.reading.Routes[i])
		if f := newFlow(&d); f != (api.Flow{}) {
			f.Route = routes[i]
			p.Routes = append(p.Routes, f)
			total.Add(&d)
		}
	}
	p.All = newFlow(&total)
	for i, n := range total.Latency {
		p.Spread[i] = uint32(n)
	}
	for class, n := range r.Answers {
		p.Answers[class] = uint32(n - s.reading.Answers[class])
	}
	// After the clock was set back, samples of later times are removed.
	for len(s.points) > 0 && s.points[len(s.points)-1].At >= p.At {
		s.points = s.points[:len(s.points)-1]
	}
	s.points = append(s.points, p)
	s.at, s.reading, s.peak = now, r, Gauges{}
}

func newFlow(r *metrics.Reading) (f api.Flow) {
	for o, n := range r.Outcomes {
		f.Outcomes[o] = uint32(n)
	}
	l := &r.Latency
	f.P50, f.P95, f.P99 = float32(l.Percentile(0.5)), float32(l.Percentile(0.95)), float32(l.Percentile(0.99))
	f.Fills = uint32(r.Fills)
	if r.Fills > 0 {
		f.FillMS = float32(r.FillTime.Seconds() * 1000 / float64(r.Fills))
	}
	return f
}

// Stale returns the time from which the cache has had stale entries, of which it has n
// now; the zero time if it has none.
func (h *History) Stale(n int64, now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noteStale(n, now)
	return h.staleSince
}

func (h *History) noteStale(n int64, now time.Time) {
	switch {
	case n == 0:
		h.staleSince = time.Time{}
	case h.staleSince.IsZero():
		h.staleSince = now
	}
}

// Last returns when the newest sample was taken; the zero time without samples.
func (h *History) Last() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if points := h.newest(0); len(points) > 0 {
		return time.UnixMilli(points[len(points)-1].At)
	}
	return time.Time{}
}

// newest returns the samples of a step.
func (h *History) newest(i int) []point {
	all := h.series[i].points
	return all[max(0, len(all)-steps[i].kept):]
}

// Ranges returns the names of the ranges, the shortest first.
func Ranges() (names []string) {
	for _, s := range steps {
		names = append(names, s.name)
	}
	return names
}

// Between returns the samples of a range that were taken after a moment in Unix
// milliseconds, the oldest first: the samples of the range's own step, and after the last
// of them the samples of finer steps. It returns nil for an unknown range.
func (h *History) Between(name string, after int64) *api.History {
	of := -1
	for i, s := range steps {
		if s.name == name {
			of = i
		}
	}
	if of < 0 {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	past := &api.History{
		Range: name, Ranges: Ranges(), EverySeconds: steps[of].every.Seconds(), Kept: steps[of].kept,
		Samples: []api.Sample{},
	}
	for _, p := range h.merged(of, after) {
		past.Samples = append(past.Samples, p.Sample)
	}
	for o := range cache.Outcomes {
		past.Outcomes = append(past.Outcomes, o.String())
	}
	return past
}

// merged returns the samples of a step that were taken after a moment in Unix
// milliseconds, and after the last of them the samples of finer steps.
func (h *History) merged(of int, after int64) (points []point) {
	for ; of >= 0; of-- {
		for _, p := range h.newest(of) {
			if p.At > after {
				points = append(points, p)
				after = p.At
			}
		}
	}
	return points
}
