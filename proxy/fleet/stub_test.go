package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
)

// stub is an Engine whose results the test sets. It notes the operations.
type stub struct {
	mu    sync.Mutex
	calls []string
	fails map[string]error         // by operation
	takes map[string]time.Duration // by operation, unless its context ends before

	silent   bool          // Listen does not confirm
	lasts    time.Duration // of Listen; zero means until its context ends
	closes   bool          // Listen ends without an error
	claims   []Claim       // one after the other
	head     []byte
	at       Position
	events   []Event
	gap      bool // events are missing
	nextID   string
	appended [][]byte
	members  map[string][]byte
	put      []byte
	keep     time.Duration // of the value
}

var errStub = errors.New("the stub fails")

func (e *stub) do(ctx context.Context, operation string) error {
	e.mu.Lock()
	e.calls = append(e.calls, operation)
	err, takes := e.fails[operation], e.takes[operation]
	e.mu.Unlock()
	if takes > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(takes):
		}
	}
	return err
}

// called returns the operations since the last call.
func (e *stub) called() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := strings.Join(e.calls, " ")
	e.calls = nil
	return calls
}

func (e *stub) Listen(ctx context.Context, ready func(), _ func(Message)) error {
	if err := e.do(ctx, "listen"); err != nil {
		return err
	}
	if !e.silent {
		ready()
	}
	if e.closes {
		return nil
	}
	var lost <-chan time.Time
	e.mu.Lock()
	if e.lasts > 0 {
		lost = time.After(e.lasts)
	}
	e.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil
	case <-lost:
		return errStub
	}
}
func (e *stub) Ping(ctx context.Context) error { return e.do(ctx, "ping") }
func (e *stub) Claim(ctx context.Context, _, _ string, _ time.Duration, _ bool) (Claim, error) {
	var c Claim
	if len(e.claims) > 0 {
		c, e.claims = e.claims[0], e.claims[1:]
	}
	return c, e.do(ctx, "claim")
}

func (e *stub) Extend(ctx context.Context, _, _ string, _ time.Duration) error {
	return e.do(ctx, "extend")
}

func (e *stub) Put(ctx context.Context, _, _ string, value []byte, keep time.Duration) error {
	e.put, e.keep = value, keep
	return e.do(ctx, "put")
}
func (e *stub) Release(ctx context.Context, _, _ string) error { return e.do(ctx, "release") }
func (e *stub) Head(ctx context.Context, _ string, _ int) ([]byte, error) {
	return e.head, e.do(ctx, "head")
}
func (e *stub) Drop(ctx context.Context, _ string) error { return e.do(ctx, "drop") }
func (e *stub) Sync(ctx context.Context, _ string, _ []byte) (Position, error) {
	return e.at, e.do(ctx, "sync")
}

func (e *stub) Append(ctx context.Context, event []byte, _ string) (string, error) {
	e.appended = append(e.appended, event)
	return e.nextID, e.do(ctx, "append")
}

func (e *stub) Since(ctx context.Context, _ string) ([]Event, bool, error) {
	return e.events, !e.gap, e.do(ctx, "since")
}

func (e *stub) Beat(ctx context.Context, _ string, _ []byte, _ time.Duration, _ bool) (map[string][]byte, error) {
	return e.members, e.do(ctx, "beat")
}
func (*stub) Moved() int64                           { return 0 }
func (*stub) Leave(context.Context, string) error    { return nil }
func (*stub) Announce(context.Context, string) error { return nil }
func (*stub) Close()                                 {}
func (*stub) Want(_ context.Context, r wanted.Report, _ time.Duration) (wanted.Counts, error) {
	return wanted.Counts{Token: r.Token}, nil
}
func (*stub) Decision(context.Context) (d agree.Decision, err error) { return d, nil }
func (*stub) Vote(context.Context, agree.Vote, time.Duration) (r agree.Result, err error) {
	return r, nil
}

type ofAll string

func (g ofAll) ID() string                { return string(g) }
func (g ofAll) Holds(e *cache.Entry) bool { return e.Generation == string(g) }

