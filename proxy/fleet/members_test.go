package fleet_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/current"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
	"github.com/lewistv/xcri-proxy/proxy/fleet/members"
)

// TestMembers: each member lists the members that are alive, and since when one is behind
// the newest generation.
func TestMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		a.set(func(m *member) { m.info = fleet.Info{Name: "a", Version: "v1", Calculated: "2026-10-01"} })
		b.set(func(m *member) { m.info = fleet.Info{Name: "b", Version: "v2", Calculated: "2026-10-01"} })
		time.Sleep(3 * time.Second)
		all := a.Members()
		if len(all) != 2 || all[0].Name != "a" || !all[0].Own || all[1].Version != "v2" || all[1].Own || !all[0].Behind.IsZero() || !all[1].Behind.IsZero() {
			t.Errorf("%+v", all)
		}
		b.set(func(m *member) { m.info.Calculated = "2026-10-02" })
		time.Sleep(10 * time.Second)
		for _, m := range []*member{a, b} {
			all := m.Members()
			if lag := time.Since(all[0].Behind); len(all) != 2 || lag < 8*time.Second || lag > 11*time.Second || !all[1].Behind.IsZero() {
				t.Errorf("%+v", all)
			}
		}
		a.set(func(m *member) { m.info.Calculated = "2026-10-02" })
		b.stop()
		time.Sleep(10 * time.Second)
		if all := a.Members(); len(all) != 1 || all[0].Name != "a" || !all[0].Behind.IsZero() {
			t.Errorf("%+v", all)
		}
		if all := b.Members(); len(all) != 1 || all[0].Name != "b" || !all[0].Own {
			t.Errorf("without the level: %+v", all)
		}
	})
}

// TestReturnOfMembers: after an outage of the level that has lost the list of members, a member
// that returns first has patience for the others until they have had the time to return. A
// member without others has none, and neither has a member whose others do not return.
func TestReturnOfMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		if time.Sleep(3 * time.Second); a.Patience() != 0 {
			t.Error("a single member waits for others")
		}
		outage := func() {
			s.Fail(fleettest.Down)
			s.Flush()
			time.Sleep(10 * time.Second)
			if a.Patience() != 0 {
				t.Error("a member without a level waits for others")
			}
			s.Fail(fleettest.Works)
			for !a.Stats().Up {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(3 * time.Second)
		}
		if outage(); a.Patience() != 0 {
			t.Error("a single member waits for others after an outage")
		}
		b := join(t, s)
		if time.Sleep(3 * time.Second); a.Patience() == 0 {
			t.Error("a member does not wait for another")
		}
		s.Fail(fleettest.Down)
		b.stop()
		if outage(); len(a.Members()) != 1 || a.Patience() == 0 {
			t.Errorf("%d members; no patience for a member that may return", len(a.Members()))
		}
		if time.Sleep(3 * time.Second); a.Patience() != 0 {
			t.Error("patience for a member that has not returned")
		}
		if outage(); a.Patience() != 0 {
			t.Error("patience for a member that was away before the outage")
		}
	})
}

// TestGone: a member that reports no more is gone, with the time of its last report, until ten
// minutes later, or until a member of its name reports. A member that stops in order is not. A
// member that begins to listen waits whether the others return.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, other := join(t, s), join(t, s)
		lost, heard := s.Engine(), time.Now()
		report := func(id, name string) {
			heard = time.Now()
			if _, err := lost.Beat(t.Context(), members.Report{ID: id, Info: []byte(`{"name":"` + name + `","version":"v1","calculated_at":"2025-10-27"}`), Lasts: time.Second}); err != nil {
				t.Fatal(err)
			}
		}
		check := func(what string, alive, gone int) {
			t.Helper()
			all := a.Gone()
			if n := len(a.Members()); n != alive || len(all) != gone {
				t.Errorf("%s: %d alive, %d gone", what, n, len(all))
			}
			for _, m := range all {
				if m.Name != "lost" || m.Version != "v1" || !m.Heard.Equal(heard) {
					t.Errorf("%s: %+v, last heard of at %v", what, m, heard)
				}
			}
		}
		report("1", "lost")
		other.stop()
		time.Sleep(4 * time.Second)
		check("alive", 2, 0)
		time.Sleep(4 * time.Second)
		check("gone", 1, 1)
		if r := a.Report(current.Holds{}); len(r.Gone) != 1 || r.Gone[0] != (api.GoneMember{Name: "lost", Version: "v1", Calculated: "2025-10-27", Heard: heard}) {
			t.Errorf("%+v", r.Gone)
		}
		report("2", "lost")
		time.Sleep(2 * time.Second)
		check("again", 2, 0)
		time.Sleep(8 * time.Second)
		check("gone again", 1, 1)
		a.stop()
		a.again(t)
		check("a new session", 1, 0)
		time.Sleep(8 * time.Second)
		check("after a time", 1, 1)
		time.Sleep(10 * time.Minute)
		check("ten minutes later", 1, 0)
		report("3", "lost")
		time.Sleep(8 * time.Second)
		s.Fail(fleettest.Down)
		time.Sleep(time.Second)
		check("the level is away", 1, 0)
	})
}

