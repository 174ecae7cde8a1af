package actions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
)

// parts returns the letters of a text as its parts.
func parts(data json.RawMessage) (all []string) {
	var text string
	json.Unmarshal(data, &text)
	for _, part := range text {
		all = append(all, string(part))
	}
	return all
}

// at returns a lasting action, as of some milliseconds.
func at(kind, data string, ms int64) Action {
	text, _ := json.Marshal(data)
	return Action{Kind: kind, Data: text, By: "me", At: time.UnixMilli(ms)}
}

// TestMerge: of lasting actions those stay that have an effect, by their times. Actions that do
// not last, and actions that are not understood, are left out.
func TestMerge(t *testing.T) {
	damaged := at(Source, "a", 9)
	damaged.Data = json.RawMessage("{")
	for name, tt := range map[string]struct {
		all  []Action
		want string
	}{
		"none":                        {nil, ""},
		"the last of maintenance":     {[]Action{at(Maintenance, "2", 2), at(Maintenance, "1", 1), at(Source, "a", 3)}, "maintenance2 source3"},
		"all sources replace each":    {[]Action{at(Source, "a", 1), at(Source, "", 2), at(Source, "ab", 3)}, "source2 source3"},
		"a part":                      {[]Action{at(Source, "ab", 1), at(Source, "a", 2)}, "source1 source2"},
		"all parts":                   {[]Action{at(Source, "ab", 1), at(Source, "a", 2), at(Source, "bc", 3)}, "source2 source3"},
		"all sources, before":         {[]Action{at(Source, "", 1), at(Source, "", 2), at(Source, "a", 1)}, "source2"},
		"once":                        {[]Action{at(Source, "a", 1), at(Source, "a", 1)}, "source1"},
		"an action that does not":     {[]Action{at(Purge, "a", 1), at(restored, "a", 2)}, ""},
		"damaged, and of no real day": {[]Action{damaged, at(Source, "b", 300_000_000_000_000)}, ""},
	} {
		var got []string
		for _, a := range merge(parts, tt.all) {
			got = append(got, fmt.Sprint(a.Kind, a.At.UnixMilli()))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	var many []Action
	for i := range 100 {
		many = append(many, at(Source, string(rune('A'+i)), int64(i)))
	}
	if all := merge(parts, many); len(all) != mostLasting || all[0].At.UnixMilli() != 36 {
		t.Errorf("%d from %v", len(all), all[0])
	}
}

// TestMergesAgree: members that hear of the same actions in any order, in any portions and
// repeatedly, have lists of the same text, which they read back.
func TestMergesAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var all []Action
		for range random.IntN(12) {
			a := at([]string{Source, Source, Maintenance}[random.IntN(3)], []string{"", "a", "b", "ab", "bc"}[random.IntN(5)], random.Int64N(6))
			a.By = fmt.Sprint(random.IntN(2))
			all = append(all, a)
		}
		want := merge(parts, all).text()
		var l list
		for _, i := range append(random.Perm(len(all)), random.Perm(len(all))...) {
			l = merge(parts, parseList([]byte(l.text())), all[i:min(len(all), i+random.IntN(3))], all[i:i+1])
		}
		if l.text() != want {
			t.Fatalf("%v:\n%s\n%s", all, l.text(), want)
		}
	}
}

// TestKept: an action is kept once, and again when it has changed; a save that fails is repeated.
// A log continues with the pending actions of an earlier run, and does the purges among them
// to its saved entries.
func TestKept(t *testing.T) {
	f := newStub()
	var saves []Kept
	fails := errors.New("the disk is full")
	var unkept error
	f.opts.Keep = func(k Kept) error {
		saves = append(saves, k)
		return unkept
	}
	none := func() error { return nil }
	if f.keep(); len(saves) != 0 {
		t.Errorf("%+v", saves)
	}
	f.away, unkept = true, fails
	if _, away := f.act(Purge, "x", true, none); !errors.Is(away, fails) || !errors.Is(away, ErrAway) {
		t.Error(away)
	}
	unkept = nil
	f.act(Maintenance, "on", false, none)
	f.keep()
	if len(saves) != 2 || len(saves[1].Pending) != 2 || len(saves[1].Lasting) != 1 {
		t.Fatalf("%+v", saves)
	}
	saves[1].Pending = append(saves[1].Pending, knows("1-0"), Action{})
	next := newStub()
	next.restore(saves[1])
	next.text, next.nextID, next.last = "", "9-0", ""
	next.events, next.at = []engine.Event{event("1-0", knows(""))}, engine.Position{Texts: engine.Texts{Series: "series"}, Last: "1-0"}
	if err := next.Enter(next.run); err != nil {
		t.Fatal(err)
	}
	if len(next.pending) != 0 || len(next.appended) != 2 || next.applied[0] != "missed purge" || next.behind() {
		t.Errorf("pending %+v, sent %+v, applied %q", next.pending, next.appended, next.applied)
	}
}

