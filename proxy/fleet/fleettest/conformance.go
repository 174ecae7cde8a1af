package fleettest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/members"
)

// patience is the longest wait for a message.
const patience = time.Minute

// Conformance holds the operations of an engine. connect returns another connection to the
// same server, which is empty at first; flush empties it.
func Conformance(t *testing.T, connect func(t *testing.T) fleet.Engine, flush func()) {
	for name, test := range map[string]func(*testing.T, fleet.Engine, fleet.Engine){
		"values": values, "locks": locks, "leases": leases, "sure": sure, "messages": messages, "members": listed, "gone": gone, "names": names, "votes": ballots, "wants": counted,
	} {
		t.Run(name, func(t *testing.T) {
			flush()
			test(t, listening(t, connect(t), nil), listening(t, connect(t), nil))
		})
	}
	t.Run("log", func(t *testing.T) {
		flush()
		log(t, listening(t, connect(t), nil), flush)
	})
	t.Run("lasting", func(t *testing.T) {
		flush()
		lasting(t, listening(t, connect(t), nil), flush)
	})
}

// listening returns an engine once it listens.
func listening(t *testing.T, e fleet.Engine, receive func(fleet.Message)) fleet.Engine {
	t.Helper()
	if receive == nil {
		receive = func(fleet.Message) {}
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- e.Listen(ctx, func() { close(ready) }, receive) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("Listen: %v", err)
	case <-time.After(patience):
		t.Fatal("no subscription")
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Listen: %v", err)
		}
		e.Close()
	})
	return e
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, e fleet.Engine, name, token string) fleet.Claim {
	t.Helper()
	c, err := e.Claim(t.Context(), name, token, time.Hour, false)
	ok(t, err)
	return c
}

// values: a value is found by its name until it is dropped or expires.
func values(t *testing.T, a, b fleet.Engine) {
	ok(t, a.Ping(t.Context()))
	value := append([]byte{'1', '3', 0, 0xff, '\r', '\n'}, bytes.Repeat([]byte("x"), 1<<20)...)
	ok(t, a.Put(t.Context(), "n:{1}:a", "", value, time.Hour))
	if c := claim(t, b, "n:{1}:a", "b"); c.Claimed || !bytes.Equal(c.Value, value) {
		t.Errorf("%d bytes", len(c.Value))
	}
	head, err := b.Head(t.Context(), "n:{1}:a", 2)
	if err != nil || string(head) != "13" {
		t.Errorf("head %q, %v", head, err)
	}
	if head, err := b.Head(t.Context(), "n:{1}:other", 2); err != nil || len(head) != 0 {
		t.Errorf("head of nothing: %q, %v", head, err)
	}
	ok(t, b.Drop(t.Context(), "n:{1}:a"))
	if c := claim(t, a, "n:{1}:a", "a"); !c.Claimed {
		t.Errorf("after a drop: %+v", c)
	}
	ok(t, a.Put(t.Context(), "n:{1}:short", "", value, time.Millisecond))
	eventually(t, func() bool { return claim(t, a, "n:{1}:short", "a").Value == nil })
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come")
		}
	}
}

// locks: one token has the lock of a name, until it releases it or stores the value. No
// other token can.
func locks(t *testing.T, a, b fleet.Engine) {
	if c := claim(t, a, "n:{1}:a", "a"); !c.Claimed || c.Value != nil {
		t.Fatalf("%+v", c)
	}
	if c := claim(t, a, "n:{2}:b", "a"); !c.Claimed {
		t.Errorf("another name: %+v", c)
	}
	held := func(by string) {
		t.Helper()
		if c := claim(t, b, "n:{1}:a", "b"); c.Claimed || c.Value != nil || c.Left <= 0 || c.Left > time.Hour {
			t.Errorf("%s: %+v", by, c)
		}
	}
	held("another token")
	ok(t, b.Release(t.Context(), "n:{1}:a", "b"))
	held("after the release by another token")
	ok(t, b.Extend(t.Context(), "n:{1}:a", "b", time.Millisecond))
	held("after another token extended it")
	ok(t, a.Release(t.Context(), "n:{1}:a", "a"))
	if c := claim(t, b, "n:{1}:a", "b"); !c.Claimed {
		t.Errorf("after the release: %+v", c)
	}
	ok(t, b.Put(t.Context(), "n:{1}:a", "b", []byte("1value"), time.Hour))
	ok(t, b.Drop(t.Context(), "n:{1}:a"))
	if c := claim(t, a, "n:{1}:a", "c"); !c.Claimed {
		t.Errorf("a value does not release the lock: %+v", c)
	}
	ok(t, b.Put(t.Context(), "n:{1}:a", "b", []byte("1value"), time.Hour))
	ok(t, b.Drop(t.Context(), "n:{1}:a"))
	held("after the value of a token without the lock")
}

