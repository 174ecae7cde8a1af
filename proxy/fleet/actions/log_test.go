package actions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	"github.com/lewistv/xcri-proxy/proxy/fleet/series"
)

var errStub = errors.New("the stub fails")

// stub is a Log, and its engine, whose results the test sets. It notes the operations.
type stub struct {
	*Log
	engine.Engine
	calls    []string
	fails    map[string]error // by operation
	away     bool
	at       engine.Position
	events   []engine.Event
	gap      bool // events are missing
	nextID   string
	text     string // of the series, if appending compares it
	appended []Action
	applied  []string
	forgets  int
	log      bytes.Buffer
}

// newStub returns a Log in the series "series", which a purge of a text ends for the keys with
// the text, and any other purge for all keys.
func newStub() *stub {
	f := &stub{fails: map[string]error{}}
	f.Log = New(Options{
		Engine: f, Name: func() string { return "me" },
		Apply: func(a Action) { f.applied = append(f.applied, a.Kind+" in "+f.now()) }, Forget: func() { f.forgets++ },
		Missed: func(_ time.Time, all []Action) {
			for _, a := range all {
				f.applied = append(f.applied, "missed "+a.Kind)
			}
		},
		Selector: func(kind string, data json.RawMessage) func(string) bool {
			var part string
			if json.Unmarshal(data, &part) != nil || part == "" {
				return nil
			}
			return func(key string) bool { return strings.Contains(key, part) }
		},
		Logger: slog.New(slog.NewTextHandler(&f.log, nil)),
	})
	f.take("series")
	return f
}

// now returns the text of the series that the member uses; empty if there is none.
func (f *stub) now() string {
	if s := f.Series(); s != nil {
		return s.Text()
	}
	return ""
}

func (f *stub) run(operation func(context.Context) error) error {
	return operation(context.Background())
}

func (f *stub) act(kind string, data any, purge bool, do func() error) (refused, away error) {
	return f.Act(Request{Kind: kind, Data: data, Purge: purge}, do, func() Run {
		if f.away {
			return nil
		}
		return f.run
	})
}

// called returns the operations since the last call.
func (f *stub) called() string {
	calls := strings.Join(f.calls, " ")
	f.calls = nil
	return calls
}

func (f *stub) do(operation string) error {
	f.calls = append(f.calls, operation)
	return f.fails[operation]
}

func (f *stub) Sync(context.Context, string, []byte) (engine.Position, error) {
	return f.at, f.do("sync")
}

func (f *stub) Append(_ context.Context, text []byte, present, next engine.Texts) (string, error) {
	var a Action
	json.Unmarshal(text, &a)
	f.appended = append(f.appended, a)
	err := f.do("append")
	if err == nil && f.text != "" && next.Series != "" {
		if present.Series != f.text {
			return "", engine.ErrMoved
		}
		f.text = next.Series
	}
	return f.nextID, err
}

func (f *stub) Since(context.Context, string) ([]engine.Event, bool, error) {
	return f.events, !f.gap, f.do("since")
}

// TestMemoryIsBounded: a member remembers its last 64 actions, and the last 64 series, each
// once. A series is superseded once another has followed.
func TestMemoryIsBounded(t *testing.T) {
	var m memory
	for i := range 70 {
		id := string(rune('A' + i))
		m.remember(id, Action{})
		m.pass(id)
		m.pass(id)
	}
	if len(m.sent) != 64 || m.sent[0].id != "G" || len(m.series) != 64 || m.series[0] != "G" {
		t.Errorf("%d actions from %s, %d series from %s", len(m.sent), m.sent[0].id, len(m.series), m.series[0])
	}
	if last := string(rune('A' + 69)); m.superseded(last) || !m.superseded("G") || m.superseded("A") {
		t.Error("superseded")
	}
}