// stubbed is a Fleet with a stub, and a session of it.
type stubbed struct {
	*Fleet
	*stub
	s       *session
	state   State
	usable  bool
	applied []string
	forgets int
	fresh   *cache.Entry
	log     bytes.Buffer
}

func newStubbed(t *testing.T) *stubbed {
	f := &stubbed{stub: &stub{fails: map[string]error{}, takes: map[string]time.Duration{}}, usable: true, state: State{Generation: "g", Sure: true, Settled: true}}
	f.Fleet = New(Options{
		Engine: f.stub, Info: func() Info { return Info{Name: "me"} }, State: func(cache.Generation, string) State { return f.state },
		Usable: func(*cache.Saved) bool { return f.usable }, Rank: func(*cache.Content) int { return 5 },
		Published: func() cache.Generation { return ofAll("g") },
		Apply:     func(a Action) { f.applied = append(f.applied, a.Kind+" in "+*f.series.Load()) }, Forget: func() { f.forgets++ },
		Warm: func() []string { return []string{"/key"} }, Fresh: func(string) *cache.Entry { return f.fresh },
		Logger: slog.New(slog.NewTextHandler(&f.log, nil)),
	})
	f.begin(t)
	f.series.Store(new("series"))
	return f
}

// begin begins a session.
func (f *stubbed) begin(t *testing.T) {
	f.s = &session{}
	f.s.ctx, f.s.end = context.WithCancelCause(t.Context())
	f.link.now.Store(f.s)
	f.called()
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
	f := newStubbed(t)
	for _, id := range []string{"1-0", "2-0", "3-0", "4-0"} {
		f.actions.remember(id, Action{Kind: id})
	}
	f.resend("2-0", map[string]bool{"2-0": true, "4-0": true})
	var left []string
	for _, one := range f.actions.sent {
		left = append(left, one.id)
	}
	if len(f.actions.pending) != 1 || f.actions.pending[0].Kind != "3-0" || !slices.Equal(left, []string{"1-0", "2-0", "4-0"}) {
		t.Errorf("pending %+v, left %v", f.actions.pending, left)
	}
}

// TestLearn: a member that hears of a later event of a lost log than it knows forgets its
// entries, once.
func TestLearn(t *testing.T) {
	f := newStubbed(t)
	for _, step := range []struct {
		before, heard string
		forgets       int
	}{{"", "9-0", 0}, {"2-0", "2-0", 0}, {"2-0", "3-0", 1}, {"", "", 1}} {
		if step.before != "" {
			f.actions.before = step.before
		}
		if f.learn(step.heard); f.forgets != step.forgets {
			t.Errorf("%+v: %d", step, f.forgets)
		}
	}
	if f.learn("3-0"); f.forgets != 1 || strings.Count(f.log.String(), "lost the log") != 1 {
		t.Errorf("%d, log %q", f.forgets, f.log.String())
	}
}

func event(id string, a Action) Event {
	text, _ := json.Marshal(a)
	return Event{ID: id, Text: text}
}

// TestApply: no shared answer is used while another member's purge is applied, and only
// answers of the new series afterwards, unless a purge of this member is pending. This member's own
// events are not applied again.
func TestApply(t *testing.T) {
	f := newStubbed(t)
	l := &f.actions
	f.apply(event("1-0", Action{Kind: Maintenance}))
	f.apply(event("2-0", Action{Kind: Purge, Series: "second"}))
	if want := []string{"maintenance in series", "purge in "}; !slices.Equal(f.applied, want) || *f.series.Load() != "second" || l.last != "2-0" {
		t.Errorf("%q, series %s, last %s", f.applied, *f.series.Load(), l.last)
	}
	l.own["3-0"] = true
	f.apply(event("3-0", Action{Kind: Purge, Series: "third"}))
	if len(f.applied) != 2 || *f.series.Load() != "third" || len(l.own) != 0 {
		t.Errorf("%q, series %s, own %v", f.applied, *f.series.Load(), l.own)
	}
	f.apply(Event{ID: "4-0", Text: []byte("garbage")})
	if len(f.applied) != 2 || *f.series.Load() != "third" || l.last != "4-0" {
		t.Errorf("%q, series %s", f.applied, *f.series.Load())
	}
	l.pending = []Action{{Kind: Purge, Series: "own"}}
	f.apply(event("5-0", Action{Kind: Purge, Series: "fifth"}))
	if *f.series.Load() != "" {
		t.Errorf("series %s before the own purge", *f.series.Load())
	}
}

