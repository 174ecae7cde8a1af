package fleet_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/actions"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
)

// generation is a generation of all keys.
type generation string

func (g generation) ID() string                { return string(g) }
func (g generation) Holds(e *cache.Entry) bool { return e.Generation == string(g) }

// member is a member of a fleet whose data is in the state that the test sets.
type member struct {
	*fleet.Fleet
	stop func()

	mu     sync.Mutex
	state  fleet.State
	now    generation
	fresh  map[string]*cache.Entry
	info   fleet.Info
	missed []fleet.Action
	did    []string // actions of other members, and forget
	held   []string // generations for which requests wait
	woken  int
	asked  map[string]int64
	// refuses, unless it is nil, keeps the member from holding requests.
	refuses chan struct{}
	log     bytes.Buffer
}

// join returns a member once its link is up.
func join(t *testing.T, s *fleettest.Server) *member {
	t.Helper()
	return joinAs(t, s, "")
}

// joinAs returns a member of a name.
func joinAs(t *testing.T, s *fleettest.Server, name string) *member {
	t.Helper()
	m := newMember(t, s, name)
	synctest.Wait()
	if !m.Stats().Up {
		t.Fatal("the link is down")
	}
	return m
}

// newMember returns a member that continues the work of earlier runs.
func newMember(t *testing.T, s *fleettest.Server, name string, earlier ...*kept) *member {
	t.Helper()
	m := &member{state: fleet.State{Data: "stamps", Sure: true, Settled: true}, now: "1", fresh: map[string]*cache.Entry{}, info: fleet.Info{Name: name}}
	var lasting actions.Lasting
	for _, k := range earlier {
		lasting = k.lasting(m)
	}
	m.Fleet = fleet.New(fleet.Options{
		Lasting: lasting,
		Engine:  s.Engine(), Maker: "v1",
		State: func(g cache.Generation, _ string) fleet.State {
			m.mu.Lock()
			defer m.mu.Unlock()
			state := m.state
			state.Generation = g.ID()
			return state
		},
		Info: func() (info fleet.Info) {
			m.set(func(m *member) { info = m.info })
			return info
		},
		Apply:  func(a fleet.Action) { m.set(func(m *member) { m.did = append(m.did, a.Kind+string(a.Data)) }) },
		Forget: func() { m.set(func(m *member) { m.did = append(m.did, "forget") }) },
		Missed: func(_ time.Time, all []fleet.Action) { m.set(func(m *member) { m.missed = append(m.missed, all...) }) },
		Hold: func(generation []byte) bool {
			var refuses chan struct{}
			m.set(func(m *member) { m.held = append(m.held, string(generation)); refuses = m.refuses })
			if refuses != nil {
				<-refuses
			}
			return true
		},
		Asked: func() (asked map[string]int64) {
			m.set(func(m *member) { asked = m.asked })
			return asked
		},
		Selector: func(_ string, data json.RawMessage) func(string) bool {
			var purged string
			if json.Unmarshal(data, &purged) != nil || purged == "" {
				return nil
			}
			return func(key string) bool { return key == purged }
		},
		Wake:   func() { m.set(func(m *member) { m.woken++ }) },
		Usable: func(s *cache.Saved) bool { return s.Status == 200 },
		Rank:   func(c *cache.Content) int { return len(c.Variants) },
		Published: func() cache.Generation {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.now
		},
		Warm: func() []string {
			m.mu.Lock()
			defer m.mu.Unlock()
			return slices.Sorted(maps.Keys(m.fresh))
		},
		Fresh: func(key string) *cache.Entry {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.fresh[key]
		},
		Logger: slog.New(slog.NewTextHandler(&m.log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	m.run(t)
	t.Cleanup(func() { m.stop() })
	return m
}

// run connects a member until its stop.
func (m *member) run(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { m.Run(ctx); close(ended) }()
	m.stop = func() { stop(); <-ended }
}

// again connects a member that was stopped.
func (m *member) again(t *testing.T) {
	t.Helper()
	m.run(t)
	synctest.Wait()
	if !m.Stats().Up {
		t.Fatal("the link is down")
	}
}

// wakes returns how often a poll was requested.
func (m *member) wakes() (n int) {
	m.set(func(m *member) { n = m.woken })
	return n
}

// set changes the state of a member.
func (m *member) set(change func(*member)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

func answer(key, generation, body string) *cache.Saved {
	return &cache.Saved{Key: key, Content: cache.Content{
		Status: 200, Size: len(body), Scope: "s", Generation: generation, Variants: []cache.Variant{{ETag: []byte(`"t"`), Body: []byte(body)}},
	}}
}

// fetch looks a key up and fills it with a body unless it is found. It returns the body.
func (m *member) fetch(t *testing.T, g generation, key, body string) string {
	t.Helper()
	found, done := m.Claim(t.Context(), g, key)
	if found == nil {
		done(answer(key, string(g), body))
		synctest.Wait()
		return body
	}
	return string(found.Variants[0].Body)
}

// TestShared: an answer that one member fills is found by the others in the same state of
// the data, and in no other.
func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		a.fetch(t, "1", "/teams/", "first")
		if got := b.fetch(t, "1", "/teams/", "own"); got != "first" {
			t.Errorf("%q", got)
		}
		if got := b.fetch(t, "2", "/teams/", "own"); got != "own" {
			t.Errorf("in another generation %q", got)
		}
		if got := b.fetch(t, "1", "/athletes/", "own"); got != "own" {
			t.Errorf("another key: %q", got)
		}
		b.set(func(m *member) { m.state.Data = "other stamps" })
		if got := b.fetch(t, "1", "/teams/", "own"); got != "own" {
			t.Errorf("after a change of the table %q", got)
		}
		stats := b.Stats()
		if stats.Hits != 1 || stats.Misses != 3 || stats.Puts != 3 || stats.Read == 0 || stats.Written < stats.Read || stats.Errors != 0 || !stats.Up {
			t.Errorf("%+v", stats)
		}
		b.stop()
	})
}

// TestUnsure: a member that is sure of its state refuses an answer of a member that is not,
// and replaces it; a member that is not sure accepts both.
func TestUnsure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		a.set(func(m *member) { m.state.Sure = false })
		a.fetch(t, "1", "/teams/", "unsure")
		if got := b.fetch(t, "1", "/teams/", "sure"); got != "sure" {
			t.Errorf("%q", got)
		}
		if got := a.fetch(t, "1", "/teams/", "own"); got != "sure" {
			t.Errorf("%q", got)
		}
		a.fetch(t, "1", "/athletes/", "unsure")
		b.set(func(m *member) { m.state.Sure = false })
		if got := b.fetch(t, "1", "/athletes/", "own"); got != "unsure" {
			t.Errorf("%q", got)
		}
	})
}

