package generation

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/generation/note"
	"github.com/lewistv/xcri-proxy/store"
)

// TestAuditsGrowRarer: the pause before an audit doubles from a minute to the longest.
func TestAuditsGrowRarer(t *testing.T) {
	var a audit
	now := time.Now()
	const longest = 10 * time.Minute
	a.restart(now, longest)
	for _, want := range []int{1, 2, 4, 8, 10, 10} {
		if a.pause != time.Duration(want)*time.Minute || !a.at.Equal(now.Add(a.pause)) {
			t.Errorf("%v, want %d minutes", a.pause, want)
		}
		a.next(now, longest)
	}
	if a.restart(now, time.Second); a.pause != time.Second {
		t.Errorf("%v", a.pause)
	}
	a = audit{}
	if a.next(now, longest); a.pause != time.Minute {
		t.Errorf("a first audit fails: %v", a.pause)
	}
}

// TestAuditResults: an audit that cannot read a table keeps the rows that are known, and an
// audit that finds other rows is a change.
func TestAuditResults(t *testing.T) {
	w := New(Options{})
	g, begun := calculated(1), time.Now()
	rows, other := map[store.Scope]store.Rows{men: {Count: 1}}, map[store.Scope]store.Rows{men: {Count: 2}}
	one := &table{}
	if w.audited(one, sum{err: errors.New("fails")}, g, begun) || one.rows == nil || len(one.rows) != 0 {
		t.Errorf("no rows yet: %+v", one)
	}
	one = &table{rows: rows, of: generationsOf(rows, g)}
	if w.audited(one, sum{err: errors.New("fails")}, g, begun) || len(one.rows) != 1 || !one.audit.at.Equal(begun.Add(firstAudit)) {
		t.Errorf("known rows: %+v", one)
	}
	if w.audited(one, sum{stamp: store.Stamp{Updated: "2"}, rows: other}, g, begun) {
		t.Error("a change that was accepted meanwhile counts")
	}
	if w.audited(one, sum{rows: rows}, g, begun) || one.audit.pause != 2*firstAudit {
		t.Errorf("the same rows: %+v", one)
	}
	if !w.audited(one, sum{begun: begun, rows: other}, g, begun) || !one.audit.found || !one.since.Equal(begun) || !one.changed.Equal(begun) {
		t.Errorf("other rows: %+v", one)
	}
}

// TestAgeOfTables: once in MaxAge, the entries of the tables whose changes neither the server
// nor a calculation reports become stale.
func TestAgeOfTables(t *testing.T) {
	f := newTables(t)
	var stale []string
	f.opts.OnStale = func(s Stale) { stale = append(stale, s.Table) }
	f.opts.Changes.MaxAge = time.Hour
	known := store.UncoveredTables()[0]
	f.witness.tables[known] = &table{seen: store.Stamp{Updated: "1"}}
	delete(f.witness.tables, resumes)
	begun := time.Now()
	f.witness.aged = time.Time{}
	for _, step := range []struct {
		after  time.Duration
		purged int
		tables int
	}{{0, 0, 0}, {time.Hour - 1, 0, 0}, {time.Hour, 2, 3}, {time.Hour, 0, 0}, {2*time.Hour - 1, 0, 0}} {
		stale = nil
		if purged := f.age(begun.Add(step.after)); purged != step.purged || len(stale) != step.tables || slices.Contains(stale, known) {
			t.Errorf("after %v: %d entries, tables %v", step.after, purged, stale)
		}
	}
	f.peek(t, resume, cache.Stale)
}

// TestHeldGenerationIsLoggedOnce: a generation that is held back is logged once, and the time
// counts from the first implausible generation in a row.
func TestHeldGenerationIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	f := newFixture(t)
	f.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	whole, half := store.NewGeneration(rankings(men, 1, 10), rankings(women, 2, 10)), store.NewGeneration(rankings(men, 3, 4), rankings(women, 2, 10))
	f.generation.Store(whole)
	f.Once(t.Context())
	lines := func() int { return strings.Count(log.String(), "generation held back") }
	for range 3 {
		if err := f.hold(half, false); !errors.Is(err, ErrHeld) || lines() != 1 {
			t.Errorf("%v, %d lines of log", err, lines())
		}
		f.sleep(time.Minute)
	}
	if err := f.hold(store.NewGeneration(), false); !errors.Is(err, ErrHeld) || lines() != 2 || !f.Status().HeldSince.Equal(f.now().Add(-3*time.Minute)) {
		t.Errorf("%v, %d lines of log, %+v", err, lines(), f.Status())
	}
	if err := f.hold(whole, false); err != nil || f.progress.held != (held{}) {
		t.Errorf("%v, %+v", err, f.progress.held)
	}
	if err := f.hold(half, true); err != nil {
		t.Errorf("accepted: %v", err)
	}
	if f.HeldFor() != 10*time.Minute {
		t.Error(f.HeldFor())
	}
}