// leases: the lock of a token that dies ends with its lease, which the token can extend.
func leases(t *testing.T, a, b fleet.Engine) {
	for name, extended := range map[string]bool{"n:{1}:dies": false, "n:{1}:lives": true} {
		c, err := a.Claim(t.Context(), name, "a", 500*time.Millisecond, false)
		if err != nil || !c.Claimed {
			t.Fatalf("%+v, %v", c, err)
		}
		if extended {
			ok(t, a.Extend(t.Context(), name, "a", time.Hour))
		}
	}
	eventually(t, func() bool { return claim(t, b, "n:{1}:dies", "b").Claimed })
	if c := claim(t, b, "n:{1}:lives", "b"); c.Claimed || c.Left < 30*time.Minute {
		t.Errorf("%+v", c)
	}
}

// sure: a caller that demands a sure value gets no other, and may replace it.
func sure(t *testing.T, a, b fleet.Engine) {
	ok(t, a.Put(t.Context(), "n:{1}:a", "", []byte("0unsure"), time.Hour))
	if c := claim(t, b, "n:{1}:a", "b"); string(c.Value) != "0unsure" {
		t.Errorf("%+v", c)
	}
	for range 2 {
		c, err := b.Claim(t.Context(), "n:{1}:a", "b", time.Hour, true)
		ok(t, err)
		if c.Value != nil {
			t.Errorf("an unsure value: %+v", c)
		}
	}
	ok(t, b.Put(t.Context(), "n:{1}:a", "b", []byte("1sure"), time.Hour))
	if c, err := a.Claim(t.Context(), "n:{1}:a", "a", time.Hour, true); err != nil || string(c.Value) != "1sure" {
		t.Errorf("%+v, %v", c, err)
	}
}

// listed: each member sees the members that are alive.
func listed(t *testing.T, a, b fleet.Engine) {
	if all, err := a.Beat(t.Context(), members.Report{ID: "a", Info: []byte("of:a"), Lasts: time.Hour, List: true}); err != nil || len(all) != 1 || string(all["a"].Info) != "of:a" {
		t.Errorf("%+v, %v", all, err)
	}
	if all, err := b.Beat(t.Context(), members.Report{ID: "b", Info: []byte{1}, Lasts: time.Hour}); err != nil || all != nil {
		t.Errorf("without a list %+v, %v", all, err)
	}
	if all, err := b.Beat(t.Context(), members.Report{ID: "b", Info: []byte{0, 0xff}, Lasts: time.Hour, List: true}); err != nil || len(all) != 2 || string(all["b"].Info) != "\x00\xff" || string(all["a"].Info) != "of:a" || all["a"].Gone {
		t.Errorf("%+v, %v", all, err)
	}
}

// gone: a member that does not report any more is listed as gone, by its name, until it reports
// again. A member that leaves is not listed.
func gone(t *testing.T, a, b fleet.Engine) {
	info := []byte(`{"name":"the first"}`)
	list := func(lasts time.Duration) map[string]members.Heard {
		t.Helper()
		all, err := b.Beat(t.Context(), members.Report{ID: "b", Info: []byte(`{"name":"the second"}`), Lasts: lasts, List: true})
		ok(t, err)
		return all
	}
	away := func() {
		t.Helper()
		eventually(t, func() bool { return len(list(time.Millisecond)) == 2 && list(time.Millisecond)["the first"].Gone })
		for range 2 {
			if all := list(time.Hour); len(all) != 2 || !all["the first"].Gone || !bytes.Equal(all["the first"].Info, info) || all["the first"].Ago < time.Millisecond || all["b"].Gone {
				t.Errorf("%+v", all)
			}
		}
	}
	_, err := a.Beat(t.Context(), members.Report{ID: "a", Info: info, Lasts: time.Hour})
	ok(t, err)
	away()
	_, err = a.Beat(t.Context(), members.Report{ID: "another ID", Info: info, Lasts: time.Hour})
	ok(t, err)
	if all := list(time.Hour); len(all) != 2 || all["another ID"].Gone || all["the first"].Gone {
		t.Errorf("after its return: %+v", all)
	}
	away()
	_, err = a.Beat(t.Context(), members.Report{ID: "a", Info: info, Lasts: time.Hour})
	ok(t, err)
	ok(t, a.Leave(t.Context(), "a"))
	if all := list(time.Hour); len(all) != 1 || all["b"].Gone {
		t.Errorf("after it has left: %+v", all)
	}
}

// names: the first report of a member ends the members of its name, which has been started
// again. A member of the name that lives returns, and its name is not gone while either lives.
func names(t *testing.T, a, b fleet.Engine) {
	one := []byte(`{"name":"one"}`)
	report := func(e fleet.Engine, r members.Report, want ...string) {
		t.Helper()
		r.Lasts, r.List = time.Hour, want != nil
		all, err := e.Beat(t.Context(), r)
		ok(t, err)
		if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", r.ID, got, want)
		}
	}
	report(a, members.Report{ID: "1", Info: one, First: true})
	report(a, members.Report{ID: "other", Info: []byte(`{"name":"other"}`), First: true}, "1", "other")
	report(b, members.Report{ID: "2", Info: one, First: true}, "2", "other")
	report(a, members.Report{ID: "1", Info: one}, "1", "2", "other")
	report(b, members.Report{ID: "2", Info: one}, "1", "2", "other")
	eventually(t, func() bool { // once the others are late, their names are, and not the living member's
		all, err := b.Beat(t.Context(), members.Report{ID: "2", Info: one, Lasts: time.Millisecond, List: true})
		ok(t, err)
		return len(all) == 2 && !all["2"].Gone && all["other"].Gone
	})
}

