package generation

import (
	"slices"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/dberror"
)

// TestWantedKeys: a warm set has the keys that the visitors of the fleet want, or if none are
// known, the keys that the cache's visitors want; targets without a route are left out.
func TestWantedKeys(t *testing.T) {
	f := newFixture(t, "/teams/", "/nothing")
	for range 100 {
		if _, _, err := f.cache.Get(&cache.Ref{Key: "/snapshots/"}); err != nil {
			t.Fatal(err)
		}
	}
	if keys := f.warmSet(&store.Generation{}, nil); !slices.Equal(keys, []string{"/teams/", "/snapshots/"}) {
		t.Errorf("by the cache: %q", keys)
	}
	f.opts.Popular = func(n int) []string { return []string{"/nothing", "/metadata/latest"}[:min(n, 2)] }
	if keys := f.warmSet(&store.Generation{}, []string{"/health"}); !slices.Equal(keys, []string{"/teams/", "/health", "/metadata/latest"}) {
		t.Errorf("by the fleet: %q", keys)
	}
	if keys := f.WarmSet(); keys != nil {
		t.Errorf("before the first publish: %q", keys)
	}
}

// TestServerWithoutRoom: a poll that finds no free connection is repeated soon, and is no
// sign of an outage.
func TestServerWithoutRoom(t *testing.T) {
	f := newFixture(t)
	f.err = dberror.ErrBusy
	if pause := f.Once(t.Context()); pause != busyPoll {
		t.Errorf("polls again in %s", pause)
	}
	f.opts.Interval = busyPoll / 2
	if pause := f.Once(t.Context()); pause != busyPoll/2 {
		t.Errorf("polls again in %s", pause)
	}
	if _, err := f.outage.Since(); err != nil {
		t.Error(err)
	}
	select {
	case <-f.Polled():
	default:
		t.Error("the first poll has not ended")
	}
}

// TestChangeFoundByAMember: a change of a table that another member has found makes the
// answers of its readers stale, and no others.
func TestChangeFoundByAMember(t *testing.T) {
	f := newTables(t)
	f.TableChanged(resumes)
	f.peek(t, resume, cache.Stale)
	f.peek(t, menList, cache.Hit)
}

// TestAgedEntriesAreLoadedAgain: after entries became stale by their age, the warm set is
// published again.
func TestAgedEntriesAreLoadedAgain(t *testing.T) {
	f := newTables(t)
	f.opts.Changes.MaxAge = time.Hour
	delete(f.witness.tables, resumes)
	f.witness.aged = time.Now().Add(-2 * time.Hour)
	before := f.Status().Published
	if f.poll(t); f.Status().Published != before+1 {
		t.Errorf("published %d times, then %d", before, f.Status().Published)
	}
	if _, at := f.Published(); at.IsZero() {
		t.Error("no time of the publish")
	}
}

// TestAcceptedChanges: a table that lost its rows is held back once it is quiet, unless an
// operator has accepted the change or it is older than ImplausibleAfter.
func TestAcceptedChanges(t *testing.T) {
	for name, tt := range map[string]struct {
		accept        bool
		settle, older time.Duration // Settle and ImplausibleAfter
		held          int
	}{
		"new": {false, 1, time.Hour, 2}, "accepted": {true, 1, time.Hour, 0}, "old": {false, 1, 1, 0}, "not quiet": {false, time.Hour, time.Hour, 0},
	} {
		f := newTables(t)
		f.opts.Changes.Settle, f.opts.Changes.ImplausibleAfter = tt.settle, tt.older
		f.stamps[resumes] = store.Stamp{Created: "1", Updated: "1", Empty: true}
		f.sets(men, 4, "some")
		f.change(athletes, "2")
		most := 0
		for range 4 {
			f.progress.begun = time.Now()
			f.account(t.Context(), f.generation.Load(), tt.accept)
			f.witness.summing.Wait()
			most = max(most, len(f.HeldTables()))
		}
		if most != tt.held {
			t.Errorf("%s: %d tables are held back, want %d", name, most, tt.held)
		}
		if f.Data([]string{athletes}).Stamps == "" {
			t.Errorf("%s: the state of the table is unknown", name)
		}
	}
}