// TestUnreadableScopesOfANote: rows of a note whose scopes cannot be read are unknown.
func TestUnreadableScopesOfANote(t *testing.T) {
	var one table
	if one.remember([]note.Scope{{Scope: men.String()}, {Scope: "garbage"}}); one.rows != nil || one.of != nil {
		t.Errorf("%+v", one)
	}
	if one.remember([]note.Scope{{Scope: men.String(), Rows: store.Rows{Count: 3}, Of: "g"}}); one.rows[men].Count != 3 || one.of[men] != "g" {
		t.Errorf("%+v", one)
	}
}

// TestSavedStamps: a stamp that was recent when it was saved proves nothing, nor does a time
// after the present. Rows are known only of tables that the note has.
func TestSavedStamps(t *testing.T) {
	sure, recent := store.Stamp{Created: "1", Updated: "1"}, store.Stamp{Created: "1", Updated: "2", Recent: true}
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	x := newWitness(Note{
		Stamps: map[string]store.Stamp{"sure": sure, "recent": recent}, Quiet: map[string]time.Time{"sure": past, "recent": future},
		Tables: map[string][]note.Scope{"sure": {{Scope: men.String()}}},
	})
	if one := x.tables["sure"]; one.seen != sure || one.settled != sure || !one.quiet.Equal(past) || len(one.rows) != 1 || one.name != "sure" {
		t.Errorf("%+v", one)
	}
	if one := x.tables["recent"]; one.seen != (store.Stamp{}) || one.settled != (store.Stamp{}) || !one.quiet.IsZero() || one.rows != nil || one.of != nil {
		t.Errorf("%+v", one)
	}
}

// TestObserve: the first stamp of a table is its state, unless it is recent; each other stamp
// is a change, which began with the first of them.
func TestObserve(t *testing.T) {
	x := newWitness(Note{})
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	observe := func(s int64, a, b store.Stamp) {
		x.observe((&store.Generation{}).WithStamps(map[string]store.Stamp{"a": a, "b": b}), at(s))
	}
	first, second, empty := store.Stamp{Updated: "1"}, store.Stamp{Updated: "2"}, store.Stamp{Updated: "2", Empty: true}
	recent := first
	recent.Recent = true
	observe(1, first, recent)
	a, b := x.tables["a"], x.tables["b"]
	if a.name != "a" || !a.since.IsZero() || !a.quiet.Equal(at(1)) || !b.since.Equal(at(1)) || !b.changed.Equal(at(1)) || b.settled != recent {
		t.Errorf("%+v, %+v", a, b)
	}
	observe(2, first, first)
	if !a.quiet.Equal(at(2)) || !b.quiet.Equal(at(1)) || !b.changed.Equal(at(1)) {
		t.Errorf("%+v, %+v", a, b)
	}
	observe(3, empty, first)
	observe(4, second, first)
	if !a.since.Equal(at(3)) || !a.changed.Equal(at(4)) || !a.emptied || a.seen != second || a.settled != first || !a.quiet.Equal(at(2)) || b.emptied {
		t.Errorf("%+v, %+v", a, b)
	}
}

