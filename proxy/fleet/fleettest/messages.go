package fleettest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
)

// messages: every listener receives the names that are filled or released while a caller
// waits, and the events of the log.
func messages(t *testing.T, a, b fleet.Engine) {
	got := make(chan fleet.Message, 10)
	e := b
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	receive := own(got, func(m fleet.Message) bool {
		return m.Kind == fleet.Logged || m.Kind == fleet.Filled && strings.HasPrefix(m.Text, "messages:")
	})
	go func() { ended <- e.Listen(ctx, func() { close(ready) }, receive) }()
	<-ready
	ok(t, a.Put(t.Context(), "messages:{0}:unlocked", "", []byte("1"), time.Hour))
	for _, name := range []string{"messages:{1}:a", "messages:{2}:b", "messages:{3}:alone", "messages:{4}:long", "messages:{5}:other"} {
		claim(t, a, name, "a")
	}
	ok(t, a.Put(t.Context(), "messages:{3}:alone", "a", []byte("1"), time.Hour))
	for range 2 { // they wait
		for _, name := range []string{"messages:{1}:a", "messages:{2}:b", "messages:{4}:long", "messages:{5}:other"} {
			if c := claim(t, b, name, "b"); c.Claimed || c.Value != nil || c.Left > time.Hour {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
	ok(t, a.Extend(t.Context(), "messages:{4}:long", "a", 3*time.Hour))
	if c := claim(t, b, "messages:{4}:long", "b"); c.Left <= time.Hour {
		t.Errorf("after a renewal %+v", c)
	}
	ok(t, a.Put(t.Context(), "messages:{1}:a", "a", []byte("1"), time.Hour))
	ok(t, a.Release(t.Context(), "messages:{2}:b", "a"))
	ok(t, a.Put(t.Context(), "messages:{5}:other", "", []byte("1"), time.Hour))
	_, err := a.Sync(t.Context(), "one", nil)
	ok(t, err)
	id, err := a.Append(t.Context(), []byte("event"), fleet.Texts{}, fleet.Texts{})
	ok(t, err)
	want := map[fleet.Message]bool{{Kind: fleet.Filled, Text: "messages:{1}:a"}: true, {Kind: fleet.Filled, Text: "messages:{2}:b"}: true,
		{Kind: fleet.Filled, Text: "messages:{5}:other"}: true, {Kind: fleet.Logged, Text: id}: true}
	for len(want) > 0 {
		select {
		case m := <-got:
			if !want[m] {
				t.Errorf("%+v, want %+v", m, want)
			}
			delete(want, m)
		case <-time.After(patience):
			t.Fatalf("no message of %+v", want)
		}
	}
	stop()
	ok(t, <-ended)
	if c := claim(t, b, "messages:{2}:b", "b"); !c.Claimed {
		t.Errorf("after the release of a lock that others wait for: %+v", c)
	}
}

// own returns a receiver that passes the messages of this test to got. The servers of a cluster
// forward messages to each other, so that messages of an earlier test may follow.
func own(got chan<- fleet.Message, is func(fleet.Message) bool) func(fleet.Message) {
	return func(m fleet.Message) {
		if is(m) {
			got <- m
		}
	}
}
