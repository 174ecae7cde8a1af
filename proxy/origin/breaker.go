package origin

import (
	"fmt"
	"sync"
	"time"
)

const (
	// A breaker judges the loads of the last windowSpans times windowSpan.
	windowSpan  = 10 * time.Second
	windowSpans = 6
	// minLoads in a window, and minPast loads of a route, are needed to judge.
	minLoads = 20
	minPast  = 10
	// slowFloor is the time that loads must always exceed to be slow: the old API's
	// average. Source: its migration plan.
	slowFloor = 150 * time.Millisecond
	// holdFor is the least time between two switches, except for an outage.
	holdFor = 10 * time.Second
	// probeEvery is the interval of probes while a breaker is open, and goodProbes
	// the number of successful probes in a row that close it.
	probeEvery = 5 * time.Second
	goodProbes = 3
	// longRun is about the number of loads of a route whose mean is its usual
	// time. A load counts for at most outlier times the usual time in it.
	longRun = 200
	outlier = 2
)

// limits are the share of a source's loads that may fail, and the multiple of the
// usual time that they may take, before its breaker opens; a slowdown of zero sets
// no limit.
type limits struct{ errors, slowdown float64 }

// breaker is a circuit breaker of a source. It opens when loads exceed the limits,
// and closes after successful probes. It is safe for concurrent use.
type breaker struct {
	name   string // of the source, in messages
	limits limits
	// switched is called at each switch. It must not use the breaker.
	switched func(open bool, reason string)

	mu       sync.Mutex
	window   [windowSpans]span
	usual    map[string]*pastLoads // by route
	open     bool
	since    time.Time // the last switch; zero for never
	reason   string    // of the last switch
	switches int64
	good     int       // successful probes in a row
	probe    time.Time // when the next is due
}

func newBreaker(name string, l limits, switched func(open bool, reason string)) *breaker {
	return &breaker{name: name, limits: l, switched: switched, usual: map[string]*pastLoads{}}
}

// span sums up the loads of a part of the window.
type span struct {
	number              int64 // since 1970
	loads, failed       int64
	took                time.Duration // by the successful loads
	known               int64         // successful loads of routes with a usual time
	knownTook, expected time.Duration // the time that these took, and usually take
}

// pastLoads is the usual time of a route's loads.
type pastLoads struct {
	count int64
	mean  time.Duration
}

// result is the result of one load.
type result struct {
	route  string
	at     time.Time // when it ended
	took   time.Duration
	failed bool
	own    bool // the failure concerns this request alone: the source is healthy
	probe  bool
}

// record notes the result of a load. A failure that concerns its request alone does not
// count, except that such a probe has succeeded: the source answers.
func (b *breaker) record(r result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.own && !(b.open && r.probe) {
		return
	}
	r.failed = r.failed && !r.own
	past := b.usual[r.route]
	if past == nil {
		past = &pastLoads{}
		b.usual[r.route] = past
	}
	b.spanOf(r.at).add(r, past)
	if b.open && r.probe {
		b.probed(r, past)
	}
	if !b.open && !r.failed && !r.own {
		past.learn(r.took)
	}
}

// spanOf returns the part of the window that a moment belongs to.
func (b *breaker) spanOf(at time.Time) *span {
	number := at.UnixNano() / int64(windowSpan)
	s := &b.window[number%windowSpans]
	if s.number != number {
		*s = span{number: number}
	}
	return s
}

func (s *span) add(r result, past *pastLoads) {
	s.loads++
	if r.failed {
		s.failed++
		return
	}
	s.took += r.took
	if past.count >= minPast {
		s.known++
		s.knownTook += r.took
		s.expected += past.mean
	}
}

// learn adds a load to the usual time. A load that is much slower than usual moves
// it little, so that slow loads do not soon become usual.
func (p *pastLoads) learn(took time.Duration) {
	p.count = min(p.count+1, longRun)
	if p.count > minPast {
		took = min(took, outlier*p.mean)
	}
	p.mean += (took - p.mean) / time.Duration(p.count)
}