// TestResend: the actions of this member that a log should hold and does not are sent again.
// The log cannot hold actions from before its first event.
func TestResend(t *testing.T) {
	f := newStub()
	for _, id := range []string{"1-0", "2-0", "3-0", "4-0"} {
		f.remember(id, Action{Kind: id})
	}
	f.resend("2-0", map[string]bool{"2-0": true, "4-0": true})
	var left []string
	for _, one := range f.sent {
		left = append(left, one.id)
	}
	if len(f.pending) != 1 || f.pending[0].Kind != "3-0" || !slices.Equal(left, []string{"1-0", "2-0", "4-0"}) {
		t.Errorf("pending %+v, left %v", f.pending, left)
	}
}

// TestLearn: a member that hears of a later event of a lost log than it knows forgets its
// entries, once.
func TestLearn(t *testing.T) {
	f := newStub()
	for _, step := range []struct {
		before, heard string
		forgets       int
	}{{"", "9-0", 0}, {"2-0", "2-0", 0}, {"2-0", "3-0", 1}, {"", "", 1}} {
		if step.before != "" {
			f.before = step.before
		}
		if f.learn(step.heard); f.forgets != step.forgets {
			t.Errorf("%+v: %d", step, f.forgets)
		}
	}
	if f.learn("3-0"); f.forgets != 1 || strings.Count(f.log.String(), "lost the log") != 1 {
		t.Errorf("%d, log %q", f.forgets, f.log.String())
	}
}

func event(id string, a Action) engine.Event {
	text, _ := json.Marshal(a)
	return engine.Event{ID: id, Text: text}
}

// TestApply: no shared answer is used while another member's purge is applied, and only
// answers of the new series afterwards, unless a purge of this member is pending. This member's own
// events are not applied again.
func TestApply(t *testing.T) {
	f := newStub()
	f.apply(event("1-0", Action{Kind: Maintenance}))
	f.apply(event("2-0", Action{Kind: Purge, Series: "second"}))
	if want := []string{"maintenance in series", "purge in "}; !slices.Equal(f.applied, want) || f.now() != "second" || f.last != "2-0" {
		t.Errorf("%q, series %s, last %s", f.applied, f.now(), f.last)
	}
	f.own["3-0"] = true
	f.apply(event("3-0", Action{Kind: Purge, Series: "third"}))
	if len(f.applied) != 2 || f.now() != "third" || len(f.own) != 0 {
		t.Errorf("%q, series %s, own %v", f.applied, f.now(), f.own)
	}
	f.apply(engine.Event{ID: "4-0", Text: []byte("garbage")})
	if len(f.applied) != 2 || f.now() != "third" || f.last != "4-0" {
		t.Errorf("%q, series %s", f.applied, f.now())
	}
	f.pending = []Action{{Kind: Purge, Series: "own"}}
	f.apply(event("5-0", Action{Kind: Purge, Series: "fifth"}))
	if f.now() != "" {
		t.Errorf("series %s before the own purge", f.now())
	}
}

// TestActionsOfAMember: an action is done before it is sent, and waits for the level. A purge
// ends the series immediately; an action that is refused changes nothing.
func TestActionsOfAMember(t *testing.T) {
	fails := errors.New("refused")
	none := func() error { return nil }
	f := newStub()
	if refused, away := f.act(Purge, make(chan int), true, none); refused == nil || away != nil || len(f.pending) != 0 || f.called() != "" {
		t.Errorf("an action that has no text: %v, %v", refused, away)
	}
	during := ""
	refused, away := f.act(Purge, "x", true, func() error { during = "in " + f.now(); return fails })
	if refused != fails || away != nil || during != "in " || f.now() != "series" || len(f.pending) != 0 {
		t.Errorf("refused: %v, %v, %q, series %q", refused, away, during, f.now())
	}
	f.fails["append"] = errStub
	if refused, away := f.act(Maintenance, "x", false, none); refused != nil || away != errStub || f.now() != "series" || f.pending[0].Series != "" || f.pending[0].By != "me" {
		t.Errorf("%v, %v, %+v", refused, away, f.pending)
	}
	f.away = true
	if _, away := f.act(Table, "a_table", true, none); away != ErrAway {
		t.Errorf("%v", away)
	}
	if p := f.pending; len(p) != 2 || p[1].Kind != Table || p[1].Series == "" || f.now() != "" {
		t.Errorf("%+v", p)
	}
	delete(f.fails, "append")
	f.away, f.nextID, f.last = false, "9-0", "8-0"
	f.act(Table, "a_table", true, none)
	if len(f.pending) != 0 || len(f.appended) != 1+3 || len(f.sent) != 3 {
		t.Errorf("%d pending, %d appended", len(f.pending), len(f.appended))
	}
}

