package fleet_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
)

// TestPopular: requests are counted over all members, a new member knows the counts from its
// start, and the counts of a member that has ended are forgotten.
func TestPopular(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		a.set(func(m *member) { m.asked = map[string]int64{"/teams/": 3, "/athletes/": 5, "/rare/": 1} })
		b.set(func(m *member) { m.asked = map[string]int64{"/teams/": 3} })
		time.Sleep(150 * time.Second)
		c := join(t, s)
		want := []string{"/teams/", "/athletes/"}
		for _, m := range []*member{a, b, c} {
			if got := m.Popular(10); !slices.Equal(got, want) {
				t.Errorf("%q", got)
			}
		}
		if got := c.Popular(1); !slices.Equal(got, want[:1]) {
			t.Errorf("%q", got)
		}
		a.stop()
		if got := a.Popular(10); got != nil {
			t.Errorf("without the level: %q", got)
		}
		b.set(func(m *member) { m.asked = map[string]int64{"/teams/": 9} })
		time.Sleep(40 * time.Minute)
		if got := c.Popular(10); !slices.Equal(got, want[:1]) {
			t.Errorf("after the end of a member: %q", got)
		}
	})
}