// TestDroppedEntries: once a table that was empty has rows again, the entries that were read
// meanwhile are dropped, and counted, but not the entries that were read afterwards.
func TestDroppedEntries(t *testing.T) {
	for name, tt := range map[string]struct {
		changed time.Duration
		want    int
	}{"read meanwhile": {time.Hour, 1}, "read afterwards": {-time.Hour, 0}} {
		f := newTables(t)
		now := time.Now()
		one := &table{name: resumes, emptied: true, quiet: now.Add(-2 * time.Hour), changed: now.Add(tt.changed)}
		if n := f.settle(one, change{all: true}, f.generation.Load(), now); n != tt.want {
			t.Errorf("%s: %d entries", name, n)
		}
	}
}

// TestOneReason: of several scopes that have lost rows, the report names the first.
func TestOneReason(t *testing.T) {
	before := map[store.Scope]store.Rows{}
	for _, division := range []string{"2030", "2031", "2032", "2033", "2034"} {
		before[store.Scope{Season: "2025", Division: division, Gender: "M", Checkpoint: store.Live}] = store.Rows{Count: 10}
	}
	one := &table{name: athletes, rows: before, of: generationsOf(before, &store.Generation{})}
	for range 20 {
		if reason := one.shrunk(nil, &store.Generation{}); reason != "2025/2030/M/live has 0 rows instead of 10" {
			t.Fatal(reason)
		}
	}
}

// TestUnknownStates: before the first poll no generation of a scope is known, and a poll that
// is older than three intervals says nothing about the tables.
func TestUnknownStates(t *testing.T) {
	now := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	w := New(Options{Interval: time.Hour, Now: func() time.Time { return now }})
	if seen := w.Seen(men); seen != "" {
		t.Error(seen)
	}
	w.witness.observe((&store.Generation{}).WithStamps(map[string]store.Stamp{"a": {Updated: "1"}}), now)
	w.view.Store(w.witness.viewAt(now))
	now = now.Add(3 * time.Hour)
	if d := w.Data([]string{"a"}); d.Stamps == "" {
		t.Error("a poll three intervals ago is not used")
	}
	now = now.Add(1)
	if d := w.Data([]string{"a"}); d.Stamps != "" {
		t.Errorf("an older poll is used: %+v", d)
	}
}

// TestUnknownScopes: the change of a table without known calculations makes the entries of
// all scopes stale, and a change of one scope also the entries whose scope is not readable.
func TestUnknownScopes(t *testing.T) {
	f := newTables(t)
	var stale []Stale
	f.opts.OnStale = func(s Stale) { stale = append(stale, s) }
	rows := map[store.Scope]store.Rows{men: {Count: 10, Sum: "a"}}
	one := &table{name: athletes, since: time.Now().Add(-time.Hour), rows: rows}
	f.summed(one, sum{table: athletes, begun: time.Now(), rows: rows}, f.generation.Load(), time.Now(), false)
	if len(stale) != 1 || !stale[0].All || stale[0].Table != athletes {
		t.Errorf("%+v", stale)
	}
	f = newTables(t)
	f.scope = func(string) store.Scope { return store.Scope{Season: "not/a/scope/at/all"} }
	f.cache.Purge(func(*cache.Entry) bool { return true }, true)
	f.get(t, womenList, cache.Miss)
	last := time.Now().Add(time.Hour)
	one = &table{name: athletes, since: last, changed: last, quiet: last}
	if n := f.settle(one, change{scopes: []store.Scope{men}}, f.generation.Load(), last); n != 1 {
		t.Errorf("%d entries became stale", n)
	}
}