// TestFirstSession: a member that has just started does the lasting actions of the log, of the
// periods of maintenance mode only the last, and then the purges, with the times of all.
func TestFirstSession(t *testing.T) {
	f := newStub()
	f.last, f.series = "", atomic.Pointer[series.Series]{}
	var done []string
	apply, missed := f.opts.Apply, f.opts.Missed
	f.opts.Apply = func(a Action) {
		done = append(done, fmt.Sprint(a.Kind, string(a.Data), " ", a.At.UnixMilli()))
		apply(a)
	}
	f.opts.Missed = func(since time.Time, all []Action) {
		for _, a := range all {
			done = append(done, fmt.Sprint(a.Kind, string(a.Data), " ", a.At.UnixMilli()))
		}
		missed(since, all)
		f.events = nil // no event follows
	}
	one := json.RawMessage("1")
	f.events = []engine.Event{
		event("1-0", Action{Kind: Maintenance, Data: one}), event("2-0", Action{Kind: Purge, Data: one}), event("3-0", Action{Kind: Source, Data: one}),
		event("4-0", Action{Kind: Local, Data: one}), event("5-0", Action{Kind: Warm}), event("6-1", Action{Kind: Maintenance, Data: json.RawMessage("2")}),
		event("7-0", Action{Kind: Table, Data: one}), event("8-0", knows("1-0")), {ID: "9-0", Text: []byte("garbage")}, event("10-0", Action{Kind: Source, Data: json.RawMessage("2")}),
	}
	f.at, f.nextID = engine.Position{Texts: engine.Texts{Series: "series"}, Last: "10-0"}, "11-0"
	if err := f.Enter(f.run); err != nil {
		t.Fatal(err)
	}
	if want := []string{"source1 3", "maintenance2 6", "source2 10", "purge1 2", "table1 7"}; !slices.Equal(done, want) {
		t.Errorf("got %q, want %q", done, want)
	}
	if f.last != "10-0" || f.now() != "series" || f.forgets != 0 {
		t.Errorf("at %s in %s", f.last, f.now())
	}
}

// TestLogFails: a failure of the log ends each step that needs it, which leaves this member's
// place as it was.
func TestLogFails(t *testing.T) {
	for _, tt := range []struct {
		step    string
		run     func(f *stub) error
		fails   string
		calls   string
		pending bool
	}{
		{"follow", func(f *stub) error { return f.follow(f.run) }, "since", "since", false},
		{"follow", func(f *stub) error { return f.follow(f.run) }, "append", "append", true},
		{"follow a lost log", func(f *stub) error { f.nextID = ""; return f.follow(f.run) }, "sync", "append sync", true},
		{"follow a gap", func(f *stub) error { f.gap = true; return f.follow(f.run) }, "sync", "since sync", false},
		{"mend", func(f *stub) error { return f.mend(f.run) }, "sync", "sync", false},
		{"mend", func(f *stub) error { return f.mend(f.run) }, "since", "sync since", false},
		{"enter", func(f *stub) error { f.last = ""; return f.Enter(f.run) }, "sync", "sync", false},
		{"enter", func(f *stub) error { f.last = ""; return f.Enter(f.run) }, "since", "sync since", false},
		{"enter", func(f *stub) error { f.last = ""; return f.Enter(f.run) }, "append", "sync since append", true},
		{"enter again", func(f *stub) error { return f.Enter(f.run) }, "since", "since", false},
		{"compare", func(f *stub) error { f.Compare(f.run); return errStub }, "sync", "sync", false},
	} {
		f := newStub()
		f.last, f.nextID = "1-0", "5-0"
		f.events, f.at = []engine.Event{event("2-0", Action{Kind: Warm})}, engine.Position{Texts: engine.Texts{Series: "series"}, Last: "2-0"}
		if tt.pending {
			f.pending = []Action{{Kind: Warm}}
		}
		f.fails[tt.fails] = errStub
		if err := tt.run(f); err != errStub || f.called() != tt.calls || len(f.applied) != 0 || (len(f.pending) == 1) != tt.pending {
			t.Errorf("%s, %s fails: %v, applied %v, pending %v", tt.step, tt.fails, err, f.applied, f.pending)
		}
	}
}

