package proxy

import (
	"database/sql"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
)

// stateful is a member of a fleet that keeps its state in a text, as in a file, over its
// restarts.
type stateful struct {
	*Proxy
	base string
	mu   sync.Mutex
	text []byte
}

// restart starts the member, the first time or again.
func (m *stateful) restart(t *testing.T, opts Options, db *sql.DB, url string) {
	t.Helper()
	name := ""
	if m.Proxy != nil {
		name = m.opts.Fleet.Name
	}
	opts = fleetOptions(t, opts, db, url)
	if name != "" {
		opts.Fleet.Name = name
	}
	m.mu.Lock()
	if m.text != nil {
		if err := json.Unmarshal(m.text, &opts.State); err != nil {
			t.Error(err)
		}
	}
	m.mu.Unlock()
	opts.OnState = func(s State) (err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.text, err = json.MarshalIndent(s, "", "  ")
		return err
	}
	p, base := start(t, opts)
	m.Proxy, m.base = p, base
}

// end stops the member's part in the fleet. Its proxy keeps no state any more.
func (m *stateful) end() {
	m.opts.Fleet.Engine.Close()
	m.state.mu.Lock()
	defer m.state.mu.Unlock()
	m.state.keep = func(State) error { return nil }
}

func (m *stateful) linked(t *testing.T, up bool) {
	t.Helper()
	await(t, "the link", func() bool { return m.fleet.Stats().Up == up })
}

func (m *stateful) source() string { return m.origins.SourceOf(m.router.Of("/teams/")).String() }

// shown counts the events that show operators a change of source or of maintenance mode.
func (m *stateful) shown() (n int) {
	for _, e := range m.events.All() {
		if e.Kind == events.Source || e.Kind == events.Maintenance || e.Kind == events.Reopen {
			n++
		}
	}
	return n
}

// TestStateOfTheFleet: with a real Redis, the sources and maintenance mode of a fleet outlive the
// restart of each member, and a Redis that is flushed or starts again empty; so do actions that
// were made while it was away, and changes of one member alone. No restart shows old changes.
func TestStateOfTheFleet(t *testing.T) {
	opts, db := scratch(t)
	old := awayLegacy(t)
	opts.Legacy = old
	opts.Generations.Pages = []string{}
	s := redisserver.Start(t)
	var a, b, c stateful
	a.restart(t, opts, db, s.URL)
	b.restart(t, opts, db, s.URL)
	a.linked(t, true)
	b.linked(t, true)
	state := func(m *stateful, source string, on bool) {
		t.Helper()
		await(t, "source "+source, func() bool { return m.source() == source && m.maintenance.On() == on })
	}
	post(t, a.base, "/cache/source", `{"source":"legacy","routes":["/teams/"]}`)
	post(t, a.base, "/cache/maintenance", `{"on":true,"message":"an import"}`)
	state(&b, "legacy", true)
	post(t, b.base, "/cache/maintenance", `{"on":false,"local":true}`)
	post(t, b.base, "/cache/source", `{"source":"store","routes":["/teams/"],"local":true}`)
	b.end()
	b.restart(t, opts, db, s.URL)
	b.linked(t, true)
	if b.shown() != 0 || b.source() != "store" || b.maintenance.On() {
		t.Errorf("after a restart: %d changes shown, source %s, maintenance %t", b.shown(), b.source(), b.maintenance.On())
	}
	s.Do("FLUSHALL")
	c.restart(t, opts, db, s.URL)
	state(&c, "legacy", true)
	state(&a, "legacy", true)
	state(&b, "store", false)

	s.Kill()
	for _, m := range []*stateful{&a, &b, &c} {
		m.linked(t, false)
	}
	post(t, a.base, "/cache/maintenance", `{"on":true,"message":"a longer import"}`)
	post(t, a.base, "/cache/source", `{"source":"auto","routes":["/teams/"]}`)
	post(t, a.base, "/cache/purge", `{"all":true}`)
	a.end()
	s.Run() // empty
	b.linked(t, true)
	c.linked(t, true)
	a.restart(t, opts, db, s.URL)
	for _, m := range []*stateful{&a, &b, &c} {
		state(m, "auto", true)
		await(t, "the message", func() bool { return m.Maintenance().Message == "a longer import" })
	}
	if n := a.shown(); n != 0 {
		t.Errorf("%d changes shown after a restart", n)
	}
	await(t, "the purge on the others", func() bool { return has(b.Proxy, events.Purge) && has(c.Proxy, events.Purge) })
	post(t, c.base, "/cache/maintenance", `{"on":false}`)
	post(t, c.base, "/cache/source", `{"reset":true}`)
	for _, m := range []*stateful{&a, &b, &c} {
		state(m, "store", false)
	}
}