// probed counts a probe, and closes the breaker after enough successful probes.
func (b *breaker) probed(r result, past *pastLoads) {
	slow := b.limits.slowdown > 0 && r.took > slowFloor && past.count >= minPast &&
		float64(r.took) > b.limits.slowdown*float64(past.mean)
	if r.failed || slow {
		b.good = 0
		return
	}
	if b.good++; b.good >= goodProbes && r.at.Sub(b.since) >= holdFor {
		b.turn(r.at, false, fmt.Sprintf("%d probes in a row succeeded", b.good))
	}
}

// turn opens or closes the breaker. The caller holds b.mu.
func (b *breaker) turn(now time.Time, open bool, reason string) {
	b.window = [windowSpans]span{}
	b.open, b.since, b.reason, b.good = open, now, reason, 0
	b.probe = now.Add(probeEvery)
	b.switches++
	b.switched(open, reason)
}

// recent sums up the window. The caller holds b.mu.
func (b *breaker) recent(now time.Time) (sum span) {
	number := now.UnixNano() / int64(windowSpan)
	for _, s := range b.window {
		if s.number > number-windowSpans {
			sum.loads, sum.failed, sum.took = sum.loads+s.loads, sum.failed+s.failed, sum.took+s.took
			sum.known, sum.knownTook, sum.expected = sum.known+s.known, sum.knownTook+s.knownTook, sum.expected+s.expected
		}
	}
	return sum
}

// judge opens the breaker if the loads in the window exceed the limits.
func (b *breaker) judge(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open || now.Sub(b.since) < holdFor {
		return
	}
	if reason := b.exceeded(b.recent(now)); reason != "" {
		b.turn(now, true, reason)
	}
}

// exceeded returns the limit that loads exceed, in words; empty for none.
func (b *breaker) exceeded(s span) string {
	const window = windowSpan * windowSpans / time.Second
	if failed := float64(s.failed); s.loads >= minLoads && failed > b.limits.errors*float64(s.loads) {
		return fmt.Sprintf("%s fails, %d of %d loads in %d s (%.3g %%) over %.3g %%",
			b.name, s.failed, s.loads, window, 100*failed/float64(s.loads), 100*b.limits.errors)
	}
	if b.limits.slowdown == 0 || s.known < minLoads {
		return ""
	}
	mean, times := s.knownTook/time.Duration(s.known), float64(s.knownTook)/float64(max(1, s.expected))
	if mean > slowFloor && times > b.limits.slowdown {
		return fmt.Sprintf("%s is slow, %d ms a load in %d s (%.3g times as long as usual) over %.3g times",
			b.name, mean/time.Millisecond, window, times, b.limits.slowdown)
	}
	return ""
}

// trip opens the breaker immediately.
func (b *breaker) trip(now time.Time, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		b.turn(now, true, reason)
	}
	b.good = 0
}

// reset closes the breaker without a probe.
func (b *breaker) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open, b.since, b.reason, b.good = false, time.Time{}, "", 0
}

// allow reports whether a load may proceed and whether it is a probe: each call
// that returns true for an open breaker is a probe.
func (b *breaker) allow(now time.Time) (allowed, probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return true, false
	case now.Before(b.probe):
		return false, false
	}
	b.probe = now.Add(probeEvery)
	return true, true
}

// usable reports whether allow would allow a load, and begins no probe.
func (b *breaker) usable(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.open || !now.Before(b.probe)
}

// BreakerStats describes a breaker. Loads, Failed and Mean are of the last minute,
// or since the last switch if that is more recent.
type BreakerStats struct {
	Open          bool
	Since         time.Time // the last switch; zero for never
	Reason        string
	Switches      int64
	Loads, Failed int64
	Mean          time.Duration // of the successful loads
}

func (b *breaker) stats(now time.Time) BreakerStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	recent := b.recent(now)
	s := BreakerStats{Open: b.open, Since: b.since, Reason: b.reason, Switches: b.switches, Loads: recent.loads, Failed: recent.failed}
	if ok := recent.loads - recent.failed; ok > 0 {
		s.Mean = recent.took / time.Duration(ok)
	}
	return s
}
