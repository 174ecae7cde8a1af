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

// TestAcceptedChanges: a table that lost its rows is held back, unless an operator has
// accepted the change or it is older than ImplausibleAfter when it is due.
func TestAcceptedChanges(t *testing.T) {
	for name, tt := range map[string]struct {
		accept bool
		after  time.Duration // ImplausibleAfter
		held   bool
	}{"new": {false, time.Hour, true}, "accepted": {true, time.Hour, false}, "old": {false, 1, false}} {
		f := newTables(t)
		f.opts.Changes.ImplausibleAfter = tt.after
		f.stamps[resumes] = store.Stamp{Created: "1", Updated: "1", Empty: true}
		f.sets(men, 4, "some")
		f.change(athletes, "2")
		for range 4 {
			f.progress.begun = time.Now()
			f.account(t.Context(), f.generation.Load(), tt.accept)
			f.witness.summing.Wait()
		}
		if held := f.HeldTables(); (len(held) == 2) != tt.held || !tt.held && len(held) > 0 {
			t.Errorf("%s: %q", name, held)
		}
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
