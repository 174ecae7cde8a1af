package fleet

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/snapshot"
	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
)

func savedAnswer(generation, body string) *cache.Saved {
	return &cache.Saved{Key: "/key", Content: cache.Content{
		Status: 200, Size: len(body), Scope: "s", Generation: generation, Variants: []cache.Variant{{ETag: []byte(`"t"`), Body: []byte(body)}},
	}}
}

func valueOf(t *testing.T, s *cache.Saved) []byte {
	t.Helper()
	record, err := snapshot.Record(s)
	if err != nil {
		t.Fatal(err)
	}
	return append(head(true, 5), record...)
}

// TestClaims: a claim finds an answer, or has the lock, or is none: while the level is away,
// for a key that is not shared, and after a failure. A value that is no answer to the key is
// removed.
func TestClaims(t *testing.T) {
	good := valueOf(t, savedAnswer("g", "body"))
	other := savedAnswer("g", "body")
	other.Key = "/other"
	for name, tt := range map[string]struct {
		change func(f *stubbed)
		claims []Claim
		calls  string
		found  bool
		stats  Stats
	}{
		"found":                  {nil, []Claim{{Value: good}}, "claim", true, Stats{Traffic: Traffic{Hits: 1, Read: int64(len(good))}}},
		"claimed":                {nil, []Claim{{Claimed: true}}, "claim release", false, Stats{Traffic: Traffic{Misses: 1}}},
		"a short value":          {nil, []Claim{{Value: []byte("1")}, {Claimed: true}}, "claim drop claim release", false, Stats{Traffic: Traffic{Misses: 1}, Faults: Faults{Damaged: 1}}},
		"garbage":                {nil, []Claim{{Value: []byte("15garbage")}, {Value: good}}, "claim drop claim", true, Stats{Traffic: Traffic{Hits: 1, Read: int64(len(good))}, Faults: Faults{Damaged: 1}}},
		"of another key":         {nil, []Claim{{Value: valueOf(t, other)}, {Claimed: true}}, "claim drop claim release", false, Stats{Traffic: Traffic{Misses: 1}, Faults: Faults{Damaged: 1}}},
		"of another state":       {nil, []Claim{{Value: valueOf(t, savedAnswer("h", "x"))}, {Claimed: true}}, "claim drop claim release", false, Stats{Traffic: Traffic{Misses: 1}, Faults: Faults{Damaged: 1}}},
		"not usable":             {func(f *stubbed) { f.usable = false }, []Claim{{Value: good}, {Claimed: true}}, "claim drop claim release", false, Stats{Traffic: Traffic{Misses: 1}, Faults: Faults{Damaged: 1}}},
		"garbage that stays":     {func(f *stubbed) { f.fails["drop"] = errStub }, []Claim{{Value: []byte("15garbage")}}, "claim drop", false, Stats{Faults: Faults{Damaged: 1, Errors: 1}}},
		"no series":              {func(f *stubbed) { f.actions = newActions(f.opts) }, nil, "", false, Stats{Traffic: Traffic{Skipped: 1}}},
		"the level is away":      {func(f *stubbed) { f.link.now.Store(nil) }, nil, "", false, Stats{Traffic: Traffic{Skipped: 1}}},
		"not shared":             {func(f *stubbed) { f.state.Generation = "" }, nil, "", false, Stats{}},
		"the lookup fails":       {func(f *stubbed) { f.fails["claim"] = errStub }, nil, "claim", false, Stats{Faults: Faults{Errors: 1}}},
		"no room for the lookup": {func(f *stubbed) { f.fails["claim"] = ErrFull }, nil, "claim", false, Stats{Faults: Faults{Full: 1}}},
	} {
		f := newStubbed(t)
		f.claims = tt.claims
		if tt.change != nil {
			tt.change(f)
		}
		found, done := f.Fleet.Claim(t.Context(), ofAll("g"), "/key")
		if (found != nil) != tt.found || (done == nil) != tt.found || found != nil && string(found.Variants[0].Body) != "body" {
			t.Errorf("%s: %+v", name, found)
		}
		if done != nil {
			done(nil)
			f.ends.Close()
		}
		s := f.Stats()
		if calls := f.called(); calls != tt.calls || s.Traffic != tt.stats.Traffic || s.Faults != tt.stats.Faults {
			t.Errorf("%s: %q, %+v, %+v", name, calls, s.Traffic, s.Faults)
		}
	}
}