// lasting: the text of the lasting actions changes with an event, together with the series or
// without, unless either is another than the caller knows. A flush removes it.
func lasting(t *testing.T, e fleet.Engine, flush func()) {
	at, err := e.Sync(t.Context(), "one", nil)
	ok(t, err)
	now := at.Texts
	for _, step := range []struct {
		present, next fleet.Texts
		moved         bool
	}{
		{fleet.Texts{Lasting: "unknown"}, fleet.Texts{Lasting: "a"}, true},
		{fleet.Texts{}, fleet.Texts{Lasting: "a"}, false},
		{fleet.Texts{}, fleet.Texts{Lasting: "b"}, true},
		{fleet.Texts{Series: "one", Lasting: "b"}, fleet.Texts{Series: "two", Lasting: "c"}, true},
		{fleet.Texts{Series: "unknown", Lasting: "a"}, fleet.Texts{Series: "two", Lasting: "c"}, true},
		{fleet.Texts{Series: "one", Lasting: "a"}, fleet.Texts{Series: "two", Lasting: "c"}, false},
		{fleet.Texts{Series: "two"}, fleet.Texts{Series: "three"}, false},
		{fleet.Texts{}, fleet.Texts{}, false},
	} {
		id, err := e.Append(t.Context(), []byte("event"), step.present, step.next)
		if errors.Is(err, fleet.ErrMoved) != step.moved || !step.moved && err != nil || (id == "") != step.moved {
			t.Errorf("%+v: %q, %v", step, id, err)
		}
		if !step.moved {
			now, at.Last = fleet.Texts{Series: cmp.Or(step.next.Series, now.Series), Lasting: cmp.Or(step.next.Lasting, now.Lasting)}, id
		}
		if got, err := e.Sync(t.Context(), "other", nil); err != nil || got != (fleet.Position{Texts: now, Last: at.Last}) {
			t.Errorf("%+v: %+v, %v", step, got, err)
		}
	}
	flush()
	if got, err := e.Sync(t.Context(), "new", nil); err != nil || got.Texts != (fleet.Texts{Series: "new"}) {
		t.Errorf("after a flush: %+v, %v", got, err)
	}
}

// log: the log keeps the events in their order, and says when it is no longer complete.
func log(t *testing.T, e fleet.Engine, flush func()) {
	first, err := e.Sync(t.Context(), "one", []byte("first"))
	if err != nil || first.Series != "one" || first.Last == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := e.Sync(t.Context(), "two", nil); err != nil || again != first {
		t.Errorf("%+v, %v", again, err)
	}
	a, err := e.Append(t.Context(), []byte{'a', 0xff, 0}, fleet.Texts{Series: "another", Lasting: "another"}, fleet.Texts{})
	ok(t, err)
	b, err := e.Append(t.Context(), []byte("b"), fleet.Texts{Series: "one"}, fleet.Texts{Series: "three"})
	ok(t, err)
	if id, err := e.Append(t.Context(), []byte("late"), fleet.Texts{Series: "one"}, fleet.Texts{Series: "another"}); id != "" || !errors.Is(err, fleet.ErrMoved) {
		t.Errorf("another series: %q, %v", id, err)
	}
	events, complete, err := e.Since(t.Context(), first.Last)
	if err != nil || !complete || len(events) != 2 || events[0].ID != a || string(events[0].Text) != "a\xff\x00" || events[1].ID != b || string(events[1].Text) != "b" {
		t.Errorf("%+v, %t, %v", events, complete, err)
	}
	if events, complete, err := e.Since(t.Context(), b); err != nil || !complete || len(events) != 0 {
		t.Errorf("at the end: %+v, %t, %v", events, complete, err)
	}
	if now, err := e.Sync(t.Context(), "four", nil); err != nil || now != (fleet.Position{Texts: fleet.Texts{Series: "three"}, Last: b}) {
		t.Errorf("%+v, %v", now, err)
	}
	if events, complete, err := e.Since(t.Context(), "0-0"); err != nil || complete || len(events) != 3 || string(events[0].Text) != "first" || events[2].ID != b {
		t.Errorf("from the begin: %+v, %t, %v", events, complete, err)
	}
	flush()
	if _, complete, err := e.Since(t.Context(), b); err != nil || complete {
		t.Errorf("after a flush: %t, %v", complete, err)
	}
	if id, err := e.Append(t.Context(), []byte("to no log"), fleet.Texts{Series: "three"}, fleet.Texts{Series: "none"}); err != nil || id != "" {
		t.Errorf("to no log: %q, %v", id, err)
	}
	if now, err := e.Sync(t.Context(), "five", nil); err != nil || now.Series != "five" || now.Last == "" {
		t.Errorf("%+v, %v", now, err)
	}
	if errors.Is(err, fleet.ErrFull) {
		t.Error(err)
	}
}
