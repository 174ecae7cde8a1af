package origin

import (
	"strings"
	"testing"
	"time"
)

// TestWindow: a load counts for windowSpans spans, from the begin of its own on.
func TestWindow(t *testing.T) {
	const length = windowSpans * windowSpan
	b := newBreakerTest(limits{0.05, 3})
	start := b.now.Truncate(windowSpan)
	for _, at := range []time.Duration{-1, 0} { // the ends of two spans
		b := newBreakerTest(limits{0.05, 3})
		b.record(result{route: "/teams/", at: start.Add(at), took: time.Second})
		end := start.Add(at).Truncate(windowSpan).Add(length)
		if in, out := b.stats(end.Add(-1)).Loads, b.stats(end).Loads; in != 1 || out != 0 {
			t.Errorf("a load at %v: %d within the window, %d after it", at, in, out)
		}
	}
}

// TestLimitsAreInclusive: loads at a limit do not exceed it, and the least number of loads
// is enough.
func TestLimitsAreInclusive(t *testing.T) {
	const took = 2 * slowFloor
	slow := func(known int64, mean, usual time.Duration) span {
		return span{loads: known, known: known, knownTook: time.Duration(known) * mean, expected: time.Duration(known) * usual}
	}
	for name, tt := range map[string]struct {
		loads  span
		reason string // empty for none
	}{
		"few loads":              {slow(minLoads-1, took, took/4), ""},
		"just enough loads":      {slow(minLoads, took, took/4), "the store is slow, 300 ms a load in 60 s (4 times as long as usual) over 3 times"},
		"at the floor":           {slow(minLoads, slowFloor, slowFloor/10), ""},
		"over the floor":         {slow(minLoads, slowFloor+1, slowFloor/10), "(10 times"},
		"at the multiple":        {slow(minLoads, took, took/3), ""},
		"over the multiple":      {slow(minLoads, took+3, took/3), "(3 times"},
		"the usual time is zero": {slow(minLoads, took, 0), "(6e+09 times"},
	} {
		b := newBreakerTest(limits{0.05, 3})
		if got := b.exceeded(tt.loads); (got == "") != (tt.reason == "") || !strings.Contains(got, tt.reason) {
			t.Errorf("%s: %q, want %q", name, got, tt.reason)
		}
	}
}

// TestPastLoads: a route has a usual time after minPast loads. Until then all its loads
// count in full, and afterwards no load counts for more than outlier times the usual time.
func TestPastLoads(t *testing.T) {
	const usual = 100 * time.Millisecond
	b := newBreakerTest(limits{0.05, 3})
	b.loads(minPast-1, 0, usual, time.Second)
	b.loads(1, 0, 100*usual, 0)
	past := b.usual["/teams/"]
	want := (usual*(minPast-1) + 100*usual) / minPast
	if past.mean != want || b.recent(b.now).known != 0 {
		t.Errorf("after %d loads the usual time is %v, want %v, and %d loads have such a time", minPast, past.mean, want, b.recent(b.now).known)
	}
	b.loads(1, 0, time.Hour, 0)
	if again := want + (outlier-1)*want/(minPast+1); past.mean != again || b.recent(b.now).known != 1 {
		t.Errorf("after an outlier the usual time is %v, want %v, and %d loads have such a time", past.mean, again, b.recent(b.now).known)
	}
	b.loads(2*longRun, 0, usual, time.Hour)
	if past.count != longRun {
		t.Errorf("the mean is of %d loads, want %d", past.count, longRun)
	}
}

// TestProbeLimits: a probe is slow if it exceeds the floor and the limit of slowdown, and
// its route has a usual time.
func TestProbeLimits(t *testing.T) {
	const usual = 10 * time.Millisecond
	for name, tt := range map[string]struct {
		slowdown float64
		past     int
		took     time.Duration
		slow     bool
	}{
		"below the floor":      {3, minPast, slowFloor - 1, false},
		"at the floor":         {3, minPast, slowFloor, false},
		"over the floor":       {3, minPast, slowFloor + 1, true},
		"without a usual time": {3, minPast - 1, time.Hour, false},
		"without a limit":      {0, minPast, time.Hour, false},
	} {
		b := newBreakerTest(limits{0.05, tt.slowdown})
		b.loads(tt.past, 0, usual, time.Minute)
		b.trip(b.now, "down")
		for range goodProbes {
			b.now = b.now.Add(probeEvery)
			b.try(false, tt.took)
		}
		if s := b.stats(b.now); s.Open != tt.slow {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestHoldEnds: a breaker that has just closed is usable immediately, and opens again as
// soon as holdFor has passed.
func TestHoldEnds(t *testing.T) {
	b := newBreakerTest(limits{0.05, 3})
	b.trip(b.now, "down")
	for range goodProbes {
		b.now = b.now.Add(probeEvery)
		b.try(false, 0)
	}
	if s := b.stats(b.now); s.Open || !b.usable(b.now) {
		t.Errorf("usable %t, %+v", b.usable(b.now), s)
	}
	for range minLoads {
		b.record(result{route: "/teams/", at: b.now, failed: true})
	}
	for _, tt := range []struct {
		after time.Duration
		open  bool
	}{{holdFor - 1, false}, {holdFor, true}} {
		if b.judge(b.now.Add(tt.after)); b.stats(b.now).Open != tt.open {
			t.Errorf("open %t after %v", !tt.open, tt.after)
		}
	}
}

// TestOwnFailuresThatAreNoProbes: the failure of a request of its own counts for nothing
// unless it is the probe of an open breaker, and never for the usual time.
func TestOwnFailuresThatAreNoProbes(t *testing.T) {
	b := newBreakerTest(limits{0.05, 3})
	own := result{route: "/teams/", took: time.Hour, failed: true, own: true, probe: true}
	own.at = b.now
	b.record(own) // a probe that ends after the breaker has closed
	if s := b.stats(b.now); s.Loads != 0 {
		t.Errorf("closed: %+v", s)
	}
	b.trip(b.now, "down")
	own.probe = false
	b.record(own) // a load that began before the breaker opened
	if s := b.stats(b.now); s.Loads != 0 {
		t.Errorf("open: %+v", s)
	}
	own.probe = true
	for range goodProbes {
		b.now = b.now.Add(probeEvery)
		own.at = b.now
		b.record(own)
	}
	if s := b.stats(b.now); s.Open || b.usual["/teams/"].count != 0 {
		t.Errorf("%+v, the usual time is of %d loads", s, b.usual["/teams/"].count)
	}
}
