package generation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/proxy/pages"
	"github.com/lewistv/xcri-proxy/store"
)

// TestOwnOptionsStay: the documented defaults apply only where no value is set.
func TestOwnOptionsStay(t *testing.T) {
	o := Options{}.withDefaults()
	if o.Popular(1) != nil || o.Rounds == nil || o.Interval != 250*time.Millisecond || !slices.Equal(o.Pages, pages.Default()) || o.Paused() || o.Now().IsZero() {
		t.Errorf("%+v", o)
	}
	o.Ready(context.Background())
	o.OnPublish()
	o.OnStale(Stale{})
	if c := o.Changes; c.Settle != 5*time.Second || c.ImplausibleAfter != 10*time.Minute || c.MaxAge != 10*time.Minute {
		t.Errorf("%+v", c)
	}
	o.Changes.OnUnstamped("a_table")
	calls := 0
	call := func() { calls++ }
	own := Options{
		Pages: []string{}, Interval: time.Hour, Ready: func(context.Context) { call() }, OnPublish: call, OnStale: func(Stale) { call() },
		Popular: func(int) []string { call(); return nil }, Rounds: agree.Alone(),
		Paused: func() bool { call(); return true }, Now: func() time.Time { call(); return time.Time{} },
		Changes: Changes{Settle: 1, ImplausibleAfter: 2, MaxAge: 3, OnUnstamped: func(string) { call() }},
	}
	rounds := own.Rounds
	own = own.withDefaults()
	own.Popular(1)
	own.Ready(context.Background())
	own.OnPublish()
	own.OnStale(Stale{})
	own.Changes.OnUnstamped("a_table")
	if !own.Paused() || !own.Now().IsZero() || calls != 7 || own.Rounds != rounds || len(own.Pages) != 0 || own.Interval != time.Hour {
		t.Errorf("%+v, %d calls", own, calls)
	}
	if c := own.Changes; c.Settle != 1 || c.ImplausibleAfter != 2 || c.MaxAge != 3 {
		t.Errorf("%+v", c)
	}
}

// TestRetriesOfKeys: keys that could not be warmed are tried again after a pause that
// doubles from 30 s to 10 minutes, and begins anew with another generation. A key whose data
// has moved on is none of them.
func TestRetriesOfKeys(t *testing.T) {
	var p progress
	now := time.Now()
	failed, moved := []cache.Warmed{{Err: errors.New("fails")}}, []cache.Warmed{{}, {Err: cache.ErrMoved}}
	if !p.due("1", now) {
		t.Error("a first generation is not due")
	}
	for _, seconds := range []int{30, 60, 120, 240, 480, 600, 600} {
		want := time.Duration(seconds) * time.Second
		p.published("1", failed, now)
		if p.due("1", now.Add(want-1)) || !p.due("1", now.Add(want)) || !p.due("2", now) {
			t.Errorf("tried again at %v, want after %v", p.retryAt.Sub(now), want)
		}
	}
	p.published("2", failed, now)
	if !p.due("2", now.Add(30*time.Second)) {
		t.Errorf("another generation is tried again after %v", p.retryAt.Sub(now))
	}
	p.published("2", moved, now)
	if p.due("2", now.Add(time.Hour)) {
		t.Error("data that has moved on is tried again")
	}
	p.published("2", failed, now)
	if !p.due("2", now.Add(30*time.Second)) || p.due("2", now.Add(30*time.Second-1)) {
		t.Errorf("after a success: %v", p.retryAt.Sub(now))
	}
}

// TestMovedGenerations: a generation that a fill has found to be outdated is given up once,
// for 10 s of imports; a publish ends the count.
func TestMovedGenerations(t *testing.T) {
	var p progress
	now := time.Now()
	for _, step := range []struct {
		id    string
		after time.Duration
		want  bool
	}{{"1", 0, true}, {"1", 1, false}, {"2", maxDelay - 1, true}, {"3", maxDelay, false}, {"3", 0, false}} {
		if got := p.worthAnotherTry(step.id, now.Add(step.after)); got != step.want {
			t.Errorf("%s after %v: %t", step.id, step.after, got)
		}
	}
	p.published("3", nil, now)
	if now = now.Add(time.Hour); !p.worthAnotherTry("4", now) || !p.worthAnotherTry("5", now.Add(maxDelay-1)) {
		t.Error("the time counts from before the publish")
	}
}

// TestRequestsOfPolls: a request is served by the next poll, which also ends an acceptance if
// it succeeds. Requested keys are each warmed once and stay for their generation.
func TestRequestsOfPolls(t *testing.T) {
	w := New(Options{})
	if !w.requests.idle() {
		t.Error("a request before the first")
	}
	w.Later([]string{"a", "b", "a"})
	w.Later(nil)
	ticket := w.Accept([]string{"c"})
	if len(w.wake) != 1 || w.requests.idle() || ticket != 1 {
		t.Errorf("ticket %d, %d to wake", ticket, len(w.wake))
	}
	work := w.requests.take()
	if !work.accept || !work.pending || work.ticket != 1 || !slices.Equal(work.keysFor("1"), []string{"a", "b", "c"}) {
		t.Errorf("%+v", work)
	}
	w.requests.end(&work, errors.New("fails"))
	if s := w.Status(); s.Looked != 1 || s.Error != "fails" || s.LookError != "fails" || !w.requests.idle() || !w.requests.take().accept {
		t.Errorf("%+v", s)
	}
	w.Later([]string{"d"})
	w.requests.published(&work, "1")
	w.requests.end(&work, nil)
	if s := w.Status(); s.Error != "fails" || s.LookError != "" || w.requests.take().accept {
		t.Errorf("%+v", s)
	}
	work = w.requests.take()
	if !slices.Equal(work.keysFor("1"), []string{"a", "b", "c", "d"}) || !slices.Equal(work.keysFor("2"), []string{"d"}) || !work.pending {
		t.Errorf("%+v", work)
	}
	w.requests.published(&work, "2")
	if work = w.requests.take(); work.pending || !slices.Equal(work.keysFor("2"), []string{"d"}) || work.keysFor("3") != nil {
		t.Errorf("%+v", work)
	}
	w.Refill()
	if work = w.requests.take(); !work.pending || len(w.wake) != 1 {
		t.Errorf("%+v", work)
	}
	w.Refill()
	if w.requests.published(&work, "2"); !w.requests.take().pending {
		t.Error("a refill that was requested meanwhile is lost")
	}
	if w.Poll(nil) != 2 {
		t.Error("two requests with one ticket")
	}
}

