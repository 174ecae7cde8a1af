package fleet_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
)

// TestPurgeOfOneKey: after a purge of one key no member finds an answer from before it, also a
// member that was away or joins later; the answers to other keys stay in use.
func TestPurgeOfOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b, away := join(t, s), join(t, s), join(t, s)
		for _, key := range []string{"/teams/", "/athletes/"} {
			a.fetch(t, "1", key, "before")
		}
		_, late := b.Claim(t.Context(), generation("1"), "/late/")
		away.stop()
		for _, key := range []string{"/late/", "/teams/"} {
			a.Act(fleet.Purge, key, true, nothing)
		}
		synctest.Wait()
		late(answer("/late/", "1", "before")) // its fill began before the purge
		synctest.Wait()
		away.again(t)
		newcomer := join(t, s)
		for i, m := range []*member{b, a, away, newcomer} {
			want := map[string]string{"/teams/": "after", "/late/": "after", "/athletes/": "before"}
			for key, want := range want {
				body := "own"
				if i == 0 {
					body = "after"
				}
				if got := m.fetch(t, "1", key, body); got != want {
					t.Errorf("member %d, %s: %q", i, key, got)
				}
			}
		}
		if got := away.done(); !slices.Equal(got, []string{`purge"/late/"`, `purge"/teams/"`}) {
			t.Errorf("%q", got)
		}
		if m := newcomer.missed; len(m) != 2 || string(m[0].Data) != `"/late/"` || string(m[1].Data) != `"/teams/"` || m[0].At.IsZero() || m[1].At.Before(m[0].At) {
			t.Errorf("of the purges before its start a new member does %+v", m)
		}
	})
}

// TestManyPurges: many purges of single keys do not grow the series: at some point it begins
// anew, for all keys.
func TestManyPurges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		a.fetch(t, "1", "/teams/", "first")
		longest, changes := 0, 0
		for i := range 40 {
			m := []*member{a, b}[i%2]
			m.Act(fleet.Purge, "/key/"+string(rune('A'+i)), true, nothing)
			synctest.Wait()
			longest = max(longest, len(s.Series()))
			if got := b.fetch(t, "1", "/teams/", string(rune('A'+i))); got == string(rune('A'+i)) {
				changes++
			}
		}
		if longest > 2<<10 || changes != 2 {
			t.Errorf("the series has %d bytes, and changed %d times for all keys", longest, changes)
		}
	})
}

// TestPurgeInALostLog: a purge of one key that the log has lost hides all answers from before
// the loss, unless the log was lost with them.
func TestPurgeInALostLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		a.fetch(t, "1", "/teams/", "before")
		back := s.Save()
		a.Act(fleet.Purge, "/teams/", true, nothing)
		synctest.Wait()
		a.stop()
		back()
		time.Sleep(10 * time.Second)
		if got := b.fetch(t, "1", "/teams/", "after"); got != "after" {
			t.Errorf("%q", got)
		}
		if got := join(t, s).fetch(t, "1", "/teams/", "own"); got != "after" {
			t.Errorf("a new member: %q", got)
		}
	})
}