// TestStatusOfAWarmUp: the status names the generation and counts its keys while they are
// warmed, and keeps the slowest key, the last error and the time. Ready comes first.
func TestStatusOfAWarmUp(t *testing.T) {
	f := newFixture(t, "/metadata/latest", "/health")
	var mu sync.Mutex // fills run concurrently
	ready, during := 0, []Status{}
	f.opts.Ready = func(context.Context) { ready++ }
	f.generation.Store(calculated(7))
	f.run = func(context.Context, string) (store.Answer, error) {
		mu.Lock()
		if during = append(during, f.Status()); ready != 1 {
			t.Errorf("%d calls of Ready before the first fill", ready)
		}
		mu.Unlock()
		f.sleep(3 * time.Second)
		return store.Answer{Generation: f.generation.Load().Of(store.Scope{})}, nil
	}
	f.Once(t.Context())
	g := f.generation.Load()
	if s := during[0]; !s.Warming || s.Generation != g.ID() || s.Calculated != g.Calculated() || s.Keys < 2 || s.Published != 0 || s.Done != 0 {
		t.Errorf("%+v", s)
	}
	s := f.Status()
	if s.Warming || s.Published != 1 || s.Done != s.Keys || s.Filled != s.Keys || s.Seconds != float64(3*len(during)) || s.Bytes == 0 || ready != 1 {
		t.Errorf("%+v, %d fills", s, len(during))
	}
	if f.Seen(men) == "" || f.Seen(men) != g.Of(men) {
		t.Errorf("seen %q", f.Seen(men))
	}
	if at, _ := f.Published(); at == nil {
		t.Error("nothing is published")
	}
}