// TestOldStateFile: the state of a version that kept no actions holds in a fleet, until the fleet
// changes it. Without a fleet no actions are kept.
func TestOldStateFile(t *testing.T) {
	opts, db := scratch(t)
	old := awayLegacy(t)
	opts.Legacy = old
	opts.Generations.Pages = []string{}
	s := redisserver.Start(t)
	m := stateful{text: []byte(`{"maintenance":{"since":"2025-11-01T12:00:00Z","message":"old"},"sources":{"/teams/":"legacy"}}`)}
	m.restart(t, opts, db, s.URL)
	m.linked(t, true)
	post(t, m.base, "/cache/source", `{"source":"auto","routes":["/athletes/"]}`)
	m.end()
	m.restart(t, opts, db, s.URL)
	m.linked(t, true)
	if m.source() != "legacy" || m.Maintenance() == nil || m.Maintenance().Message != "old" || m.shown() != 0 {
		t.Errorf("source %s, maintenance %+v, %d changes shown", m.source(), m.Maintenance(), m.shown())
	}
	var other stateful
	other.restart(t, opts, db, s.URL)
	other.linked(t, true)
	if other.source() != "store" || other.maintenance.On() || other.origins.SourceOf(other.router.Of("/athletes/")).String() != "auto" {
		t.Errorf("another member: source %s, maintenance %t", other.source(), other.maintenance.On())
	}
	post(t, other.base, "/cache/maintenance", `{"on":false}`)
	post(t, other.base, "/cache/source", `{"reset":true}`)
	await(t, "the reset", func() bool { return m.source() == "store" && !m.maintenance.On() })

	var kept State
	alone := opts
	alone.State.Fleet, alone.OnState = &fleet.Kept{}, func(s State) error { kept = s; return nil }
	_, base := start(t, alone)
	post(t, base, "/cache/maintenance", `{"on":true}`)
	if kept.Maintenance == nil || kept.Fleet != nil {
		t.Errorf("%+v", kept)
	}
}

// TestSavedEntriesAndALostLog: saved entries from before the begin of the log are stale in a
// fleet: a purge may have been lost.
func TestSavedEntriesAndALostLog(t *testing.T) {
	opts, db := scratch(t)
	opts.Generations.Pages = []string{}
	s := redisserver.Start(t)
	var m stateful
	m.restart(t, opts, db, s.URL)
	m.linked(t, true)
	target := warmTargets(live[0])[0]
	steady(t, []*Proxy{m.Proxy})
	await(t, "a hit", func() bool { return get(t, m.base, target).outcome() == "hit" })
	saved := m.cache.Export()
	m.end()
	s.Do("FLUSHALL")
	opts.Saved = saved
	begun := time.Now()
	m.restart(t, opts, db, s.URL)
	await(t, "the purge of the saved entries", func() bool {
		return slices.ContainsFunc(m.events.All(), func(e events.Event) bool { return e.Kind == events.Purge })
	})
	for _, e := range saved { // the warm set may have been filled anew since
		if sight := m.cache.Peek(&cache.Ref{Key: e.Key}); sight.Outcome == cache.Hit && sight.Entry.Filled.Before(begun) {
			t.Errorf("%s: a hit from before the purge", e.Key)
		}
	}
}