// TestNewestKeys: of too many requested keys the newest stay, each once at its first place.
func TestNewestKeys(t *testing.T) {
	var keys []string
	for i := range maxRequested + 2 {
		keys = append(keys, fmt.Sprint(i))
	}
	if got := newest(append(keys, "5")); len(got) != maxRequested || got[0] != "2" || got[maxRequested-1] != fmt.Sprint(maxRequested+1) {
		t.Errorf("%d keys from %s to %s", len(got), got[0], got[len(got)-1])
	}
}

// TestShrunkTable: a scope is suspect if it has lost more than half of its rows without a
// calculation that says so. Calculations say nothing about some tables.
func TestShrunkTable(t *testing.T) {
	g := calculated(2)
	s := g.Live()[0]
	rows := func(n int64) map[store.Scope]store.Rows { return map[store.Scope]store.Rows{s: {Count: n}} }
	of := func(g *store.Generation) map[store.Scope]string { return map[store.Scope]string{s: g.Of(s)} }
	for name, tt := range map[string]struct {
		table
		after map[store.Scope]store.Rows
		want  bool
	}{
		"half":                     {table{rows: rows(10), of: of(g)}, rows(5), false},
		"less than half":           {table{rows: rows(10), of: of(g)}, rows(4), true},
		"all":                      {table{rows: rows(1), of: of(g)}, nil, true},
		"calculated again":         {table{rows: rows(10), of: of(calculated(1))}, rows(1), false},
		"calculations say nothing": {table{name: store.UncoveredTables()[0], rows: rows(10), of: of(calculated(1))}, rows(1), true},
	} {
		if got := tt.shrunk(tt.after, g); (got != "") != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestTableSettles: a change counts once the table was quiet for Settle, or has not rested
// for six times as long; a change that is held back waits for another.
func TestTableSettles(t *testing.T) {
	now := time.Now()
	const settle = time.Minute
	held, other := store.Stamp{Created: "1", Updated: "1"}, store.Stamp{Created: "1", Updated: "2"}
	for name, tt := range map[string]struct {
		table
		want bool
	}{
		"no change":            {table{}, false},
		"just changed":         {table{since: now.Add(-settle), changed: now.Add(1 - settle)}, false},
		"quiet":                {table{since: now.Add(-settle), changed: now.Add(-settle)}, true},
		"restless":             {table{since: now.Add(-6 * settle), changed: now}, true},
		"not restless yet":     {table{since: now.Add(1 - 6*settle), changed: now}, false},
		"held back":            {table{since: now.Add(-settle), changed: now.Add(-settle), held: "empty", heldAt: held, seen: held}, false},
		"another change since": {table{since: now.Add(-settle), changed: now.Add(-settle), held: "empty", heldAt: held, seen: other}, true},
	} {
		if got := tt.due(now, settle); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestConfirmed: a hit was last confirmed by the poll that returned its generation, if that
// is after its fill; any other answer, when it was filled.
func TestConfirmed(t *testing.T) {
	w := New(Options{})
	filled := time.Now()
	e := &cache.Entry{Filled: filled}
	if !w.Confirmed().IsZero() || !w.ConfirmedOf(e, cache.Hit).Equal(filled) {
		t.Error("confirmed before the first poll")
	}
	for _, offset := range []time.Duration{-time.Second, time.Second} {
		at, want := filled.Add(offset), filled
		w.confirmed.Store(&at)
		if offset > 0 {
			want = at
		}
		if got := w.ConfirmedOf(e, cache.Hit); !got.Equal(want) || !w.ConfirmedOf(e, cache.Stale).Equal(filled) || !w.Confirmed().Equal(at) {
			t.Errorf("%v: %v", offset, got.Sub(filled))
		}
	}
}

// TestHeldTables: the tables are reported by name, and those held back with the reason.
func TestHeldTables(t *testing.T) {
	w := New(Options{})
	if w.Tables() != nil || len(w.HeldTables()) != 0 {
		t.Errorf("%v", w.Tables())
	}
	since := time.Now()
	w.witness.tables = map[string]*table{"b": {seen: store.Stamp{Created: "1", Updated: "1"}}, "a": {since: since, held: "empty"}}
	tables := w.witness.status()
	w.tables.Store(&tables)
	if want := []Table{{"a", false, since, "empty"}, {"b", true, time.Time{}, ""}}; !slices.Equal(w.Tables(), want) || !slices.Equal(w.HeldTables(), []string{"a: empty"}) {
		t.Errorf("%+v", w.Tables())
	}
}