// TestKeptBeforeItIsSent: a process that ends while it adds an action to the log has saved the
// action as pending; once the log has the action, it is not pending any more.
func TestKeptBeforeItIsSent(t *testing.T) {
	f := newStub()
	var saved Kept
	var then []string // pending while the level is asked, by kind
	f.opts.Keep = func(k Kept) error {
		saved = k
		return nil
	}
	f.opts.Engine = asked{f.opts.Engine, func() {
		for _, a := range saved.Pending {
			then = append(then, a.Kind)
		}
	}}
	for i, kind := range []string{Purge, Maintenance, Warm} {
		f.nextID = fmt.Sprint(9+i, "-0")
		f.at.Last, f.events = f.nextID, []engine.Event{event(f.nextID, Action{Kind: kind})}
		if refused, away := f.act(kind, "x", kind == Purge, func() error { return nil }); refused != nil || away != nil {
			t.Fatal(refused, away)
		}
		if len(saved.Pending) != 0 {
			t.Errorf("%s is pending after it was sent: %+v", kind, saved.Pending)
		}
	}
	if want := []string{Purge, Maintenance, Warm}; !slices.Equal(then, want) {
		t.Errorf("saved while the level was asked: %q, want %q", then, want)
	}
}

// asked is an engine that reports each append.
type asked struct {
	engine.Engine
	report func()
}

func (a asked) Append(ctx context.Context, text []byte, present, next engine.Texts) (string, error) {
	a.report()
	return a.Engine.Append(ctx, text, present, next)
}

// TestPendingIsBounded: many pending actions become fewer: without repetitions, or by one purge of
// everything. The lasting actions stay.
func TestPendingIsBounded(t *testing.T) {
	f := newStub()
	f.away = true
	none := func() error { return nil }
	act := func(n int) {
		for i := range 3 * mostPending {
			f.act(Purge, fmt.Sprint(i%n), true, none)
		}
	}
	f.act(Maintenance, "on", false, none)
	if act(3); len(f.pending) > mostPending {
		t.Errorf("%d pending", len(f.pending))
	}
	distinct := map[string]bool{}
	for _, a := range f.pending {
		distinct[a.Kind+string(a.Data)] = true
	}
	if len(distinct) != 4 {
		t.Errorf("%v", distinct)
	}
	act(3 * mostPending)
	kinds := map[string]int{}
	for _, a := range f.pending {
		kinds[a.Kind]++
	}
	i := slices.IndexFunc(f.pending, func(a Action) bool { return string(a.Data) == string(everything) })
	if len(f.pending) > mostPending || kinds[Maintenance] != 1 || i < 0 || f.pending[i].Series == "" {
		t.Errorf("%+v", f.pending)
	}
}

// TestAlone: an action of one member reaches no other. If it is a purge, the others use no older
// shared answer.
func TestAlone(t *testing.T) {
	f := newStub()
	f.nextID = "2-0"
	ran := 0
	alone := func(kind string, purge bool) error {
		refused, away := f.Act(Request{Kind: kind, Data: "x", Purge: purge, Alone: true}, func() error { ran++; return nil }, func() Run { return f.run })
		return errors.Join(refused, away)
	}
	for _, kind := range []string{Warm, Maintenance} {
		if err := alone(kind, false); err != nil || len(f.appended) != 0 {
			t.Errorf("%s: %v, %+v", kind, err, f.appended)
		}
	}
	for i, kind := range []string{Source, Purge} {
		if err := alone(kind, true); err != nil || len(f.appended) != i+1 {
			t.Fatalf("%s: %v, %+v", kind, err, f.appended)
		}
		if a := f.appended[i]; a.Kind != Local || a.Series == "" || !a.At.IsZero() || (kind == Purge) != (string(a.Data) == `"x"`) {
			t.Errorf("%s: %+v", kind, a)
		}
	}
	if ran != 4 || len(f.local) != 2 || len(f.fleet) != 0 || f.behind() {
		t.Errorf("%d times, local %+v, of the fleet %+v", ran, f.local, f.fleet)
	}
}

// TestSuperseded: a pending change that a later change of the fleet has replaced is not sent, and
// shared answers are used again.
func TestSuperseded(t *testing.T) {
	f := newStub()
	f.away, f.last = true, "1-0"
	f.act(Source, "x", true, func() error { return nil })
	later := at(Source, "x", time.Now().Add(time.Hour).UnixMilli())
	f.at = engine.Position{Texts: engine.Texts{Series: "series", Lasting: list{later}.text()}, Last: "1-0"}
	if f.now() != "" {
		t.Error("a shared answer is used before the purge")
	}
	f.Compare(f.run)
	if len(f.appended) != 0 || len(f.pending) != 0 || f.now() != "series" || len(f.applied) != 1 {
		t.Errorf("sent %+v, pending %+v, in %q, applied %q", f.appended, f.pending, f.now(), f.applied)
	}
}

// TestRestoredOnce: of several members that find the level without the lasting actions, each
// adds them only if no other has meanwhile.
func TestRestoredOnce(t *testing.T) {
	f := newStub()
	f.last, f.nextID = "1-0", "2-0"
	f.fleet = list{at(Maintenance, "on", 1)}
	f.level = f.fleet.text()
	f.at = engine.Position{Texts: engine.Texts{Series: "series"}, Last: "1-0"}
	f.Compare(f.run)
	if len(f.appended) != 1 || f.appended[0].Kind != restored || string(f.appended[0].Data) != f.level || len(f.applied) != 0 {
		t.Fatalf("%+v", f.appended)
	}
	f.fails["append"] = engine.ErrMoved
	f.opts.Engine = &restoring{f}
	f.level = ""
	if err := f.follow(f.run); err != nil || len(f.appended) != 2 || f.behind() {
		t.Errorf("%v, %+v", err, f.appended)
	}
}

// restoring is a stub whose level another member restores.
type restoring struct{ *stub }

func (r *restoring) Sync(context.Context, string, []byte) (engine.Position, error) {
	at := r.at
	at.Lasting = r.fleet.text()
	return at, nil
}
