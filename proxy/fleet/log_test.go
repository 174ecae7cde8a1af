package fleet_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
)

func nothing() error { return nil }

// did returns the actions that a member has done for others.
func (m *member) done() (all []string) {
	m.set(func(m *member) { all = slices.Clone(m.did) })
	return all
}

// TestAct: an action reaches all other members, once and in its order, and not its own.
func TestAct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b, c := join(t, s), join(t, s), join(t, s)
		for i := range 3 {
			if refused, away := a.Act("do", i, false, nothing); refused != nil || away != nil {
				t.Fatal(refused, away)
			}
		}
		if refused, _ := a.Act("no", nil, true, func() error { return errors.ErrUnsupported }); refused != errors.ErrUnsupported {
			t.Errorf("%v", refused)
		}
		synctest.Wait()
		time.Sleep(10 * time.Second)
		for _, m := range []*member{b, c} {
			if got := m.done(); !slices.Equal(got, []string{"do0", "do1", "do2"}) {
				t.Errorf("%q", got)
			}
		}
		if got := a.done(); len(got) != 0 {
			t.Errorf("its own: %q", got)
		}
	})
}

// TestPurge: after a purge no member finds an answer from before it, also if the answer was
// being filled, and answers from after it are shared.
func TestPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		a.fetch(t, "1", "/teams/", "before")
		_, late := b.Claim(t.Context(), generation("1"), "/late/")
		a.Act("purge", nil, true, func() error {
			if found, _ := a.Claim(t.Context(), generation("1"), "/teams/"); found != nil {
				t.Error("found during the purge")
			}
			return nil
		})
		synctest.Wait()
		late(answer("/late/", "1", "before"))
		synctest.Wait()
		for _, key := range []string{"/teams/", "/late/"} {
			if got := b.fetch(t, "1", key, "after"); got != "after" {
				t.Errorf("%s: %q", key, got)
			}
			if got := a.fetch(t, "1", key, "own"); got != "after" {
				t.Errorf("%s: %q", key, got)
			}
		}
		if got := b.done(); !slices.Equal(got, []string{"purgenull"}) {
			t.Errorf("%q", got)
		}
	})
}

// TestAway: a member that was away does the actions on its return, also its own purge, before
// which it uses no shared answer.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		a.fetch(t, "1", "/teams/", "before")
		b.stop()
		a.Act("purge", 1, true, nothing)
		s.Fail(fleettest.Down)
		time.Sleep(time.Second)
		if _, away := a.Act("purge", 2, true, nothing); away == nil {
			t.Error("the level is not away")
		}
		s.Fail(fleettest.Works)
		time.Sleep(10 * time.Second)
		if got := a.fetch(t, "1", "/teams/", "after"); got != "after" {
			t.Errorf("%q", got)
		}
		b.again(t)
		if got := b.done(); !slices.Equal(got, []string{"purge1", "purge2"}) {
			t.Errorf("%q", got)
		}
		if got := b.fetch(t, "1", "/teams/", "own"); got != "after" {
			t.Errorf("%q", got)
		}
	})
}

// TestNewMember: a new member does the lasting actions of the log, and no other.
func TestNewMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		a.Act("purge", nil, true, nothing)
		a.Act(fleet.Source, 1, false, nothing)
		a.Act(fleet.Source, 2, false, nothing)
		a.fetch(t, "1", "/teams/", "shared")
		b := join(t, s)
		time.Sleep(10 * time.Second)
		if got := b.done(); !slices.Equal(got, []string{"source1", "source2"}) {
			t.Errorf("%q", got)
		}
		if got := b.fetch(t, "1", "/teams/", "own"); got != "shared" {
			t.Errorf("%q", got)
		}
	})
}