// TestWaitsForAFill: a claim that another member has is tried again once the member has
// filled or released it, or its lease has ended. The end of the caller or of the session ends
// the wait.
func TestWaitsForAFill(t *testing.T) {
	for name, tt := range map[string]struct {
		after func(f *stubbed, end func())
		took  time.Duration
		calls string
	}{
		"the lease ends": {nil, 101 * time.Millisecond, "claim claim"},
		"a fill": {func(f *stubbed, _ func()) {
			f.receive(Message{Kind: Filled, Text: f.name(f.actions.Series(), "/key", "g", "")})
		}, 30 * time.Millisecond, "claim claim"},
		"another fill":      {func(f *stubbed, _ func()) { f.receive(Message{Kind: Filled, Text: "other"}) }, 101 * time.Millisecond, "claim claim"},
		"the caller leaves": {func(_ *stubbed, end func()) { end() }, 30 * time.Millisecond, "claim"},
		"the session ends":  {func(f *stubbed, _ func()) { f.s.end(errStub) }, 30 * time.Millisecond, "claim"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newStubbed(t)
			f.claims = []Claim{{Left: 100 * time.Millisecond}, {Claimed: true}}
			ctx, end := context.WithCancel(t.Context())
			defer end()
			if tt.after != nil {
				time.AfterFunc(30*time.Millisecond, func() { tt.after(f, end) })
			}
			begun := time.Now()
			found, done := f.Fleet.Claim(ctx, ofAll("g"), "/key")
			took := time.Since(begun)
			if calls := f.called(); found != nil || took != tt.took || calls != tt.calls || f.Stats().Waits != 1 || f.waits.Any() {
				t.Errorf("%s: %v after %v, %q", name, found, took, calls)
			}
			done(nil)
			f.ends.Close()
		})
	}
}

// TestEndsOfClaims: an answer of the claimed state is stored, which releases the lock; an
// answer of another state is stored under its own name, and any other releases the lock alone.
func TestEndsOfClaims(t *testing.T) {
	for name, tt := range map[string]struct {
		answer *cache.Saved
		change func(f *stubbed)
		calls  string
		puts   int64
	}{
		"an answer":            {savedAnswer("g", "body"), nil, "claim put", 1},
		"of a newer state":     {savedAnswer("h", "body"), nil, "claim put release", 1},
		"none":                 {nil, nil, "claim release", 0},
		"without a generation": {savedAnswer("", "body"), nil, "claim release", 0},
		"not usable":           {savedAnswer("g", "body"), func(f *stubbed) { f.usable = false }, "claim release", 0},
		"too large":            {savedAnswer("g", strings.Repeat("x", engine.MostValue)), nil, "claim release", 0},
		"no room":              {savedAnswer("g", "body"), func(f *stubbed) { f.fails["put"] = ErrFull }, "claim put", 0},
	} {
		f := newStubbed(t)
		f.claims = []Claim{{Claimed: true}}
		_, done := f.Fleet.Claim(t.Context(), ofAll("g"), "/key")
		if tt.change != nil {
			tt.change(f)
		}
		done(tt.answer)
		f.ends.Close()
		s := f.Stats()
		if calls := f.called(); calls != tt.calls || s.Puts != tt.puts || (s.Written > 0) != (tt.puts > 0) || (s.Oversized == 1) != (name == "too large") {
			t.Errorf("%s: %q, %+v, %+v", name, calls, s.Traffic, s.Faults)
		}
		if tt.puts > 0 && string(f.stub.put[:headBytes]) != "15" {
			t.Errorf("%s: the value begins with %q", name, f.stub.put[:headBytes])
		}
	}
}

// TestTimeOfValues: a value is kept for eight days, or for as long as its answer may be used.
func TestTimeOfValues(t *testing.T) {
	for maxAge, want := range map[time.Duration]time.Duration{0: 8 * 24 * time.Hour, time.Hour: time.Hour, 30 * 24 * time.Hour: 8 * 24 * time.Hour} {
		f := newStubbed(t)
		f.state.MaxAge, f.state.Sure = maxAge, false
		f.claims = []Claim{{Claimed: true}}
		_, done := f.Fleet.Claim(t.Context(), ofAll("g"), "/key")
		done(savedAnswer("g", "body"))
		if f.ends.Close(); f.stub.keep != want || string(f.stub.put[:headBytes]) != "05" {
			t.Errorf("%v: kept for %v, %q", maxAge, f.stub.keep, f.stub.put[:headBytes])
		}
	}
}

// TestLeaseIsRenewed: the lease of a claim is renewed four times in its time, until the claim
// or the session ends.
func TestLeaseIsRenewed(t *testing.T) {
	for _, ends := range []string{"claim", "session"} {
		synctest.Test(t, func(t *testing.T) {
			f := newStubbed(t)
			f.claims = []Claim{{Claimed: true}}
			_, done := f.Fleet.Claim(t.Context(), ofAll("g"), "/key")
			time.Sleep(1600 * time.Millisecond)
			if calls := f.called(); calls != "claim extend extend extend" {
				t.Errorf("%q", calls)
			}
			if ends == "session" {
				f.s.end(nil)
				time.Sleep(time.Minute)
				if calls := f.called(); calls != "" {
					t.Errorf("after the session: %q", calls)
				}
			}
			done(nil)
			f.ends.Close()
			f.called()
			time.Sleep(time.Minute)
			if calls := f.called(); calls != "" {
				t.Errorf("after the claim: %q", calls)
			}
		})
	}
}