// TestOneFill: of concurrent lookups in three members, one fills, and all others wait for
// its answer.
func TestOneFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		members := []*member{join(t, s), join(t, s), join(t, s)}
		const keys, each = 42, 5
		var mu sync.Mutex
		fills := map[string]int{}
		var all sync.WaitGroup
		for _, m := range members {
			for k := range keys {
				for range each {
					key := strconv.Itoa(k)
					all.Go(func() {
						found, done := m.Claim(t.Context(), generation("1"), key)
						if found == nil {
							time.Sleep(5 * time.Second) // longer than a lease
							mu.Lock()
							fills[key]++
							mu.Unlock()
							done(answer(key, "1", key))
						} else if string(found.Variants[0].Body) != key {
							t.Errorf("%s: %q", key, found.Variants[0].Body)
						}
					})
				}
			}
		}
		all.Wait()
		for key, n := range fills {
			if n != 1 {
				t.Errorf("%s: %d fills", key, n)
			}
		}
		if len(fills) != keys {
			t.Errorf("%d keys filled", len(fills))
		}
	})
}

// TestFailedFill: after a fill without an answer, the next member fills.
func TestFailedFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		_, done := a.Claim(t.Context(), generation("1"), "/teams/")
		got := make(chan string)
		go func() { got <- b.fetch(t, "1", "/teams/", "second") }()
		synctest.Wait()
		began := time.Now()
		done(nil)
		if text := <-got; text != "second" || time.Since(began) != 0 {
			t.Errorf("%q after %s", text, time.Since(began))
		}
		unfit := answer("/teams/", "3", "x")
		unfit.Status = 500
		_, done = a.Claim(t.Context(), generation("3"), "/teams/")
		done(unfit)
		synctest.Wait()
		if got := b.fetch(t, "3", "/teams/", "own"); got != "own" {
			t.Errorf("an answer that is not usable: %q", got)
		}
	})
}

// TestNewerAnswer: an answer that was read in a newer state than the lookup's is stored
// under its own state, and the members that wait fill themselves.
func TestNewerAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		_, done := a.Claim(t.Context(), generation("1"), "/teams/")
		got := make(chan string)
		go func() { got <- b.fetch(t, "1", "/teams/", "own") }()
		synctest.Wait()
		done(answer("/teams/", "2", "newer"))
		if text := <-got; text != "own" {
			t.Errorf("%q", text)
		}
		if text := b.fetch(t, "2", "/teams/", "own"); text != "newer" {
			t.Errorf("%q", text)
		}
	})
}

// TestHolderDies: the death of the member that fills costs the others its lease.
func TestHolderDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		a.Claim(t.Context(), generation("1"), "/teams/")
		time.Sleep(10 * time.Second) // a renews its lease
		got := make(chan string)
		go func() { got <- b.fetch(t, "1", "/teams/", "own") }()
		time.Sleep(10 * time.Second)
		select {
		case text := <-got:
			t.Fatalf("%q while the holder lives", text)
		default:
		}
		began := time.Now()
		a.stop() // it renews nothing more, and releases nothing
		if text := <-got; text != "own" || time.Since(began) > 2100*time.Millisecond {
			t.Errorf("%q after %s", text, time.Since(began))
		}
	})
}

// TestMaxAge: an answer whose changes are not recorded is kept for a limited time.
func TestMaxAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		a.fetch(t, "1", "/teams/", "long")
		a.set(func(m *member) { m.state.MaxAge = time.Minute })
		a.fetch(t, "1", "/athletes/", "short")
		time.Sleep(time.Minute)
		if got := a.fetch(t, "1", "/athletes/", "again"); got != "again" {
			t.Errorf("%q", got)
		}
		if got := a.fetch(t, "1", "/teams/", "again"); got != "long" {
			t.Errorf("%q", got)
		}
		a.stop() // its heartbeat
		time.Sleep(9 * 24 * time.Hour)
		a.again(t)
		if got := a.fetch(t, "1", "/teams/", "again"); got != "again" {
			t.Errorf("%q", got)
		}
	})
}

// TestNotShared: keys without a state are not looked up.
func TestNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		before := s.Operations()
		for _, ctx := range []context.Context{t.Context(), canceled(t)} {
			g := generation("")
			if ctx != t.Context() {
				g = "1"
			}
			found, done := a.Claim(ctx, g, "/teams/")
			if found != nil {
				t.Error("found")
			}
			done(answer("/teams/", "1", "x"))
		}
		synctest.Wait()
		if n := s.Operations() - before; n != 0 {
			t.Errorf("%d operations", n)
		}
	})
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
