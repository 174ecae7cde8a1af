package proxy

import (
	"fmt"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const (
	// A breaker judges the loads of the last windowSpans times windowSpan.
	windowSpan  = 10 * time.Second
	windowSpans = 6
	// fewestLoads in a window tell something, and so do fewestPast of a route.
	fewestLoads = 20
	fewestPast  = 10
	// slowFloor is how long loads must take, whatever they took before, to be
	// called slow: what the old API took on average. Source: its migration plan.
	slowFloor = 150 * time.Millisecond
	// holdFor is how long a breaker stays as it is at least, but for an outage.
	holdFor = 10 * time.Second
	// trialEvery is how often a source that was left is tried, and goodTrials how
	// many trials in a row bring it back.
	trialEvery = 5 * time.Second
	goodTrials = 3
	// longRun is how many loads of a route its usual time is the mean of, about.
	// A load counts for no more than outlier times the usual time in it.
	longRun = 200
	outlier = 2
)

// limits are what a source may do before it is left: the share of its loads that
// may fail, and how many times as long as usual they may take; zero for any time.
type limits struct{ errors, slowdown float64 }

// breaker judges by the loads from a source whether it is to be left. It is safe
// for concurrent use.
type breaker struct {
	name   string // of the source, for people
	limits limits
	// switched is told of each switch. It must not use the breaker.
	switched func(open bool, reason string)

	mu       sync.Mutex
	window   [windowSpans]span
	usual    map[string]*pastLoads // by route
	open     bool                  // the source is left
	since    time.Time             // when it last switched; zero for never
	reason   string                // why it did
	switches int64
	good     int       // trials in a row that went well
	trial    time.Time // when the next is due
}

// span sums up the loads of a part of the window.
type span struct {
	number              int64 // counts the spans from 1970 on
	loads, failed       int64
	took                time.Duration // by those that did not fail
	known               int64         // of those, how many were of routes with a usual time
	knownTook, expected time.Duration // how long these took, and usually take
}

// pastLoads is how long the loads of a route take in the long run.
type pastLoads struct {
	count int64
	mean  time.Duration
}

// loaded tells how one load from a source went.
type loaded struct {
	route  string
	at     time.Time // when it ended
	took   time.Duration
	failed bool
	trial  bool // it was one
}

// record notes a load.
func (b *breaker) record(l loaded) {
	b.mu.Lock()
	defer b.mu.Unlock()
	past := b.usual[l.route]
	if past == nil {
		past = &pastLoads{}
		b.usual[l.route] = past
	}
	b.spanOf(l.at).add(l, past)
	if b.open && l.trial {
		b.tried(l, past)
	}
	if !b.open && !l.failed {
		past.learn(l.took)
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

func (s *span) add(l loaded, past *pastLoads) {
	s.loads++
	if l.failed {
		s.failed++
		return
	}
	s.took += l.took
	if past.count >= fewestPast {
		s.known++
		s.knownTook += l.took
		s.expected += past.mean
	}
}

// learn makes a load part of what is usual. One that is much slower than usual
// moves it little: what is slow now must not soon be what is usual.
func (p *pastLoads) learn(took time.Duration) {
	p.count = min(p.count+1, longRun)
	if p.count > fewestPast {
		took = min(took, outlier*p.mean)
	}
	p.mean += (took - p.mean) / time.Duration(p.count)
}

// tried counts a trial, and takes the source back once enough went well.
func (b *breaker) tried(l loaded, past *pastLoads) {
	slow := b.limits.slowdown > 0 && l.took > slowFloor && past.count >= fewestPast &&
		float64(l.took) > b.limits.slowdown*float64(past.mean)
	if l.failed || slow {
		b.good = 0
		return
	}
	if b.good++; b.good >= goodTrials && l.at.Sub(b.since) >= holdFor {
		b.turn(l.at, false, fmt.Sprintf("%d trials in a row went well", b.good))
	}
}

// turn opens or closes the breaker; b.mu is held.
func (b *breaker) turn(now time.Time, open bool, reason string) {
	b.window = [windowSpans]span{}
	b.open, b.since, b.reason, b.good = open, now, reason, 0
	b.trial = now.Add(trialEvery)
	b.switches++
	b.switched(open, reason)
}

// recent sums up the window; b.mu is held.
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

// judge leaves the source if its loads are over the limits.
func (b *breaker) judge(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open || now.Sub(b.since) < holdFor {
		return
	}
	if reason := b.over(b.recent(now)); reason != "" {
		b.turn(now, true, reason)
	}
}

// over says which limit loads are over; empty for none.
func (b *breaker) over(s span) string {
	const window = windowSpan * windowSpans / time.Second
	if failed := float64(s.failed); s.loads >= fewestLoads && failed > b.limits.errors*float64(s.loads) {
		return fmt.Sprintf("%s fails, %d of %d loads in %d s (%.3g %%) over %.3g %%",
			b.name, s.failed, s.loads, window, 100*failed/float64(s.loads), 100*b.limits.errors)
	}
	if b.limits.slowdown == 0 || s.known < fewestLoads {
		return ""
	}
	mean, times := s.knownTook/time.Duration(s.known), float64(s.knownTook)/float64(max(1, s.expected))
	if mean > slowFloor && times > b.limits.slowdown {
		return fmt.Sprintf("%s is slow, %d ms a load in %d s (%.3g times as long as usual) over %.3g times",
			b.name, mean/time.Millisecond, window, times, b.limits.slowdown)
	}
	return ""
}

// trip leaves the source at once.
func (b *breaker) trip(now time.Time, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		b.turn(now, true, reason)
	}
	b.good = 0
}

// reset takes the source back without a trial.
func (b *breaker) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open, b.since, b.reason, b.good = false, time.Time{}, "", 0
}

// use reports whether the source is to be asked now, and whether that is a trial
// of one that was left: each call that says so is one.
func (b *breaker) use(now time.Time) (use, trial bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return true, false
	case now.Before(b.trial):
		return false, false
	}
	b.trial = now.Add(trialEvery)
	return true, true
}

// usable reports what use would, and begins no trial.
func (b *breaker) usable(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.open || !now.Before(b.trial)
}

func (b *breaker) stats(now time.Time) api.Breaker {
	b.mu.Lock()
	defer b.mu.Unlock()
	recent := b.recent(now)
	s := api.Breaker{State: api.BreakerClosed, Since: orNull(b.since), Reason: b.reason, Switches: b.switches, Loads: recent.loads, Failed: recent.failed}
	if b.open {
		s.State = api.BreakerOpen
	}
	if ok := recent.loads - recent.failed; ok > 0 {
		s.MeanMS = milliseconds(int64(recent.took) / ok)
	}
	return s
}
