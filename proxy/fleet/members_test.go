package fleet_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/current"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
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
			if _, err := lost.Beat(t.Context(), id, []byte(`{"name":"`+name+`","version":"v1","calculated_at":"2025-10-27"}`), time.Second, false); err != nil {
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
			newMember(t, s)
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
