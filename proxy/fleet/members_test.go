package fleet_test

import (
	"testing"
	"testing/synctest"
	"time"

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
