package fleet_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
)

// fleetOf returns members that know of each other.
func fleetOf(t *testing.T, s *fleettest.Server, n int) (all []*member) {
	t.Helper()
	for range n {
		all = append(all, join(t, s))
	}
	time.Sleep(2 * time.Second)
	for _, m := range all {
		if len(m.Members()) != n {
			t.Fatalf("%d members", len(m.Members()))
		}
	}
	return all
}

// vote is a member that is ready for a generation.
type vote struct {
	err  error
	at   time.Time // of its publish
	done chan struct{}
}

// ready has a member vote for a generation, which the member read after the last decision it
// knows, and publish it.
func (m *member) ready(t *testing.T, name string) *vote {
	v, after := &vote{done: make(chan struct{})}, m.Rounds().Known()
	go func() {
		defer close(v.done)
		v.err = m.Rounds().Agree(t.Context(), agree.Decision{Name: name, Data: []byte(name)}, after)
		v.at = time.Now()
		if v.err == nil {
			m.Rounds().Published(name)
		}
	}()
	synctest.Wait()
	return v
}

func (v *vote) publishes(t *testing.T, at time.Time) {
	t.Helper()
	select {
	case <-v.done:
	case <-time.After(time.Minute):
		t.Fatal("it waits")
	}
	if v.err != nil || !v.at.Equal(at) {
		t.Errorf("published %s late, %v", v.at.Sub(at), v.err)
	}
}

// holds returns the generations for which requests of a member were held.
func (m *member) holds() (all []string) {
	m.set(func(m *member) { all = append(all, m.held...) })
	return all
}

// follows has a member that is not ready publish the decision that it has to follow.
func (m *member) follows(t *testing.T, name string) {
	t.Helper()
	r := m.Rounds().Round()
	if r == nil || r.Name != name || string(r.Data) != name {
		t.Fatalf("it does not follow: %+v", r)
	}
	if err := m.Rounds().Pass(t.Context()); err != nil {
		t.Error(err)
	}
	m.Rounds().Published(name)
	if r := m.Rounds().Round(); r != nil {
		t.Errorf("after the publish: %+v", r)
	}
}

// TestAlone: a member without others publishes immediately, and a member without a level, too.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := fleetOf(t, s, 1)[0]
		a.ready(t, "1").publishes(t, time.Now())
		s.Fail(fleettest.Down)
		synctest.Wait()
		a.ready(t, "2").publishes(t, time.Now())
		if err := agree.Alone().Agree(t.Context(), agree.Decision{Name: "1"}, ""); err != nil {
			t.Error(err)
		}
	})
}

// TestTogether: members publish once the last is ready, and none before all hold requests.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := fleetOf(t, fleettest.NewServer(), 3)
		for _, name := range []string{"1", "2"} {
			first := all[0].ready(t, name)
			time.Sleep(time.Second)
			second := all[1].ready(t, name)
			if holds := all[0].holds(); len(holds) > 0 && holds[len(holds)-1] == name {
				t.Error("held before all are ready")
			}
			time.Sleep(900 * time.Millisecond)
			third := all[2].ready(t, name)
			for _, v := range []*vote{first, second, third} {
				v.publishes(t, time.Now())
			}
			for _, m := range all {
				if holds := m.holds(); holds[len(holds)-1] != name || m.Rounds().Known() != name {
					t.Errorf("held for %q, knows %s", holds, m.Rounds().Known())
				}
			}
		}
	})
}

// TestLate: a member that is not ready publishes with the others, 2 s after the first was
// ready. A member that does not answer costs 250 ms more, and a member that has ended nothing.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := fleetOf(t, fleettest.NewServer(), 3)
		begun := time.Now()
		first := all[0].ready(t, "1")
		time.Sleep(time.Second)
		second := all[1].ready(t, "1")
		first.publishes(t, begun.Add(2*time.Second))
		second.publishes(t, begun.Add(2*time.Second))
		all[2].follows(t, "1")

		all[2].stop() // and leaves
		begun = time.Now()
		first = all[0].ready(t, "2")
		all[1].ready(t, "2").publishes(t, begun)
		first.publishes(t, begun)
	})
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		all := fleetOf(t, s, 2)
		all[1].set(func(m *member) { m.refuses = make(chan struct{}) }) // it hangs once it hears of the decision
		begun := time.Now()
		all[0].ready(t, "1").publishes(t, begun.Add(2*time.Second+250*time.Millisecond))
		close(all[1].refuses)
		synctest.Wait()
		all[1].follows(t, "1")
	})
}

// TestOther: if members are ready for different generations, each follows the first decision. A
// generation that was read before the last decision is not decided for.
func TestOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := fleetOf(t, fleettest.NewServer(), 3)
		old := all[0].ready(t, "old")
		time.Sleep(500 * time.Millisecond)
		begun := time.Now()
		slow := all[1].ready(t, "newest")
		old.publishes(t, begun.Add(1500*time.Millisecond))
		<-slow.done
		if !errors.Is(slow.err, agree.ErrOther) {
			t.Errorf("%v", slow.err)
		}
		all[1].follows(t, "old")
		all[2].follows(t, "old")
		for i, v := range []*vote{all[0].ready(t, "newest"), all[1].ready(t, "newest"), all[2].ready(t, "newest")} {
			v.publishes(t, time.Now())
			if holds := all[i].holds(); len(holds) != 2 {
				t.Errorf("%q", holds)
			}
		}
		// This member read its generation before the last decision.
		late := make(chan error)
		go func() { late <- all[0].Rounds().Agree(t.Context(), agree.Decision{Name: "older"}, "old") }()
		if err := <-late; !errors.Is(err, agree.ErrOther) {
			t.Errorf("%v", err)
		}
	})
}

