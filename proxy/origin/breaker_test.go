package origin

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// breakerTest is a breaker with a clock of the test's own.
type breakerTest struct {
	*breaker
	now      time.Time
	reported []string
}

func newBreakerTest(l limits) *breakerTest {
	b := &breakerTest{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b.breaker = newBreaker("the store", l, func(open bool, reason string) {
		b.reported = append(b.reported, fmt.Sprintf("%v %s", open, reason))
	})
	return b
}

// loads records n loads, evenly over a time, of which some fail.
func (b *breakerTest) loads(n, failed int, took, over time.Duration) {
	for i := range n {
		b.now = b.now.Add(over / time.Duration(n))
		b.record(result{route: "/teams/", at: b.now, took: took, failed: i*failed/n != (i+1)*failed/n})
		b.judge(b.now)
	}
}

// try sends a probe if a probe is due.
func (b *breakerTest) try(failed bool, took time.Duration) (due bool) {
	allowed, probe := b.allow(b.now)
	if allowed {
		b.record(result{route: "/teams/", at: b.now, took: took, failed: failed, probe: probe})
	}
	return probe
}

func TestBreakerOpens(t *testing.T) {
	const usual = 100 * time.Millisecond
	for name, tt := range map[string]struct {
		limits limits
		loads  func(*breakerTest)
		reason string // empty: it stays closed
	}{
		"nothing":                  {limits{0.05, 3}, func(*breakerTest) {}, ""},
		"all is well":              {limits{0.05, 3}, func(b *breakerTest) { b.loads(500, 0, usual, time.Minute) }, ""},
		"at the limit of errors":   {limits{0.05, 3}, func(b *breakerTest) { b.loads(400, 20, usual, 45*time.Second) }, ""},
		"over the limit of errors": {limits{0.05, 3}, func(b *breakerTest) { b.loads(100, 0, usual, 30*time.Second); b.loads(10, 10, usual, time.Second) }, "the store fails, 6 of 106 loads in 60 s (5.66 %) over 5 %"},
		"another limit of errors":  {limits{0.5, 3}, func(b *breakerTest) { b.loads(100, 0, usual, 30*time.Second); b.loads(90, 90, usual, time.Second) }, ""},
		"few loads":                {limits{0.05, 3}, func(b *breakerTest) { b.loads(minLoads-1, minLoads-1, usual, time.Second) }, ""},
		"just enough loads":        {limits{0.05, 3}, func(b *breakerTest) { b.loads(minLoads, minLoads, usual, time.Second) }, "20 of 20 loads"},
		"few loads for long":       {limits{0.05, 3}, func(b *breakerTest) { b.loads(100, 100, usual, time.Hour) }, ""},
		"errors of long ago": {limits{0.05, 3}, func(b *breakerTest) {
			b.loads(19, 19, usual, time.Second)
			b.now = b.now.Add(time.Minute)
			b.loads(50, 0, usual, time.Second)
		}, ""},
		"slow": {limits{0.05, 3}, func(b *breakerTest) {
			b.loads(200, 0, usual, 10*time.Minute)
			b.loads(100, 0, 8*usual, time.Minute)
		}, "the store is slow, "},
		"slow, without a limit": {limits{0.05, 0}, func(b *breakerTest) { b.loads(200, 0, usual, 10*time.Minute); b.loads(100, 0, 8*usual, time.Minute) }, ""},
		"twice as slow":         {limits{0.05, 3}, func(b *breakerTest) { b.loads(200, 0, usual, 10*time.Minute); b.loads(200, 0, 2*usual, time.Minute) }, ""},
		"much slower, still fast": {limits{0.05, 3}, func(b *breakerTest) {
			b.loads(200, 0, 5*time.Millisecond, 10*time.Minute)
			b.loads(200, 0, 100*time.Millisecond, time.Minute)
		}, ""},
		"slow from the start": {limits{0.05, 3}, func(b *breakerTest) { b.loads(500, 0, 2*time.Second, 10*time.Minute) }, ""},
		"a few that are slow": {limits{0.05, 3}, func(b *breakerTest) { b.loads(200, 0, usual, 10*time.Minute); b.loads(10, 0, 4*usual, time.Second) }, ""},
		"routes are slow by nature": {limits{0.05, 3}, func(b *breakerTest) {
			for range 200 {
				b.now = b.now.Add(time.Second)
				b.record(result{route: "/teams/", at: b.now, took: usual})
				b.record(result{route: "/athletes/", at: b.now, took: 20 * usual})
			}
			for range 50 { // now only the slow one is asked for
				b.now = b.now.Add(time.Second)
				b.record(result{route: "/athletes/", at: b.now, took: 20 * usual})
				b.judge(b.now)
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBreakerTest(tt.limits)
			tt.loads(b)
			s := b.stats(b.now)
			if open := tt.reason != ""; open != (s.Open) || open != (s.Switches == 1) || int(s.Switches) != len(b.reported) {
				t.Fatalf("%+v, reported %q", s, b.reported)
			}
			if !strings.Contains(s.Reason, tt.reason) {
				t.Errorf("%q, want %q", s.Reason, tt.reason)
			}
		})
	}
}

// TestBreakerNumbers: the reason and the stats contain the figures.
func TestBreakerNumbers(t *testing.T) {
	b := newBreakerTest(limits{0.05, 3})
	b.loads(300, 0, 100*time.Millisecond, 10*time.Minute)
	b.now = b.now.Add(time.Minute)
	b.loads(30, 1, 100*time.Millisecond, time.Second)
	if s := b.stats(b.now); s.Loads != 30 || s.Failed != 1 || s.Mean != 100*time.Millisecond || !s.Since.IsZero() || s.Open {
		t.Errorf("%+v", s)
	}
	b.loads(30, 0, time.Second, time.Second)
	s := b.stats(b.now)
	var mean int
	var times float64
	if _, err := fmt.Sscanf(s.Reason, "the store is slow, %d ms a load in 60 s (%f times as long as usual) over 3 times", &mean, &times); err != nil {
		t.Fatalf("%q: %v", s.Reason, err)
	}
	if mean < 300 || mean > 400 || times < 3 || times > 3.5 || s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
}

// TestBreakerRecovers: a source whose breaker is open is probed at intervals, and the
// breaker closes after enough successful probes, but not before holdFor has passed.
func TestBreakerRecovers(t *testing.T) {
	const usual = 100 * time.Millisecond
	b := newBreakerTest(limits{0.05, 3})
	b.loads(300, 0, usual, 10*time.Minute)
	b.loads(minLoads, minLoads, usual, time.Second)
	opened := b.now
	if s := b.stats(b.now); !s.Open || b.usable(b.now) {
		t.Fatalf("%+v", s)
	}
	if b.try(false, usual) {
		t.Error("a probe without a pause")
	}
	for _, bad := range []struct {
		failed bool
		took   time.Duration
	}{{true, usual}, {false, 10 * usual}} { // each sets the count back
		for range goodProbes - 1 {
			b.now = b.now.Add(probeEvery)
			if !b.usable(b.now) || !b.try(false, usual) || b.usable(b.now) || b.try(false, usual) {
				t.Fatal("not one probe when it is due")
			}
		}
		b.now = b.now.Add(probeEvery)
		b.try(bad.failed, bad.took)
	}
	b.record(result{route: "/teams/", at: b.now, took: usual}) // a load that is no probe does not count
	for n := 1; b.stats(b.now).Open; n++ {
		if n > goodProbes {
			t.Fatalf("still open after %d successful probes", n-1)
		}
		b.now = b.now.Add(probeEvery)
		b.try(false, usual)
	}
	if s := b.stats(b.now); s.Switches != 2 || s.Reason != "3 probes in a row succeeded" || b.now.Sub(opened) != 9*probeEvery || s.Loads != 0 {
		t.Errorf("%+v after %v", s, b.now.Sub(opened))
	}
	if allowed, probe := b.allow(b.now); !allowed || probe {
		t.Error("not used again")
	}
}

// TestBreakerHolds: a breaker neither opens nor closes within holdFor of the last switch,
// except for an outage.
func TestBreakerHolds(t *testing.T) {
	b := newBreakerTest(limits{0.05, 3})
	b.trip(b.now, "the database is down")
	b.now = b.now.Add(probeEvery)
	for range 2 * goodProbes { // all in the same moment, as if the probes had queued
		b.record(result{route: "/teams/", at: b.now, probe: true})
	}
	if s := b.stats(b.now); !s.Open {
		t.Errorf("closed after %v", probeEvery)
	}
	b.now = b.now.Add(probeEvery)
	b.record(result{route: "/teams/", at: b.now, probe: true})
	if s := b.stats(b.now); s.Open {
		t.Errorf("%+v", s)
	}
	b.loads(100, 100, 0, holdFor-windowSpan/100)
	if s := b.stats(b.now); s.Open {
		t.Errorf("open again too soon: %+v", s)
	}
	b.now = b.now.Add(windowSpan / 50)
	b.judge(b.now)
	if s := b.stats(b.now); !s.Open || s.Switches != 3 {
		t.Errorf("%+v", s)
	}
	b.reset()
	b.trip(b.now, "the database is down")
	b.trip(b.now, "the database is down still")
	if s := b.stats(b.now); !s.Open || s.Reason != "the database is down" || s.Switches != 4 || len(b.reported) != 4 {
		t.Errorf("%+v, reported %q", s, b.reported)
	}
}

// TestOutageSetsProbesBack: an outage resets the count of successful probes.
func TestOutageSetsProbesBack(t *testing.T) {
	b := newBreakerTest(limits{0.05, 3})
	b.trip(b.now, "down")
	for range goodProbes - 1 {
		b.now = b.now.Add(probeEvery)
		b.try(false, 0)
	}
	b.trip(b.now, "down")
	for n := range goodProbes {
		if s := b.stats(b.now); !s.Open {
			t.Fatalf("closed after %d probes", n)
		}
		b.now = b.now.Add(probeEvery)
		b.try(false, 0)
	}
	if s := b.stats(b.now); s.Open {
		t.Errorf("%+v", s)
	}
}

// Failed loads do not count for the usual time, and slow loads change it little.
func TestUsualTime(t *testing.T) {
	const usual = 100 * time.Millisecond
	b := newBreakerTest(limits{0.5, 3})
	mean := func() time.Duration { return b.usual["/teams/"].mean }
	b.loads(longRun, 0, usual, 10*time.Minute)
	if mean() != usual {
		t.Fatalf("the usual time is %v", mean())
	}
	b.loads(10, 10, time.Minute, time.Minute)
	if mean() != usual || b.usual["/teams/"].count != longRun {
		t.Errorf("after failed loads it is %v", mean())
	}
	b.record(result{route: "/teams/", at: b.now, took: time.Hour})
	if limit := usual + outlier*usual/longRun; mean() <= usual || mean() > limit {
		t.Errorf("after an outlier it is %v, want at most %v", mean(), limit)
	}
	b.trip(b.now, "down")
	before := mean()
	b.record(result{route: "/teams/", at: b.now, took: usual / 2, probe: true})
	if mean() != before {
		t.Errorf("a load through an open breaker makes it %v", mean())
	}
}

// A probe is slow if it exceeds the limit of slowdown, not only the floor.
func TestSlowProbe(t *testing.T) {
	const usual = 100 * time.Millisecond
	for took, slow := range map[time.Duration]bool{
		slowFloor: false, slowFloor + 1: false, 3 * usual: false, 3*usual + 1: true,
	} {
		b := newBreakerTest(limits{0.05, 3})
		b.loads(longRun, 0, usual, 10*time.Minute)
		b.trip(b.now, "down")
		for range goodProbes {
			b.now = b.now.Add(probeEvery)
			b.try(false, took)
		}
		if s := b.stats(b.now); s.Open != slow {
			t.Errorf("probes of %v: %+v", took, s)
		}
	}
	b := newBreakerTest(limits{0.05, 3}) // without a usual time no probe is slow
	b.trip(b.now, "down")
	for range goodProbes {
		b.now = b.now.Add(probeEvery)
		b.try(false, time.Hour)
	}
	if s := b.stats(b.now); s.Open {
		t.Errorf("%+v", s)
	}
}

// A probe that ends after the breaker has closed is a load like any other.
func TestLateProbe(t *testing.T) {
	b := newBreakerTest(limits{0.05, 3})
	b.trip(b.now, "down")
	b.reset()
	for range 2 * goodProbes {
		b.record(result{route: "/teams/", at: b.now, probe: true})
	}
	if s := b.stats(b.now); s.Open || s.Switches != 1 || b.good != 0 || len(b.reported) != 1 {
		t.Errorf("%+v, %d good probes, %q", s, b.good, b.reported)
	}
}

// The failure of a request of its own counts for nothing, but as a probe it shows that
// the source answers.
func TestOwnFailures(t *testing.T) {
	b := newBreakerTest(limits{0.05, 3})
	for range 10 * minLoads {
		b.record(result{route: "/teams/", at: b.now, took: time.Hour, failed: true, own: true})
	}
	b.judge(b.now)
	if s := b.stats(b.now); s.Open || s.Loads != 0 || b.usual["/teams/"] != nil {
		t.Errorf("%+v", s)
	}
	b.trip(b.now, "down")
	for range goodProbes {
		b.now = b.now.Add(probeEvery)
		if _, probe := b.allow(b.now); !probe {
			t.Fatal("no probe")
		}
		b.record(result{route: "/teams/", at: b.now, failed: true, own: true, probe: true})
	}
	if s := b.stats(b.now); s.Open {
		t.Errorf("%+v", s)
	}
}