// TestActionsOfAMember: an action is done before it is sent, and waits for the level. A purge
// ends the series immediately; an action that is refused changes nothing.
func TestActionsOfAMember(t *testing.T) {
	fails := errors.New("refused")
	none := func() error { return nil }
	f := newStubbed(t)
	if refused, away := f.Act(Purge, make(chan int), true, none); refused == nil || away != nil || len(f.actions.pending) != 0 || f.called() != "" {
		t.Errorf("an action that has no text: %v, %v", refused, away)
	}
	during := ""
	refused, away := f.Act(Purge, "x", true, func() error { during = "in " + *f.series.Load(); return fails })
	if refused != fails || away != nil || during != "in " || *f.series.Load() != "series" || len(f.actions.pending) != 0 {
		t.Errorf("refused: %v, %v, %q, series %q", refused, away, during, *f.series.Load())
	}
	f.fails["append"] = errStub
	if refused, away := f.Act(Maintenance, "x", false, none); refused != nil || away != errStub || *f.series.Load() != "series" || f.actions.pending[0].Series != "" || f.actions.pending[0].By != "me" {
		t.Errorf("%v, %v, %+v", refused, away, f.actions.pending)
	}
	if f.link.now.Load() != nil {
		t.Error("the link is up after a failure")
	}
	f.TableChanged("a_table")
	if p := f.actions.pending; len(p) != 2 || p[1].Kind != Table || p[1].Series == "" || *f.series.Load() != "" || strings.Count(f.log.String(), "once the shared level is back") != 1 {
		t.Errorf("%+v, log %q", p, f.log.String())
	}
	delete(f.fails, "append")
	f.begin(t)
	f.nextID, f.actions.last = "9-0", "8-0"
	f.log.Reset()
	f.TableChanged("a_table")
	if len(f.actions.pending) != 0 || len(f.appended) != 1+3 || f.log.Len() != 0 || len(f.actions.sent) != 3 {
		t.Errorf("%d pending, %d appended, log %q", len(f.actions.pending), len(f.appended), f.log.String())
	}
}

// TestLogFails: a failure of the log ends each step that needs it, which leaves this member's
// place as it was.
func TestLogFails(t *testing.T) {
	for _, tt := range []struct {
		step    string
		run     func(f *stubbed) error
		fails   string
		calls   string
		pending bool
	}{
		{"follow", func(f *stubbed) error { return f.follow(f.s.ctx, f.s) }, "since", "since", false},
		{"follow", func(f *stubbed) error { return f.follow(f.s.ctx, f.s) }, "append", "append", true},
		{"follow a lost log", func(f *stubbed) error { f.nextID = ""; return f.follow(f.s.ctx, f.s) }, "sync", "append sync", true},
		{"follow a gap", func(f *stubbed) error { f.gap = true; return f.follow(f.s.ctx, f.s) }, "sync", "since sync", false},
		{"mend", func(f *stubbed) error { return f.mend(f.s.ctx, f.s) }, "sync", "sync", false},
		{"mend", func(f *stubbed) error { return f.mend(f.s.ctx, f.s) }, "since", "sync since", false},
		{"enter", func(f *stubbed) error { f.actions.last = ""; return f.enter(f.s.ctx, f.s) }, "sync", "sync", false},
		{"enter", func(f *stubbed) error { f.actions.last = ""; return f.enter(f.s.ctx, f.s) }, "since", "sync since", false},
		{"enter", func(f *stubbed) error { f.actions.last = ""; return f.enter(f.s.ctx, f.s) }, "append", "sync since append", true},
		{"enter again", func(f *stubbed) error { return f.enter(f.s.ctx, f.s) }, "since", "since", false},
		{"compare", func(f *stubbed) error { f.compare(f.s.ctx, f.s); return errStub }, "sync", "sync", false},
	} {
		f := newStubbed(t)
		f.actions.last, f.nextID = "1-0", "5-0"
		f.events, f.at = []Event{event("2-0", Action{Kind: Warm})}, Position{Series: "series", Last: "2-0"}
		if tt.pending {
			f.actions.pending = []Action{{Kind: Maintenance}}
		}
		f.fails[tt.fails] = errStub
		if err := tt.run(f); err != errStub || f.called() != tt.calls || len(f.applied) != 0 || (len(f.actions.pending) == 1) != tt.pending {
			t.Errorf("%s, %s fails: %v, applied %v, pending %v", tt.step, tt.fails, err, f.applied, f.actions.pending)
		}
		if f.link.now.Load() != nil || f.Stats().Errors != 1 || context.Cause(f.s.ctx) != errStub {
			t.Errorf("%s, %s fails: the link is up", tt.step, tt.fails)
		}
	}
}