// TestFailedRenewal: a lease that cannot be renewed opens the circuit breaker.
func TestFailedRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newStubbed(t)
		f.claims, f.fails["extend"] = []Claim{{Claimed: true}}, errStub
		_, done := f.Fleet.Claim(t.Context(), ofAll("g"), "/key")
		time.Sleep(time.Second)
		if f.link.now.Load() != nil || context.Cause(f.s.ctx) != errStub || f.Stats().Errors != 1 || !strings.Contains(f.Stats().Reason, "the stub fails") {
			t.Errorf("%+v", f.Stats())
		}
		done(nil)
		f.ends.Close()
	})
}

// TestSessions: a session needs a subscription and a level that answers within the time of a
// request. It ends with the first failure.
func TestSessions(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(e *stub)
		err    error
		took   time.Duration
		calls  string
	}{
		"no connection":     {func(e *stub) { e.fails["listen"] = errStub }, errStub, 0, "listen"},
		"no subscription":   {func(e *stub) { e.silent = true }, errSilent, 2 * time.Second, "listen"},
		"the end":           {func(e *stub) { e.silent, e.closes = true, true }, errClosed, 0, "listen"},
		"no answer":         {func(e *stub) { e.fails["ping"] = errStub }, errStub, 0, "listen ping"},
		"a hanging answer":  {func(e *stub) { e.takes["ping"] = time.Hour }, context.DeadlineExceeded, 2 * time.Second, "listen ping"},
		"slow answers":      {func(e *stub) { e.takes["ping"] = 60 * time.Millisecond }, errSlow, 210 * time.Millisecond, "listen ping ping ping ping"},
		"no log":            {func(e *stub) { e.fails["sync"] = errStub }, errStub, 0, "listen ping ping sync"},
		"lost after a time": {func(e *stub) { e.lasts = 900 * time.Millisecond }, errStub, 900 * time.Millisecond, "listen ping ping sync since since beat"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newStubbed(t)
			f.link.now.Store(nil)
			f.actions = newActions(f.opts)
			tt.change(f.stub)
			begun := time.Now()
			err := f.session(t.Context())
			if calls := f.called(); !errors.Is(err, tt.err) || time.Since(begun) != tt.took || calls != tt.calls || f.link.now.Load() != nil {
				t.Errorf("%s: %v after %v, %q", name, err, time.Since(begun), calls)
			}
		})
	}
}

// TestPausesBetweenSessions: the pause before a new attempt to connect doubles up to five
// seconds, a random half of which is left out, and begins anew after a session of ten seconds.
func TestPausesBetweenSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newStubbed(t)
		f.link.now.Store(nil)
		ctx, end := context.WithCancel(t.Context())
		defer end()
		ended := make(chan struct{})
		f.fails["listen"] = errStub
		go func() { defer close(ended); f.Run(ctx) }()
		last := time.Now()
		attempt := func(name string, pause, session time.Duration) {
			t.Helper()
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
				synctest.Wait()
				if strings.Contains(f.called(), "listen") {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s: no attempt", name)
				}
			}
			took := time.Since(last) - session
			if last = time.Now(); took < pause/2 || took > pause+time.Millisecond {
				t.Errorf("%s: %v, want %v to %v", name, took, pause/2, pause)
			}
		}
		attempt("the first", 0, 0)
		for _, ms := range []int{250, 500, 1000, 2000, 4000, 5000, 5000} {
			attempt("a failure", time.Duration(ms)*time.Millisecond, 0)
		}
		f.mu.Lock()
		delete(f.fails, "listen")
		f.lasts = steady
		f.mu.Unlock()
		attempt("the last failure", 5*time.Second, 0)
		attempt("a steady session", 250*time.Millisecond, steady)
		f.mu.Lock()
		f.lasts = steady - time.Second
		f.mu.Unlock()
		attempt("another", 250*time.Millisecond, steady)
		attempt("a short session", 500*time.Millisecond, steady-time.Second)
		end()
		<-ended
	})
}

// TestGuard: while requests wait for the fill of another member, the level is probed twice in
// the time that a request waits for it; otherwise never.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newStubbed(t)
		go f.guard(f.s)
		time.Sleep(time.Minute)
		if calls := f.called(); calls != "" {
			t.Errorf("without a wait: %q", calls)
		}
		done := f.waits.Block()
		time.Sleep(100 * time.Millisecond)
		if calls := f.called(); calls != "ping ping ping ping ping ping" {
			t.Errorf("during a wait: %q", calls)
		}
		done()
		time.Sleep(15 * time.Millisecond)
		f.called()
		time.Sleep(time.Minute)
		if calls := f.called(); calls != "" {
			t.Errorf("after a wait: %q", calls)
		}
		defer f.waits.Block()()
		f.s.end(nil)
		time.Sleep(time.Minute)
		if calls := f.called(); calls != "" {
			t.Errorf("after the session: %q", calls)
		}
	})
}
