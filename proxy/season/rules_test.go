package season

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// keeping is a Cache that answers each key by its function.
type keeping func(key string) (*cache.Entry, bool, error)

func (keeping) Season(f func() bool)             { f() }
func (keeping) Asked(func(*cache.Entry, uint32)) {}
func (f keeping) Keep(_ context.Context, key string) (*cache.Entry, bool, error) {
	return f(key)
}

// athletesOnly returns a plan of n answers about athletes.
func athletesOnly(n int) *plan {
	l := &live{Scope: men, subjects: &store.Subjects{Athletes: make([]int64, n)}}
	for i := range l.subjects.Athletes {
		l.subjects.Athletes[i] = int64(i + 1)
	}
	kind := slices.IndexFunc(kinds, func(k kind) bool { return k.name == "athletes" })
	return &plan{streams: []stream{{kind: kind, of: l, count: n, weight: 1}}, keys: n}
}

// walker returns a Walker of a cache, which does not run.
func walker(c Cache) *Walker {
	return New(Options{Cache: c, Outage: cache.NewOutage(nil), Routes: route.NewRouter(store.Endpoints(), "")})
}

// TestBreath: a walk over answers that need no fill leaves the processor to requests for
// 1 ms after each 64 of them. A fill needs no such pause.
func TestBreath(t *testing.T) {
	for name, tt := range map[string]struct {
		keys  int
		fills func(n int) bool // whether the n-th key is filled
		want  time.Duration
	}{
		"all fresh":                {200, func(int) bool { return false }, 3 * time.Millisecond},
		"filled now and then":      {200, func(n int) bool { return n%60 == 0 }, 0},
		"too few":                  {63, func(int) bool { return false }, 0},
		"just enough":              {64, func(int) bool { return false }, time.Millisecond},
		"too few after a fill":     {64, func(n int) bool { return n == 1 }, 0},
		"just enough after a fill": {65, func(n int) bool { return n == 1 }, time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			w := walker(keeping(func(string) (*cache.Entry, bool, error) {
				n++
				return &cache.Entry{}, tt.fills(n), nil
			}))
			p := athletesOnly(tt.keys)
			w.begin(p, "g")
			begun := time.Now()
			reached, done := w.keepAll(t.Context(), p)
			if took := time.Since(begun); took != tt.want || !reached || !done || n != tt.keys {
				t.Errorf("%s: %d keys in %v, want %v", name, n, took, tt.want)
			}
		})
	}
}

// TestFailuresInARow: twenty failures in a row end a walk, unless they say nothing about the
// database; a success begins the count anew.
func TestFailuresInARow(t *testing.T) {
	fails := errors.New("fails")
	for name, tt := range map[string]struct {
		err     func(n int) error
		reached bool
		status  Counts
	}{
		"all fail":       {func(int) error { return fails }, false, Counts{Keys: 50, Done: 20, Failed: 20}},
		"most fail":      {func(n int) error { return map[bool]error{true: fails}[n%20 != 0] }, true, Counts{Keys: 50, Done: 50, Failed: 48}},
		"the data moves": {func(int) error { return cache.ErrMoved }, true, Counts{Keys: 50, Done: 50, Failed: 50}},
		"no room":        {func(n int) error { return map[bool]error{true: cache.ErrNoRoom}[n == 31] }, false, Counts{Keys: 50, Done: 30, LeftOut: 20}},
	} {
		n := 0
		w := walker(keeping(func(string) (*cache.Entry, bool, error) {
			n++
			return &cache.Entry{}, false, tt.err(n)
		}))
		p := athletesOnly(50)
		w.begin(p, "g")
		again := !tt.reached && tt.status.LeftOut == 0
		if reached, done := w.keepAll(t.Context(), p); reached != tt.reached || done == again || w.Status().Counts != tt.status {
			t.Errorf("%s: reached %t, done %t, %+v", name, reached, done, w.Status())
		}
	}
}

// TestCancelledWalk: the end of the program ends a walk without a failure.
func TestCancelledWalk(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	w := walker(keeping(func(string) (*cache.Entry, bool, error) {
		end()
		return nil, false, context.Canceled
	}))
	p := athletesOnly(50)
	w.begin(p, "g")
	if reached, done := w.keepAll(ctx, p); reached || !done || w.Status().Failed != 0 || w.Status().Done != 0 {
		t.Errorf("reached %t, %+v", reached, w.Status())
	}
	if w.calm(ctx) {
		t.Error("an ended walk goes on")
	}
}