// TestEmptyLog: a log without events has no place for a member.
func TestEmptyLog(t *testing.T) {
	f := newStubbed(t)
	f.actions.last = "1-0"
	if err := f.mend(f.s.ctx, f.s); err != nil || f.actions.last != "1-0" || f.forgets != 0 {
		t.Errorf("%v, last %s", err, f.actions.last)
	}
}

// TestMend: a member that finds later events in another log than it knew learns whether it
// has missed any: the log says which event of the lost log is known, or the member says so.
func TestMend(t *testing.T) {
	for name, tt := range map[string]struct {
		events  []Event
		forgets int
		says    bool // this member knows the later event, and says so
		applied []string
	}{
		"the log begins with this event":    {[]Event{event("5-0", knows("2-0"))}, 0, false, nil},
		"the log begins with a later event": {[]Event{event("5-0", knows("3-0"))}, 1, false, nil},
		"this member knows a later event":   {[]Event{event("5-0", knows("1-0")), event("6-0", Action{Kind: Warm})}, 0, true, []string{"warm in series"}},
		"another knows a later event":       {[]Event{event("5-0", knows("1-0")), event("6-0", knows("3-0"))}, 1, false, nil},
		"the oldest events are missing":     {[]Event{event("5-0", Action{Kind: Warm})}, 1, false, []string{"warm in series"}},
		"the newest events are missing":     {[]Event{event("1-0", Action{Kind: Warm})}, 0, false, nil},
	} {
		f := newStubbed(t)
		f.actions.last, f.at = "2-0", Position{Series: "series"}
		f.events = tt.events
		f.actions.own["2-0"] = true
		if err := f.mend(f.s.ctx, f.s); err != nil || f.forgets != tt.forgets || (len(f.actions.pending) == 1) != tt.says || !slices.Equal(f.applied, tt.applied) {
			t.Errorf("%s: %v, forgotten %d times, pending %+v, applied %v", name, err, f.forgets, f.actions.pending, f.applied)
		}
		if tt.says && f.actions.pending[0].last() != "2-0" || f.actions.last != tt.events[len(tt.events)-1].ID || len(f.actions.own) != 0 {
			t.Errorf("%s: last %s, pending %+v", name, f.actions.last, f.actions.pending)
		}
	}
}

