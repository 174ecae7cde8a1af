package fleettest

import (
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/proxy/fleet/members"
	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
)

// ballots: the engine decides for a generation once all living members are ready or a vote is
// forced, if the voters knew of the last decision.
func ballots(t *testing.T, a, b fleet.Engine) {
	got := make(chan fleet.Message, 10)
	listening(t, sameServer{b}, own(got, func(m fleet.Message) bool { return m.Kind != fleet.Filled && m.Kind != fleet.Logged }))
	says := func(want fleet.Message) {
		t.Helper()
		select {
		case m := <-got:
			if m != want {
				t.Errorf("%+v, want %+v", m, want)
			}
		case <-time.After(patience):
			t.Fatalf("no message %+v", want)
		}
	}
	cast := func(e fleet.Engine, v agree.Vote, decided, data string, all bool) {
		t.Helper()
		r, err := e.Vote(t.Context(), v, time.Hour)
		if err != nil || r.Name != decided || string(r.Data) != data || r.All != all {
			t.Errorf("%+v: decided %q %q, all %t, %v", v, r.Name, r.Data, r.All, err)
		}
	}
	if d, err := a.Decision(t.Context()); err != nil || d.Name != "" {
		t.Errorf("%+v, %v", d, err)
	}
	for _, id := range []string{"a", "b"} {
		_, err := a.Beat(t.Context(), members.Report{ID: id, Lasts: time.Hour})
		ok(t, err)
	}
	ready := func(member, name, after string) agree.Vote {
		return agree.Vote{Member: member, Step: agree.Ready, Name: name, After: after, Data: []byte("of\x00" + name)}
	}
	cast(a, ready("a", "1", ""), "", "", false)
	cast(a, ready("a", "1", ""), "", "", false)
	cast(b, ready("b", "1", ""), "1", "", true)
	says(fleet.Message{Kind: fleet.Decided, Text: "1"})
	if d, err := b.Decision(t.Context()); err != nil || d.Name != "1" || string(d.Data) != "of\x001" {
		t.Errorf("%+v, %v", d, err)
	}
	cast(a, ready("late", "1", ""), "1", "", false)
	cast(a, agree.Vote{Member: "a", Step: agree.Held, Name: "1"}, "1", "", false)
	cast(b, agree.Vote{Member: "b", Step: agree.Held, Name: "1"}, "1", "", true)
	says(fleet.Message{Kind: fleet.Held, Text: "1"})

	cast(a, ready("a", "0", ""), "1", "of\x001", false) // read before the decision
	cast(a, ready("a", "2", "1"), "1", "", false)
	forced := ready("a", "2", "1")
	forced.Force = true
	cast(a, forced, "2", "", false)
	says(fleet.Message{Kind: fleet.Decided, Text: "2"})
	cast(b, ready("b", "3", "1"), "2", "of\x002", false)
	cast(b, agree.Vote{Member: "b", Step: agree.Held, Name: "1"}, "2", "of\x002", false)
	ok(t, b.Leave(t.Context(), "b"))
	cast(a, ready("a", "3", "2"), "3", "", true)
	says(fleet.Message{Kind: fleet.Decided, Text: "3"})
	ok(t, a.Announce(t.Context(), "4"))
	says(fleet.Message{Kind: fleet.Seen, Text: "4"})
}

// counted: the counts of all members are added up, and are forgotten after a time.
func counted(t *testing.T, a, b fleet.Engine) {
	report := func(e fleet.Engine, r wanted.Report, lasts time.Duration) wanted.Counts {
		t.Helper()
		r.Limit, r.Least = 3, 2
		c, err := e.Want(t.Context(), r, lasts)
		ok(t, err)
		return c
	}
	first := report(a, wanted.Report{Changes: map[string]int64{"ignored": 9}}, time.Hour)
	if first.Token == "" || len(first.Keys) != 0 {
		t.Fatalf("%+v", first)
	}
	report(a, wanted.Report{Token: first.Token, Changes: map[string]int64{"x": 5, "y": 3, "z": 1}}, time.Hour)
	c := report(b, wanted.Report{Token: first.Token, Changes: map[string]int64{"y": 4, "w\x00\xff": 2, "v": 2, "z": 0}}, time.Hour)
	if c.Token != first.Token || len(c.Keys) != 3 || c.Keys[0] != "y" || c.Keys[1] != "x" || c.Keys[2] != "w\x00\xff" {
		t.Errorf("%+v", c)
	}
	c = report(a, wanted.Report{Token: first.Token, Changes: map[string]int64{"x": -4, "y": -3, "w\x00\xff": -9}}, time.Millisecond)
	if len(c.Keys) != 2 || c.Keys[0] != "y" || c.Keys[1] != "v" {
		t.Errorf("%+v", c)
	}
}

// sameServer is an engine that another test closes.
type sameServer struct{ fleet.Engine }

func (sameServer) Close() {}