// TestTargetOfNoRoute: a target that no route answers is a failure.
func TestTargetOfNoRoute(t *testing.T) {
	w := walker(keeping(func(key string) (*cache.Entry, bool, error) { t.Errorf("%s is kept", key); return nil, false, nil }))
	w.begin(athletesOnly(1), "g")
	if filled, err := w.keep(t.Context(), 0, "/nowhere"); filled || err == nil || w.Status().Failed != 1 || w.Status().Error != err.Error() {
		t.Errorf("%v, %+v", err, w.Status())
	}
}

// TestNeededSize: the size of all answers is estimated by the mean of each kind, and for a
// kind without an answer by the mean of all.
func TestNeededSize(t *testing.T) {
	r := &report{kinds: []tally{{all: 10, kept: 2, bytes: 400}, {all: 5, kept: 2, bytes: 200}, {all: 4}}}
	if bytes, needed := r.sizes(); bytes != 600 || needed != 2000+500+600 {
		t.Errorf("%d bytes, %d needed", bytes, needed)
	}
	r = &report{kinds: []tally{{all: 10}}}
	if bytes, needed := r.sizes(); bytes != 0 || needed != 0 {
		t.Errorf("%d bytes, %d needed", bytes, needed)
	}
}

// TestReport: the report has the figures of the walk under way, whose time runs until its
// end. Without a database the season is off, and Run ends.
func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off := New(Options{})
		off.Run(t.Context())
		if off.Report() != (api.Season{State: api.SeasonOff}) || off.On() {
			t.Errorf("%+v", off.Report())
		}
		w := New(Options{Store: &world{}})
		if s := w.Report(); s != (api.Season{}) {
			t.Errorf("before the first walk: %+v", s)
		}
		w.begin(athletesOnly(7), "g")
		w.wait("a reason")
		time.Sleep(time.Minute)
		want := api.Season{State: "filling", Waiting: "a reason", Generation: "g", SeasonCounts: api.SeasonCounts{Keys: 7}, Seconds: 60}
		if s := w.Report(); s != want {
			t.Errorf("%+v", s)
		}
		w.stop(Incomplete, errors.New("the reason"))
		time.Sleep(time.Minute)
		w.stop(Incomplete, nil)
		want.State, want.Error = "incomplete", "the reason"
		if s := w.Report(); s != want {
			t.Errorf("%+v, want %+v", s, want)
		}
	})
}

// TestLogOfWalks: a walk that fills answers is logged and reported to its caller. That there
// is no room is logged once, until a walk has reached all keys.
func TestLogOfWalks(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	calls := 0
	var r report
	logged := func(name string, filled int, end func(*slog.Logger, func()), line string, called int) {
		t.Helper()
		text.Reset()
		r.begin(athletesOnly(5), "g")
		r.status.Filled, calls = filled, 0
		end(log, func() { calls++ })
		if got := text.String(); calls != called || (line == "") != (got == "") || !strings.Contains(got, line) {
			t.Errorf("%s: %d calls, log %q", name, calls, got)
		}
	}
	full, end := r.full, func(log *slog.Logger, filled func()) {
		if !r.end(log, filled) {
			t.Error("incomplete")
		}
	}
	logged("filled", 3, end, "season filled", 1)
	logged("nothing to fill", 0, end, "", 0)
	logged("no room", 2, full, "left_out=5", 1)
	logged("no room again", 0, full, "", 0)
	logged("room again", 0, end, "", 0)
	logged("no room, later", 0, full, "the season finds no room", 0)
	r.begin(athletesOnly(5), "g")
	r.kept(0, nil, false, errors.New("fails"))
	if r.end(log, func() {}) || r.Status().State != Incomplete {
		t.Errorf("%+v", r.Status())
	}
}