// TestOffers: an entry is offered if it is fresh, of a settled and sure state, and better
// than the value in the level; the level is asked once.
func TestOffers(t *testing.T) {
	entry := func(generation string) *cache.Entry {
		return &cache.Entry{Content: cache.Content{Status: 200, Generation: generation, Variants: []cache.Variant{{Body: []byte("body")}}}}
	}
	for name, tt := range map[string]struct {
		change func(f *stubbed)
		calls  string
		known  bool
	}{
		"no value":           {func(*stubbed) {}, "head put", true},
		"a worse value":      {func(f *stubbed) { f.head = []byte("14") }, "head put", true},
		"an equal value":     {func(f *stubbed) { f.head = []byte("15") }, "head", true},
		"a better value":     {func(f *stubbed) { f.head = []byte("16") }, "head", true},
		"an unsure value":    {func(f *stubbed) { f.head = []byte("09") }, "head put", true},
		"a cut value":        {func(f *stubbed) { f.head = []byte("2") }, "head put", true},
		"no series":          {func(f *stubbed) { f.series.Store(new("")) }, "", false},
		"before a publish":   {func(f *stubbed) { f.opts.Published = func() cache.Generation { return nil } }, "", false},
		"not shared":         {func(f *stubbed) { f.state.Generation = "" }, "", false},
		"not sure":           {func(f *stubbed) { f.state.Sure = false }, "", false},
		"not settled":        {func(f *stubbed) { f.state.Settled = false }, "", false},
		"not fresh":          {func(f *stubbed) { f.fresh = nil }, "", false},
		"of another state":   {func(f *stubbed) { f.fresh = entry("old") }, "", false},
		"the lookup fails":   {func(f *stubbed) { f.fails["head"] = errStub }, "head", false},
		"too large to share": {func(f *stubbed) { f.fresh.Variants[0].Body = make([]byte, largest) }, "head", false},
	} {
		f := newStubbed(t)
		f.offered.reset()
		f.fresh = entry("g")
		tt.change(f)
		f.offerWarm(f.s)
		if calls := f.called(); calls != tt.calls || len(f.offered.of) > 0 != tt.known || tt.known && !f.Has(ofAll("g"), "/key") {
			t.Errorf("%s: %q, known %v", name, calls, f.offered.of)
		}
		if !tt.known {
			continue
		}
		if f.offerWarm(f.s); f.called() != "" {
			t.Errorf("%s: asked again", name)
		}
		f.state.Data = "changed"
		if f.offerWarm(f.s); f.called() == "" || f.Stats().Puts == 0 && strings.Contains(tt.calls, "put") {
			t.Errorf("%s: another state is not offered", name)
		}
	}
}

// TestOffersAreForgotten: after ten minutes, and in each session, the level is asked again.
// An ended session offers nothing.
func TestOffersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newStubbed(t)
		f.fresh, f.head = &cache.Entry{Content: cache.Content{Generation: "g"}}, []byte("19")
		f.offered.set0("/key")
		go f.offerAll(f.s)
		time.Sleep(offerEvery)
		synctest.Wait()
		if calls := f.called(); calls != "head" {
			t.Errorf("at first %q", calls)
		}
		time.Sleep(forgetEvery - offerEvery - 1)
		if calls := f.called(); calls != "" {
			t.Errorf("then %q", calls)
		}
		time.Sleep(1 + time.Nanosecond)
		synctest.Wait()
		if calls := f.called(); calls != "head" {
			t.Errorf("after ten minutes %q", calls)
		}
		f.s.end(nil)
		synctest.Wait()
		f.offered.reset()
		if f.offerWarm(f.s); f.called() != "" {
			t.Error("an ended session offers")
		}
	})
}

// set0 notes a value of an earlier session.
func (o *offered) set0(key string) {
	o.reset()
	o.set(key, offer{name: "of an earlier session", rank: '9'})
}

// TestHeartbeat: the members are listed with each heartbeat of a small fleet, and less often
// in a large fleet. A level without room lists this member alone.
func TestHeartbeat(t *testing.T) {
	f := newStubbed(t)
	f.stub.members = map[string][]byte{}
	for i := range 2*listed + 1 {
		f.stub.members[string(rune('a'+i))] = []byte(`{"name":"x"}`)
	}
	for beat, rest := range []int{2, 1, 0, 2} {
		if f.beat(f.s.ctx, f.s); f.Fleet.members.rest != rest || len(f.Members()) != 2*listed+1 {
			t.Errorf("heartbeat %d: %d until the next list, %d members", beat, f.Fleet.members.rest, len(f.Members()))
		}
	}
	f.Fleet.members.rest = 0
	f.fails["beat"] = errStub
	if f.beat(f.s.ctx, f.s); f.Fleet.members.rest != 0 || len(f.Fleet.members.All()) != 2*listed+1 {
		t.Errorf("after a failure: %d members", len(f.Fleet.members.All()))
	}
	f.begin(t)
	f.fails["beat"] = ErrFull
	if f.beat(f.s.ctx, f.s); len(f.Members()) != 1 || !f.Members()[0].Own || f.Members()[0].Name != "me" || f.Stats().Full != 1 {
		t.Errorf("a full level: %+v", f.Members())
	}
}