// TestEmptyLog: a log without events has no place for a member.
func TestEmptyLog(t *testing.T) {
	f := newStub()
	f.last = "1-0"
	if err := f.mend(f.run); err != nil || f.last != "1-0" || f.forgets != 0 {
		t.Errorf("%v, last %s", err, f.last)
	}
}

// TestMend: a member that finds later events in another log than it knew learns whether it
// has missed any: the log says which event of the lost log is known, or the member says so.
func TestMend(t *testing.T) {
	for name, tt := range map[string]struct {
		events  []engine.Event
		forgets int
		says    bool // this member knows the later event, and says so
		applied []string
	}{
		"the log begins with this event":    {[]engine.Event{event("5-0", knows("2-0"))}, 0, false, nil},
		"the log begins with a later event": {[]engine.Event{event("5-0", knows("3-0"))}, 1, false, nil},
		"this member knows a later event":   {[]engine.Event{event("5-0", knows("1-0")), event("6-0", Action{Kind: Warm})}, 0, true, []string{"warm in series"}},
		"another knows a later event":       {[]engine.Event{event("5-0", knows("1-0")), event("6-0", knows("3-0"))}, 1, false, nil},
		"the oldest events are missing":     {[]engine.Event{event("5-0", Action{Kind: Warm})}, 1, false, []string{"warm in series"}},
		"the newest events are missing":     {[]engine.Event{event("1-0", Action{Kind: Warm})}, 0, false, nil},
	} {
		f := newStub()
		f.last, f.at = "2-0", engine.Position{Texts: engine.Texts{Series: "series"}}
		f.events = tt.events
		f.own["2-0"] = true
		if err := f.mend(f.run); err != nil || f.forgets != tt.forgets || (len(f.pending) == 1) != tt.says || !slices.Equal(f.applied, tt.applied) {
			t.Errorf("%s: %v, forgotten %d times, pending %+v, applied %v", name, err, f.forgets, f.pending, f.applied)
		}
		if tt.says && f.pending[0].last() != "2-0" || f.last != tt.events[len(tt.events)-1].ID || len(f.own) != 0 {
			t.Errorf("%s: last %s, pending %+v", name, f.last, f.pending)
		}
	}
}

