package fleet_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
)

// TestLostLog: a member that was away when the log was lost makes all its entries stale if
// it has missed an event, and not otherwise: the members that knew the lost log say how far
// it went. A member that was connected has missed none.
func TestLostLog(t *testing.T) {
	for _, c := range []struct {
		name   string
		missed bool
		begins string // the member that begins the new log
		want   []string
	}{
		{"a missed purge", true, "connected", []string{"forget"}},
		{"nothing missed", false, "connected", nil},
		{"a missed purge, and the member that was away begins the log", true, "away", []string{"forget"}},
		{"nothing missed, and the member that was away begins the log", false, "away", nil},
		{"a missed purge, and a new member begins the log", true, "new", []string{"forget"}},
		{"nothing missed, and a new member begins the log", false, "new", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fleettest.NewServer()
				a, b := join(t, s), join(t, s)
				a.Act("do", 1, false, nothing)
				synctest.Wait()
				b.stop()
				if c.missed {
					a.Act(fleet.Purge, 2, true, nothing)
				}
				if c.begins != "connected" {
					a.stop()
				}
				s.Flush()
				switch c.begins {
				case "connected":
					time.Sleep(10 * time.Second)
					b.again(t)
				case "away":
					b.again(t)
					a.again(t)
				case "new":
					join(t, s)
					b.again(t)
					a.again(t)
				}
				time.Sleep(10 * time.Second)
				if got := a.done(); len(got) != 0 {
					t.Errorf("connected: %q", got)
				}
				if got := b.done(); !slices.Equal(got, append([]string{"do1"}, c.want...)) {
					t.Errorf("away: %q", got)
				}
				late := join(t, s)
				late.fetch(t, "1", "/teams/", "shared")
				for _, m := range []*member{a, b} {
					if got := m.fetch(t, "1", "/teams/", "own"); got != "shared" {
						t.Errorf("%q", got)
					}
				}
				b.Act("do", 3, false, nothing)
				synctest.Wait()
				if got := a.done(); !slices.Equal(got, []string{"do3"}) {
					t.Errorf("%q", got)
				}
				before := s.Operations()
				time.Sleep(time.Minute)
				if n := s.Operations() - before; n > 4*2*61 {
					t.Errorf("%d operations in a minute without a change", n)
				}
			})
		})
	}
}

// TestActAfterFlush: an action directly after a flush reaches the members.
func TestActAfterFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		a.fetch(t, "1", "/teams/", "before")
		s.Flush()
		if refused, away := a.Act(fleet.Purge, 1, true, nothing); refused != nil || away != nil {
			t.Fatal(refused, away)
		}
		b.Act(fleet.Maintenance, 2, false, nothing)
		time.Sleep(10 * time.Second)
		if got := b.done(); !slices.Equal(got, []string{"purge1"}) {
			t.Errorf("%q", got)
		}
		if got := a.done(); !slices.Equal(got, []string{"maintenance2"}) {
			t.Errorf("%q", got)
		}
		if stats := a.Stats(); !stats.Up || stats.Opened != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

// TestTrimmedLog: a member that was away for more events than the log holds makes all its
// entries stale, and does the actions that the log still holds.
func TestTrimmedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		b.stop()
		a.Act(fleet.Purge, 1, true, nothing)
		a.Act(fleet.Maintenance, 2, false, nothing)
		s.Trim(1)
		b.again(t)
		time.Sleep(10 * time.Second)
		if got := b.done(); !slices.Equal(got, []string{"forget", "maintenance2"}) {
			t.Errorf("%q", got)
		}
	})
}

// TestRolledBack: after a failover to a replica that had not received a purge, the member
// that made the purge makes it again, and no member finds an answer from before it.
func TestRolledBack(t *testing.T) {
	for _, c := range []struct {
		name    string
		present bool // the member that made the purge still runs
		want    []string
	}{
		{"the member runs", true, []string{"purge1", "forget", "maintenance2", "purge1"}},
		{"the member is gone", false, []string{"purge1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fleettest.NewServer()
				a, b := join(t, s), join(t, s)
				a.fetch(t, "1", "/teams/", "before")
				back := s.Save()
				a.Act(fleet.Purge, 1, true, nothing)
				synctest.Wait()
				if !c.present {
					a.stop()
				}
				back()
				if c.present {
					a.Act(fleet.Maintenance, 2, false, nothing)
				}
				time.Sleep(10 * time.Second)
				if got := b.done(); !slices.Equal(got, c.want) {
					t.Errorf("%q", got)
				}
				if got := b.fetch(t, "1", "/teams/", "after"); got != "after" {
					t.Errorf("%q", got)
				}
				if got := join(t, s).fetch(t, "1", "/teams/", "own"); got != "after" {
					t.Errorf("a new member: %q", got)
				}
			})
		})
	}
}

