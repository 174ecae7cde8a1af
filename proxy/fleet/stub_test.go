package fleet

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/proxy/fleet/engine"
	memberlist "github.com/lewistv/xcri-proxy/proxy/fleet/members"
	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
)

// stub is an Engine whose results the test sets. It notes the operations.
type stub struct {
	mu    sync.Mutex
	calls []string
	fails map[string]error         // by operation
	takes map[string]time.Duration // by operation, unless its context ends before

	silent  bool          // Listen does not confirm
	lasts   time.Duration // of Listen; zero means until its context ends
	closes  bool          // Listen ends without an error
	claims  []Claim       // one after the other
	head    []byte
	at      Position
	members map[string]memberlist.Heard
	put     []byte
	keep    time.Duration // of the value
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

func (e *stub) Append(ctx context.Context, _ []byte, _, _ Texts) (string, error) {
	return "2-0", e.do(ctx, "append")
}

func (e *stub) Since(ctx context.Context, _ string) ([]Event, bool, error) {
	return nil, true, e.do(ctx, "since")
}

func (e *stub) Beat(ctx context.Context, _ memberlist.Report) (map[string]memberlist.Heard, error) {
	return e.members, e.do(ctx, "beat")
}
func (*stub) Moved() int64                           { return 0 }
func (*stub) Owed() time.Duration                    { return time.Hour } // to the operation that takes time
func (*stub) Leave(context.Context, string) error    { return nil }
func (*stub) Announce(context.Context, string) error { return nil }
func (*stub) Close()                                 {}
func (*stub) Damaged() int64                         { return 0 }
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
	s      *session
	state  State
	usable bool
	fresh  *cache.Entry
	log    bytes.Buffer
}

func newStubbed(t *testing.T) *stubbed {
	f := &stubbed{stub: &stub{fails: map[string]error{}, takes: map[string]time.Duration{}}, usable: true, state: State{Generation: "g", Sure: true, Settled: true}}
	f.Fleet = New(Options{
		Engine: f.stub, Info: func() Info { return Info{Name: "me"} }, State: func(cache.Generation, string) State { return f.state },
		Usable: func(*cache.Saved) bool { return f.usable }, Rank: func(*cache.Content) int { return 5 },
		Published: func() cache.Generation { return ofAll("g") },
		Apply:     func(Action) {}, Forget: func() {},
		Warm: func() []string { return []string{"/key"} }, Fresh: func(string) *cache.Entry { return f.fresh },
		Logger: slog.New(slog.NewTextHandler(&f.log, nil)),
	})
	f.begin(t)
	f.at = Position{Texts: Texts{Series: "series"}, Last: "1-0"}
	if err := f.actions.Enter(f.Fleet.run(f.s.ctx, f.s)); err != nil {
		t.Fatal(err)
	}
	f.called()
	return f
}

// begin begins a session.
func (f *stubbed) begin(t *testing.T) {
	f.s = &session{}
	f.s.ctx, f.s.end = context.WithCancelCause(t.Context())
	f.link.now.Store(f.s)
	f.called()
}

// TestChangeOfATable: a change of a table that cannot be sent is logged, and sent later.
func TestChangeOfATable(t *testing.T) {
	f := newStubbed(t)
	if f.TableChanged("a_table"); f.log.Len() != 0 || f.called() != "append since" {
		t.Errorf("log %q", f.log.String())
	}
	f.link.now.Store(nil)
	if f.TableChanged("a_table"); strings.Count(f.log.String(), "once the shared level is back") != 1 || f.called() != "" {
		t.Errorf("log %q", f.log.String())
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
		"no series":          {func(f *stubbed) { f.actions = newActions(f.opts) }, "", false},
		"before a publish":   {func(f *stubbed) { f.opts.Published = func() cache.Generation { return nil } }, "", false},
		"not shared":         {func(f *stubbed) { f.state.Generation = "" }, "", false},
		"not sure":           {func(f *stubbed) { f.state.Sure = false }, "", false},
		"not settled":        {func(f *stubbed) { f.state.Settled = false }, "", false},
		"not fresh":          {func(f *stubbed) { f.fresh = nil }, "", false},
		"of another state":   {func(f *stubbed) { f.fresh = entry("old") }, "", false},
		"the lookup fails":   {func(f *stubbed) { f.fails["head"] = errStub }, "head", false},
		"too large to share": {func(f *stubbed) { f.fresh.Variants[0].Body = make([]byte, engine.MostValue) }, "head", false},
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
	f.stub.members = map[string]memberlist.Heard{}
	for i := range 2*listed + 1 {
		f.stub.members[string(rune('a'+i))] = memberlist.Heard{Info: []byte(`{"name":"x"}`)}
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