// TestLostTwice: a log that is lost anew before a member has received its messages about the
// log before it has lost no purge. Only real events, and events that such messages name, count.
func TestLostTwice(t *testing.T) {
	for name, tt := range map[string]struct {
		between []engine.Event // of the log that is lost next
		begins  string         // the newest event that another member knows then
		forgets int
		says    string
	}{
		"messages":                            {[]engine.Event{event("5-0", knows("2-0")), event("6-0", Action{Kind: restored})}, "2-0", 0, ""},
		"messages to this member only":        {[]engine.Event{event("5-0", knows("1-0"))}, "2-0", 0, ""},
		"an event of the other":               {[]engine.Event{event("5-0", knows("2-0"))}, "7-0", 1, ""},
		"an event of this log":                {[]engine.Event{event("5-0", knows("2-0")), event("7-0", Action{Kind: Warm})}, "2-0", 0, "7-0"},
		"the same event of this log":          {[]engine.Event{event("5-0", knows("2-0")), event("7-0", Action{Kind: Warm}), event("8-0", Action{Kind: restored})}, "7-0", 0, ""},
		"an event that a message names":       {[]engine.Event{event("5-0", knows("3-0"))}, "3-0", 1, ""},
		"a message that only one of both has": {[]engine.Event{event("5-0", knows("3-0"))}, "2-0", 1, "3-0"},
	} {
		f := newStub()
		f.last, f.at, f.events = "2-0", engine.Position{Texts: engine.Texts{Series: "series"}}, tt.between
		if err := f.mend(f.run); err != nil {
			t.Fatal(err)
		}
		f.pending = nil // sent
		f.events = []engine.Event{event("9-0", knows(tt.begins))}
		if err := f.mend(f.run); err != nil {
			t.Fatal(err)
		}
		says := ""
		if len(f.pending) == 1 {
			says = f.pending[0].last()
		}
		if f.forgets != tt.forgets || says != tt.says || f.last != "9-0" {
			t.Errorf("%s: forgotten %d times, pending %+v, last %s", name, f.forgets, f.pending, f.last)
		}
	}
	f := newStub()
	f.last, f.at = "", engine.Position{Texts: engine.Texts{Series: "series"}, Last: "5-0"}
	f.events = []engine.Event{event("5-0", knows("2-0"))}
	if err := f.Enter(f.run); err != nil || f.newest() != "2-0" {
		t.Errorf("a member that starts in such a log knows %s, %v", f.newest(), err)
	}
	f.events = []engine.Event{event("9-0", knows("3-0"))}
	if err := f.mend(f.run); err != nil || f.forgets != 1 {
		t.Errorf("%v, forgotten %d times", err, f.forgets)
	}
	f = newStub()
	f.last, f.at = "", engine.Position{Texts: engine.Texts{Series: "series"}, Last: "5-0"}
	f.events = []engine.Event{event("5-0", knows(""))}
	if err := f.Enter(f.run); err != nil {
		t.Fatal(err)
	}
	f.events = []engine.Event{event("9-0", knows("3-0"))}
	if err := f.mend(f.run); err != nil || f.forgets != 1 {
		t.Errorf("in a first log without events: %v, forgotten %d times", err, f.forgets)
	}
}

// TestConcurrentPurges: a purge that another member's purge has overtaken follows it: both
// are in the series. Each ends the names of the keys that it selects.
func TestConcurrentPurges(t *testing.T) {
	f := newStub()
	none := func() error { return nil }
	other := f.parse("series").After(series.Cut{ID: "OTHER", Kind: Purge, Data: []byte(`"a"`)})
	f.text, f.at = other, engine.Position{Texts: engine.Texts{Series: other}, Last: "3-0"}
	f.events, f.nextID = []engine.Event{event("3-0", Action{Kind: Purge, Data: []byte(`"a"`), Series: other})}, "4-0"
	if refused, away := f.act(Purge, "b", true, none); refused != nil || away != nil || len(f.pending) != 0 {
		t.Fatal(refused, away)
	}
	if want := "append since sync append since"; f.called() != want || f.applied[0] != "purge in " {
		t.Errorf("%q, %q", f.calls, f.applied)
	}
	own := f.parse(f.text)
	if of := own.Of("a"); of != f.parse(other).Of("a") || own.Of("b") == of || own.Of("c") != "series" || own.Of("b") == "series" {
		t.Errorf("%s: a %s, b %s, c %s", f.text, of, own.Of("b"), own.Of("c"))
	}
}

// TestForeignSeries: a series that follows from no event is taken for the present one by the
// next purge.
func TestForeignSeries(t *testing.T) {
	f := newStub()
	f.last = "3-0"
	f.text, f.at, f.nextID = "foreign", engine.Position{Texts: engine.Texts{Series: "foreign"}, Last: "3-0"}, "4-0"
	f.act(Purge, "b", true, func() error { return nil })
	if now := f.parse(f.text); len(f.pending) != 0 || now.Of("c") != "foreign" || now.Of("b") == "foreign" {
		t.Errorf("%s, pending %+v", f.text, f.pending)
	}
}