// TestOrderOfTargets: the n-th of a ranking comes as if it had 1/n of the requests for the
// first, and each comes once.
func TestOrderOfTargets(t *testing.T) {
	l := &live{Scope: men, subjects: &store.Subjects{Athletes: []int64{1, 2, 3}, Teams: []int64{4, 5, 6, 7}}}
	kindOf := func(name string) int { return slices.IndexFunc(kinds, func(k kind) bool { return k.name == name }) }
	teams, athletes := kindOf("teams"), kindOf("athletes")
	p := &plan{streams: []stream{{kind: athletes, of: l, count: 3, weight: 3.5}, {kind: teams, of: l, count: 4, weight: 9}}}
	var got []string
	for kind, target := range p.targets() {
		path, _, _ := strings.Cut(target, "?")
		got = append(got, fmt.Sprint(kind == teams, path))
	}
	want := []string{"true/teams/4", "true/teams/5", "false/athletes/1", "true/teams/6", "true/teams/7", "false/athletes/2", "false/athletes/3"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for range p.targets() {
		t.Error("a target comes twice")
	}
}

// TestTargetsInARow: a stream gives one target at a time, two in a row once it has given
// eight, and three once it has given sixteen.
func TestTargetsInARow(t *testing.T) {
	ids := make([]int64, 20)
	l := &live{Scope: men, subjects: &store.Subjects{Athletes: ids, Teams: ids}}
	kindOf := func(name string) int { return slices.IndexFunc(kinds, func(k kind) bool { return k.name == name }) }
	teams, athletes := kindOf("teams"), kindOf("athletes")
	p := &plan{streams: []stream{{kind: athletes, of: l, count: 20, weight: 1}, {kind: teams, of: l, count: 20, weight: 1}}}
	rows, last := []int{}, -1
	for kind := range p.targets() {
		if kind != last {
			rows = append(rows, 0)
		}
		rows[len(rows)-1]++
		last = kind
	}
	want := append(slices.Repeat([]int{1}, 16), slices.Repeat([]int{2}, 8)...) // of both streams
	if !slices.Equal(rows, append(want, 3, 3, 1, 1)) {
		t.Error(rows)
	}
}

// TestPlanOfScopes: a scope with more requests has the same targets with more weight, and a
// kind without subjects has no part.
func TestPlanOfScopes(t *testing.T) {
	l := &live{Scope: men, subjects: &store.Subjects{Athletes: []int64{1}}, dates: []string{"2025-10-20", "2025-10-13"}}
	p := newPlan([]*live{l, l}, func(*live) float64 { return 2 })
	if p.keys != 2*(2+2) || len(p.streams) != 2*3 {
		t.Errorf("%d keys in %d streams", p.keys, len(p.streams))
	}
	for _, s := range p.streams {
		if s.weight != 3*kinds[s.kind].share || s.count != kinds[s.kind].count(l) {
			t.Errorf("%s: %d with %v", kinds[s.kind].name, s.count, s.weight)
		}
	}
}

// TestDatesOfSnapshots: a scope has the snapshots of its season, division and gender, the
// newest first.
func TestDatesOfSnapshots(t *testing.T) {
	at := func(division, gender, date string) store.Scope {
		return store.Scope{Season: date[:4], Division: division, Gender: gender, Checkpoint: date}
	}
	other := at("2030", "M", "2025-11-10")
	other.Season = "2024"
	again := at("2030", "M", "2025-10-20")
	again.Season = "2024"
	state := calculations{men: 1, other: 1, again: 1, at("2030", "M", "2025-10-13"): 1, at("2030", "M", "2025-10-20"): 1, at("2031", "M", "2025-10-27"): 1, at("2030", "F", "2025-11-03"): 1, at("2030", "M", "2024-10-14"): 1}
	if got := dates(state.generation(), men); !slices.Equal(got, []string{"2025-11-10", "2025-10-20", "2025-10-13"}) {
		t.Errorf("%v", got)
	}
}

// TestPopularityAddsUp: the requests for the answers of a scope add up.
func TestPopularityAddsUp(t *testing.T) {
	of := popularity(asking{men, women, men})
	if m, w := of(&live{Scope: men}), of(&live{Scope: women}); m != 20 || w != 10 {
		t.Errorf("%v, %v", m, w)
	}
}

// asking is a Cache with ten requests for each of some scopes.
type asking []store.Scope

func (asking) Season(func() bool) {}
func (asking) Keep(context.Context, string) (*cache.Entry, bool, error) {
	return nil, false, nil
}

func (a asking) Asked(f func(*cache.Entry, uint32)) {
	for _, s := range a {
		f(&cache.Entry{Content: cache.Content{Scope: s.String()}}, 10)
	}
}

// TestRetryPause: the pause before another walk doubles from 30 s to 10 minutes while walks
// fail.
func TestRetryPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, 1<<30, nil)
		synctest.Wait()
		var at []time.Time
		w.change(func() { w.state[men]++; w.fails["subjects"] = errors.New("fails"); w.listed = nil })
		w.publish()
		for seen := 0; len(at) < 9; time.Sleep(time.Second) {
			synctest.Wait()
			w.change(func() {
				if len(w.listed) > seen {
					seen, at = len(w.listed), append(at, time.Now())
				}
			})
		}
		for i, want := range []int{30, 60, 120, 240, 480, 600, 600} {
			if got := at[i+1].Sub(at[i]); got != time.Duration(want)*time.Second {
				t.Errorf("pause %d is %v, want %d s", i, got, want)
			}
		}
	})
}