// TestWarmedKeys: a key counts as filled or failed, and failures are logged unless they say
// nothing about the database.
func TestWarmedKeys(t *testing.T) {
	var log bytes.Buffer
	f := newFixture(t)
	f.opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	entry := func(took time.Duration) *cache.Entry { return &cache.Entry{Took: took} }
	start := f.now()
	f.sleep(2 * time.Second)
	for _, k := range []cache.Warmed{
		{Key: "a", Filled: true, Entry: entry(2 * time.Second)}, {Key: "b", Filled: true, Entry: entry(time.Second)}, {Key: "c", Entry: entry(time.Minute)},
		{Key: "d", Err: errors.New("fails")}, {Key: "e", Err: cache.ErrMoved}, {Key: "f", Err: context.Canceled},
	} {
		f.warmed(k, start)
	}
	s := f.Status()
	if s.Done != 6 || s.Filled != 2 || s.Failed != 3 || s.Bytes != 2*entry(0).Cost() || s.Slowest != "a" || s.SlowestSeconds != 2 || s.Seconds != 2 || s.Error != "f: context canceled" {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(log.String(), "not warmed"); n != 1 || !strings.Contains(log.String(), "key=d") {
		t.Errorf("%d lines of log: %s", n, log.String())
	}
}

// TestObstacles: the end of the program, an outage and maintenance mode are reasons not to
// publish a warm set; in maintenance mode a requested poll publishes it.
func TestObstacles(t *testing.T) {
	f := newFixture(t)
	g := generation{calculated(1)}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := f.obstacle(ended, g, nil); err != context.Canceled {
		t.Errorf("the end: %v", err)
	}
	if err := f.obstacle(t.Context(), g, []cache.Warmed{{}, {Err: context.Canceled}}); err != context.Canceled {
		t.Errorf("the end of the cache: %v", err)
	}
	moved := []cache.Warmed{{Err: cache.ErrMoved}}
	if first, again := f.obstacle(t.Context(), g, moved), f.obstacle(t.Context(), g, moved); first != cache.ErrMoved || again != nil {
		t.Errorf("moved: %v, then %v", first, again)
	}
	f.outage.Down(store.ErrUnavailable)
	if err := f.obstacle(t.Context(), g, nil); err != store.ErrUnavailable {
		t.Errorf("an outage: %v", err)
	}
	f.outage.Up()
	if err := f.obstacle(t.Context(), g, nil); err != nil {
		t.Error(err)
	}
	f.paused.Store(true)
	if err := f.obstacle(t.Context(), g, nil); err != errPaused {
		t.Errorf("maintenance mode: %v", err)
	}
	f.Poll(nil)
	if err := f.obstacle(t.Context(), g, nil); err != nil {
		t.Errorf("a requested poll in maintenance mode: %v", err)
	}
}

// TestEndOfAPoll: a poll that was not asked to accept a state leaves the request to accept.
func TestEndOfAPoll(t *testing.T) {
	w := New(Options{})
	work := w.requests.take()
	w.Accept(nil)
	if w.requests.end(&work, nil); !w.requests.take().accept || w.requests.idle() {
		t.Error("a request to accept is lost")
	}
}

// TestDelayedPublish: a poll whose publish maintenance mode delays has not ended: it goes on
// immediately after.
func TestDelayedPublish(t *testing.T) {
	f := newFixture(t, "/health")
	f.Once(t.Context())
	f.generation.Store(calculated(1))
	f.run = func(context.Context, string) (store.Answer, error) {
		f.paused.Store(true)
		return store.Answer{Generation: f.generation.Load().Of(store.Scope{})}, nil
	}
	if pause := f.Once(t.Context()); pause != 0 || f.Status().LookError != "" || f.Status().Published != 1 {
		t.Errorf("%v, %+v", pause, f.Status())
	}
	ended, end := context.WithCancel(t.Context())
	end()
	f.paused.Store(false)
	f.err = context.Canceled
	if pause := f.Once(ended); pause != f.opts.Interval || f.Status().LookError != "" {
		t.Errorf("the end of the program: %v, %+v", pause, f.Status())
	}
}

// TestPausesAfterFailures: the pause after polls that fail in a row doubles from 10 ms, and
// ends with a success.
func TestPausesAfterFailures(t *testing.T) {
	f := newFixture(t)
	f.err = store.ErrUnavailable
	for _, want := range []int{10, 20, 40, 80, 160, 320, 500, 500} {
		if f.Once(t.Context()); f.backoff != time.Duration(want)*time.Millisecond {
			t.Errorf("%v, want %d ms", f.backoff, want)
		}
	}
	f.err = nil
	if f.Once(t.Context()); f.backoff != 0 {
		t.Errorf("%v after a success", f.backoff)
	}
}

// TestEntriesWithoutAGeneration: an entry that was made without the database is always fresh;
// any other, if its scope is as it was.
func TestEntriesWithoutAGeneration(t *testing.T) {
	g := generation{calculated(1)}
	for name, tt := range map[string]struct {
		cache.Content
		want bool
	}{
		"no generation":      {cache.Content{Scope: "garbage"}, true},
		"no scope":           {cache.Content{Generation: g.Of(men), Scope: "garbage"}, false},
		"the scope's":        {cache.Content{Generation: g.Of(men), Scope: men.String()}, true},
		"another generation": {cache.Content{Generation: calculated(2).Of(men), Scope: men.String()}, false},
	} {
		if got := g.Holds(&cache.Entry{Content: tt.Content}); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestDataNamesEmptyTables: a table that has been emptied is another state, although no time
// of it has changed.
func TestDataNamesEmptyTables(t *testing.T) {
	f := newFixture(t)
	data := func(s store.Stamp, after time.Duration) Data {
		f.view.Store(&view{f.now(), map[string]seen{athletes: {stamp: s}}})
		f.sleep(after)
		return f.Data([]string{athletes})
	}
	full, empty := data(store.Stamp{Updated: "1"}, 0), data(store.Stamp{Updated: "1", Empty: true}, 0)
	if full.Stamps == empty.Stamps || full.Stamps == "" || !full.Sure || !full.Settled || full.MaxAge != 0 {
		t.Errorf("%+v, %+v", full, empty)
	}
	if d := data(store.Stamp{Updated: "1"}, viewAge); d != full {
		t.Errorf("after %v: %+v", viewAge, d)
	}
	if d := data(store.Stamp{Updated: "1"}, viewAge+1); d != (Data{}) {
		t.Errorf("too old: %+v", d)
	}
}

// TestSummedRows: an audit without a change makes nothing stale, and asks for no refill; rows
// that cannot be read after a change make all entries of the table stale, as do rows that
// change without rest. Rows that have changed meanwhile are read again.
func TestSummedRows(t *testing.T) {
	for name, tt := range map[string]struct {
		since, changed time.Duration // ago; zero means no change
		moved          bool
		err            error
		purged         int
		settled        bool
	}{
		"an audit":          {0, 0, false, nil, 0, true},
		"cannot be read":    {time.Minute, time.Minute, false, errors.New("fails"), 4, true},
		"changed meanwhile": {6*time.Minute - 1, 0, true, nil, 0, false},
		"never rests":       {6 * time.Minute, 0, true, nil, 4, true},
	} {
		f := newTables(t)
		f.opts.Changes.Settle = time.Minute
		one, begun := f.witness.tables[athletes], time.Now().Add(time.Hour)
		if tt.since > 0 {
			one.since, one.changed = begun.Add(-tt.since), begun.Add(-tt.changed)
		}
		s := sum{table: athletes, begun: begun, stamp: one.seen, rows: f.rows[athletes], err: tt.err}
		if tt.moved {
			s.stamp.Updated = "another"
		}
		if purged := f.summed(one, s, f.generation.Load(), begun, false); purged != tt.purged || one.since.IsZero() != tt.settled {
			t.Errorf("%s: %d entries, changing since %v", name, purged, one.since)
		}
	}
}