// TestSlow: the circuit breaker stays open while the level takes longer for an answer than
// a request waits for it.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		a.fetch(t, "1", "/teams/", "first")
		s.Delay(200 * time.Millisecond)
		var paid time.Duration
		for range 1000 {
			began := time.Now()
			a.fetch(t, "1", "/teams/", "own")
			paid += time.Since(began)
			time.Sleep(100 * time.Millisecond)
		}
		if paid != 50*time.Millisecond {
			t.Errorf("1,000 lookups waited for %s", paid)
		}
		if stats := a.Stats(); stats.Up || stats.Opened != 1 || stats.Reason == "" {
			t.Errorf("%+v", stats)
		}
		s.Delay(0)
		time.Sleep(10 * time.Second)
		if got := a.fetch(t, "1", "/teams/", "own"); got != "first" {
			t.Errorf("%q", got)
		}
	})
}

// TestSlowAndBusy: a level whose answers come late, while bytes of other answers arrive all
// the time, costs lookups its delay for some heartbeats, and nothing afterwards.
func TestSlowAndBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		a.fetch(t, "1", "/teams/", "first")
		s.Delay(200 * time.Millisecond)
		ctx, stop := context.WithCancel(t.Context())
		var sender sync.WaitGroup
		sender.Go(func() {
			for ctx.Err() == nil {
				s.Send(100 << 10)
				time.Sleep(20 * time.Millisecond)
			}
		})
		paid := func() (paid time.Duration) {
			for range 100 {
				began := time.Now()
				a.fetch(t, "1", "/teams/", "own")
				paid += time.Since(began)
				time.Sleep(100 * time.Millisecond)
			}
			return paid
		}
		if took := paid(); took < 200*time.Millisecond || took > 5*time.Second {
			t.Errorf("at first lookups waited for %s", took)
		}
		if took := paid(); took != 0 {
			t.Errorf("then lookups waited for %s", took)
		}
		if stats := a.Stats(); stats.Up || stats.Opened != 1 || stats.Reason != "the shared level is too slow" {
			t.Errorf("%+v", stats)
		}
		s.Delay(0)
		time.Sleep(10 * time.Second)
		if !a.Stats().Up {
			t.Errorf("%+v", a.Stats())
		}
		stop()
		sender.Wait()
	})
}

// TestReturn: when a level returns empty, the members do not all store the same entries,
// nor do they use it more than the begin of a session and the heartbeat need. No entry
// becomes stale, and no request pays.
func TestReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const members, warm, seconds = 20, 50, 20
		s := fleettest.NewServer()
		var all []*member
		for range members {
			m := join(t, s)
			all = append(all, m)
			m.set(func(m *member) {
				for i := range warm {
					key := "/teams/?limit=" + strconv.Itoa(i)
					m.fresh[key] = &cache.Entry{Key: key, Content: answer(key, "1", key).Content}
				}
			})
		}
		time.Sleep(time.Minute)
		s.Fail(fleettest.Down)
		s.Flush()
		began := time.Now()
		for _, m := range all {
			for i := range 100 {
				m.fetch(t, "1", strconv.Itoa(i), "own")
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("lookups in a level that is down took %s", took)
		}
		time.Sleep(time.Minute)
		puts := func() (n int64) {
			for _, m := range all {
				n += m.Stats().Puts
			}
			return n
		}
		operations, before := s.Operations(), puts()
		s.Fail(fleettest.Works)
		s.Delay(time.Millisecond)
		time.Sleep(seconds * time.Second)
		if n := puts() - before; n < warm || n > 4*warm {
			t.Errorf("%d entries stored by %d members with the same %d", n, members, warm)
		}
		// A session begins with at most 10 operations, looks for each warm entry once, and
		// has 2 heartbeats a second.
		if n := s.Operations() - operations; n > members*(10+warm+2*seconds)+4*warm {
			t.Errorf("%d operations in %d s", n, seconds)
		}
		for _, m := range all {
			if stats := m.Stats(); !stats.Up || stats.Opened != 1 || len(m.done()) != 0 {
				t.Errorf("%+v, %q", stats, m.done())
			}
		}
	})
}