// TestTargets: each kind asks its question about each of its subjects.
func TestTargets(t *testing.T) {
	l := &live{Scope: men, subjects: &store.Subjects{Athletes: []int64{21}, Teams: []int64{12}, Knockouts: []int64{13}, Pairs: [][2]int64{{14, 15}, {16, 17}}}}
	of := map[string][]string{}
	for kind, target := range newPlan([]*live{l}, func(*live) float64 { return 0 }).targets() {
		of[kinds[kind].name] = append(of[kinds[kind].name], target)
	}
	const pair = "/team-knockout/matchups/head-to-head?season_year=2025&team_a_id="
	for name, want := range map[string][]string{
		"teams": {"/teams/12?season_year=2025&division=2030&gender=M"}, "athletes": {"/athletes/21?season_year=2025&division=2030&gender=M"},
		"head-to-head ranks": {"/team-knockout/13?season_year=2025&rank_group_type=D&rank_group_fk=2030&gender_code=M"},
		"pairs of teams":     {pair + "14&team_b_id=15", pair + "15&team_b_id=14", pair + "16&team_b_id=17", pair + "17&team_b_id=16"},
		"teams in snapshots": nil, "athletes by region": nil,
	} {
		if !slices.Equal(of[name], want) {
			t.Errorf("%s: %q", name, of[name])
		}
	}
}

// round is a Cache that notes how a round has ended.
type round struct {
	keeping
	complete []bool
}

func (r *round) Season(f func() bool) { r.complete = append(r.complete, f()) }

// TestWalkEnds: a walk needs a generation and a calm database. A round counts as complete
// once it has reached all keys; a walk that has failed is tried again, and a walk without
// room, or that is interrupted, is not.
func TestWalkEnds(t *testing.T) {
	fails := errors.New("fails")
	for name, tt := range map[string]struct {
		none, woken   bool // no generation; a walk was requested already
		keep          func(w *Walker) error
		rounds        []bool
		again, listed bool
	}{
		"before the first publish": {none: true},
		"interrupted before":       {woken: true},
		"all":                      {keep: func(*Walker) error { return nil }, rounds: []bool{true}, listed: true},
		"failures":                 {keep: func(*Walker) error { return fails }, rounds: []bool{true}, again: true, listed: true},
		"no room":                  {keep: func(*Walker) error { return cache.ErrNoRoom }, rounds: []bool{false}, listed: true},
		"interrupted":              {keep: func(w *Walker) error { w.Wake(); return nil }, rounds: []bool{false}, listed: true},
	} {
		database := &world{}
		r := &round{}
		w := walker(r)
		r.keeping = func(string) (*cache.Entry, bool, error) { return &cache.Entry{}, false, tt.keep(w) }
		w.opts.Store = database
		w.opts.Published = func() (*store.Generation, time.Time) {
			if tt.none {
				return nil, time.Time{}
			}
			return calculations{women: 1}.generation(), time.Time{}
		}
		if w.Wake(); !tt.woken {
			<-w.wake
		}
		if done := w.walk(t.Context()); done == tt.again || !slices.Equal(r.complete, tt.rounds) || len(database.listed) > 0 != tt.listed {
			t.Errorf("%s: done %t, rounds %v, listed %q, %+v", name, done, r.complete, database.listed, w.Status())
		}
	}
}

// TestCalm: a walk checks each half second whether the database is back, and ends when
// another is requested, which is done once for all requests.
func TestCalm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := walker(keeping(nil))
		w.opts.OnFilled()
		w.opts.Outage.Down(store.ErrUnavailable)
		time.AfterFunc(600*time.Millisecond, w.opts.Outage.Up)
		begun := time.Now()
		if !w.calm(t.Context()) || time.Since(begun) != time.Second {
			t.Errorf("calm after %v", time.Since(begun))
		}
		w.Wake()
		w.Wake()
		if w.calm(t.Context()) || len(w.wake) != 1 {
			t.Errorf("calm although a walk is requested; %d requests", len(w.wake))
		}
	})
}

// TestKeptWhileTheDatabaseLeaves: an answer that was kept counts, also if the database is
// down by then. A fresh answer calls for no rest, however long its fill took.
func TestKeptWhileTheDatabaseLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithTimeout(t.Context(), time.Hour)
		defer end()
		var w *Walker
		w = walker(keeping(func(string) (*cache.Entry, bool, error) {
			w.opts.Outage.Down(store.ErrUnavailable)
			return &cache.Entry{Took: time.Hour}, false, nil
		}))
		w.begin(athletesOnly(1), "g")
		begun := time.Now()
		if filled, err := w.keep(ctx, 0, "/athletes/1"); filled || err != nil || time.Since(begun) != 0 || w.Status().Done != 1 {
			t.Errorf("%v after %v, %+v", err, time.Since(begun), w.Status())
		}
	})
}

// TestOwnLogger: a Logger of the Options stays.
func TestOwnLogger(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if w := New(Options{Logger: log}); w.opts.Logger != log {
		t.Error("another logger")
	}
}