// TestLevelFailsBetween: members that hold requests when the level fails publish within 250 ms,
// and members that wait for others immediately.
func TestLevelFailsBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		all := fleetOf(t, s, 3)
		waiting := all[0].ready(t, "1")
		time.Sleep(time.Second)
		s.Fail(fleettest.Down)
		synctest.Wait()
		waiting.publishes(t, time.Now())
	})
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		all := fleetOf(t, s, 2)
		all[1].set(func(m *member) { m.refuses = make(chan struct{}) })
		holding := all[0].ready(t, "1")
		time.Sleep(2*time.Second + 100*time.Millisecond)
		s.Fail(fleettest.Down)
		holding.publishes(t, time.Now().Add(150*time.Millisecond))
		close(all[1].refuses)
	})
}

// TestCounts: each publish counts as together, late or alone, and a vote that another decision
// overtakes as lost.
func TestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		all := fleetOf(t, s, 2)
		a, b := all[0], all[1]
		check := func(what string, wants ...agree.Counts) {
			t.Helper()
			for i, want := range wants {
				if got := all[i].Rounds().Counts(); got != want {
					t.Errorf("%s, member %d: %+v, want %+v", what, i, got, want)
				}
			}
		}
		first := a.ready(t, "1")
		<-b.ready(t, "1").done
		<-first.done
		check("together", agree.Counts{Together: 1}, agree.Counts{Together: 1})
		first = a.ready(t, "2")
		time.Sleep(time.Second)
		<-b.ready(t, "another").done
		<-first.done
		b.follows(t, "2")
		check("forced", agree.Counts{Together: 2, Forced: 1}, agree.Counts{Together: 2, Lost: 1})
		b.set(func(m *member) { m.refuses = make(chan struct{}) })
		<-a.ready(t, "3").done
		check("late", agree.Counts{Together: 2, Forced: 2, Late: 1})
		close(b.refuses)
		synctest.Wait()
		b.follows(t, "3")
		check("the late member", agree.Counts{Together: 2, Forced: 2, Late: 1}, agree.Counts{Together: 3, Lost: 1})
		s.Fail(fleettest.Down)
		synctest.Wait()
		<-a.ready(t, "4").done
		check("alone", agree.Counts{Together: 2, Forced: 2, Late: 1, Alone: 1})
	})
}

// TestFlushBetween: a level that loses the votes, the decision and the members costs no more
// than a member that is not ready.
func TestFlushBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		all := fleetOf(t, s, 3)
		for _, name := range []string{"1", "2"} {
			begun := time.Now()
			first, second := all[0].ready(t, name), all[1].ready(t, name)
			time.Sleep(time.Second / 2)
			s.Flush()
			for _, v := range []*vote{first, second} {
				v.publishes(t, begun.Add(2*time.Second))
			}
			all[2].follows(t, name)
		}
	})
}

// TestReturnToTheVotes: a member that was away knows the last decision on its return, and polls.
func TestReturnToTheVotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := fleetOf(t, fleettest.NewServer(), 2)
		all[1].stop()
		all[0].ready(t, "1").publishes(t, time.Now())
		woken := all[1].wakes()
		all[1].again(t)
		if known := all[1].Rounds().Known(); known != "1" || all[1].wakes() == woken || all[1].Rounds().Round() != nil {
			t.Errorf("knows %q, %+v", known, all[1].Rounds().Round())
		}
	})
}

// TestAnnounce: a member that finds a new generation makes the others poll, once.
func TestAnnounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := fleetOf(t, fleettest.NewServer(), 3)
		before := []int{all[0].wakes(), all[1].wakes(), all[2].wakes()}
		for range 2 {
			for _, m := range all {
				m.Rounds().Seen("1")
				synctest.Wait()
			}
		}
		for i, m := range all {
			if n, want := m.wakes()-before[i], min(i, 1); n != want {
				t.Errorf("member %d polls %d times", i, n)
			}
		}
	})
}

// TestUntil: a decision ends the poll and the preparation of a member that is not ready.
func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := fleetOf(t, fleettest.NewServer(), 2)
		ctx, cancel := all[1].Rounds().Until(t.Context())
		defer cancel()
		all[0].ready(t, "1")
		if ctx.Err() != nil {
			t.Error("it ends before the decision")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if ctx.Err() == nil {
			t.Error("the preparation goes on")
		}
		if again, cancel := all[1].Rounds().Until(t.Context()); again.Err() == nil {
			t.Error("the next poll goes on")
		} else {
			cancel()
		}
		all[1].follows(t, "1")
		again, cancel := all[1].Rounds().Until(t.Context())
		defer cancel()
		if again.Err() != nil {
			t.Error("after the publish")
		}
		ended, stop := context.WithCancel(t.Context())
		stop()
		if err := all[1].Rounds().Agree(ended, agree.Decision{Name: "2"}, "1"); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}