// TestManyMembers: a large fleet is listed less often, so that a heartbeat reads at most 50
// members on average.
func TestManyMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		for range 79 {
			newMember(t, s, "")
		}
		time.Sleep(4 * time.Second)
		if all := a.Members(); len(all) != 80 {
			t.Errorf("%d members", len(all))
		}
		before := s.Listed()
		time.Sleep(8 * time.Second)
		if n := s.Listed() - before; n < 80*80*3 || n > 80*80*5 {
			t.Errorf("80 members have read %d members in 8 heartbeats", n)
		}
	})
}

// TestAliveAfterStop: the members of a fleet that has stopped can be read by its own
// description, as conditions of the proxy do.
func TestAliveAfterStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := join(t, fleettest.NewServer())
		time.Sleep(2 * time.Second)
		if n := len(a.Alive()); n != 1 {
			t.Errorf("%d members", n)
		}
		a.set(func(m *member) { m.info.Name = "a" })
		a.stop()
		if all := a.Alive(); all != nil {
			t.Errorf("%+v", all)
		}
		if all := a.Members(); len(all) != 1 || all[0].Name != "a" {
			t.Errorf("%+v", all)
		}
	})
}

// names returns the names of the members that a member lists.
func (m *member) names() (all []string) {
	for _, one := range m.Members() {
		all = append(all, one.Name)
	}
	return all
}

// TestRestart: a member that was killed, and starts again before its last report has expired,
// takes the place of its former session: it is listed once, and no vote waits for the session.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := joinAs(t, s, "a")
		killed := members.Report{ID: "killed", Info: fleet.Info{Name: "b"}.Encode(), Lasts: time.Hour}
		if _, err := s.Engine().Beat(t.Context(), killed); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		if got := a.names(); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("before: %q", got)
		}
		b := joinAs(t, s, "b")
		time.Sleep(1250 * time.Millisecond)
		for _, m := range []*member{a, b} {
			if got := m.names(); !slices.Equal(got, []string{"a", "b"}) || len(m.Gone()) != 0 {
				t.Errorf("%q, %d gone", got, len(m.Gone()))
			}
		}
		first := a.ready(t, "1")
		b.ready(t, "1").publishes(t, time.Now())
		first.publishes(t, time.Now())
	})
}

// TestOneName: members that run under one name are listed with different names. The name is
// gone once none of them is alive.
func TestOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := joinAs(t, s, "a"), joinAs(t, s, "b")
		another := joinAs(t, s, "b")
		dies := s.Engine()
		report := members.Report{ID: "dies", Info: fleet.Info{Name: "b"}.Encode(), Lasts: 5 * time.Second, First: true}
		check := func(what string, gone int, want ...string) {
			t.Helper()
			for _, m := range []*member{a, b, another} {
				if got := m.names(); !slices.Equal(got, want) || len(m.Gone()) != gone {
					t.Errorf("%s: %q, %d gone", what, got, len(m.Gone()))
				}
			}
			for _, m := range a.Members() {
				if (m.Name == "a") != m.Double.IsZero() {
					t.Errorf("%s: %s is one of several since %v", what, m.Name, m.Double)
				}
			}
		}
		time.Sleep(2500 * time.Millisecond)
		check("two of one name", 0, "a", "b", "b (2)")
		if _, err := dies.Beat(t.Context(), report); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		check("three of one name", 0, "a", "b", "b (2)", "b (3)")
		for range 30 { // while its last report expires, and after
			time.Sleep(200 * time.Millisecond)
			if n := len(a.Gone()); n != 0 {
				t.Fatal("a name is gone while members of that name live")
			}
		}
		check("the third has died", 0, "a", "b", "b (2)")
	})
}

// TestFirstReport: a member whose level is away at its start reports as new with its first heartbeat.
func TestFirstReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		killed := members.Report{ID: "killed", Info: fleet.Info{Name: "b"}.Encode(), Lasts: time.Hour}
		if _, err := s.Engine().Beat(t.Context(), killed); err != nil {
			t.Fatal(err)
		}
		s.Fail(fleettest.Down)
		b := newMember(t, s, "b")
		time.Sleep(time.Second)
		s.Fail(fleettest.Works)
		time.Sleep(3500 * time.Millisecond)
		if got := b.names(); !slices.Equal(got, []string{"b"}) || !b.Stats().Up {
			t.Errorf("%q", got)
		}
	})
}
