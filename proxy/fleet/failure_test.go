package fleet_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet/fleettest"
)

// TestHangs: a level that answers nothing costs one lookup its budget, and the lookups
// after it nothing. Once the level is back, it is used again without a lookup that pays.
func TestHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		a.fetch(t, "1", "/teams/", "first")
		s.Fail(fleettest.Hangs)
		lookup := func() time.Duration {
			began := time.Now()
			found, done := a.Claim(t.Context(), generation("1"), "/teams/")
			if found != nil {
				t.Error("found")
			}
			done(answer("/teams/", "1", "own"))
			return time.Since(began)
		}
		if took := lookup(); took != 50*time.Millisecond {
			t.Errorf("the first lookup took %s", took)
		}
		for range 100 {
			if took := lookup(); took != 0 {
				t.Errorf("a later lookup took %s", took)
			}
			time.Sleep(time.Second)
		}
		stats := a.Stats()
		if stats.Up || stats.Opened != 1 || stats.Reason == "" || stats.Skipped != 100 {
			t.Errorf("%+v", stats)
		}
		s.Fail(fleettest.Works)
		time.Sleep(10 * time.Second)
		if found, _ := a.Claim(t.Context(), generation("1"), "/teams/"); found == nil || string(found.Variants[0].Body) != "first" {
			t.Errorf("after the return: %v", found)
		}
		if stats := a.Stats(); !stats.Up || stats.Reason != "" || stats.Opened != 1 {
			t.Errorf("%+v", stats)
		}
	})
}

// TestLateMember: a member that does not get the processor, so that it does not read answers
// which have arrived, does not take the level for silent or slow: its lookups wait for a
// second, heartbeats for longer.
func TestLateMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		a.fetch(t, "1", "/teams/", "first")
		for _, late := range []time.Duration{60 * time.Millisecond, 990 * time.Millisecond} {
			for range 5 {
				s.Fail(fleettest.Unread)
				time.AfterFunc(late, func() { s.Fail(fleettest.Works) })
				if got := a.fetch(t, "1", "/teams/", "own"); got != "first" {
					t.Errorf("late by %s: %q", late, got)
				}
				time.Sleep(1700 * time.Millisecond) // with heartbeats in the time of the next
			}
		}
		if stats := a.Stats(); !stats.Up || stats.Opened != 0 || stats.Errors != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

// TestDown: when the level ends all connections, lookups end immediately, also lookups
// that wait for the fill of another member.
func TestDown(t *testing.T) {
	for name, failure := range map[string]fleettest.Failure{"down": fleettest.Down, "hangs": fleettest.Hangs} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fleettest.NewServer()
				a, b := join(t, s), join(t, s)
				_, done := a.Claim(t.Context(), generation("1"), "/teams/")
				got := make(chan bool)
				go func() {
					found, done := b.Claim(t.Context(), generation("1"), "/teams/")
					done(nil)
					got <- found != nil
				}()
				time.Sleep(300 * time.Millisecond)
				s.Fail(failure)
				began := time.Now()
				if <-got || time.Since(began) > 50*time.Millisecond {
					t.Errorf("after %s", time.Since(began))
				}
				done(answer("/teams/", "1", "x"))
				s.Fail(fleettest.Works)
				time.Sleep(10 * time.Second)
				if !a.Stats().Up || !b.Stats().Up {
					t.Errorf("%+v %+v", a.Stats(), b.Stats())
				}
			})
		})
	}
}

// TestStopIsNoFailure: a member that stops reports no failure of the level.
func TestStopIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := join(t, fleettest.NewServer())
		time.Sleep(10 * time.Second)
		a.stop()
		if s := a.Stats(); s.Opened != 0 || s.Errors != 0 || a.log.Len() > 0 {
			t.Errorf("%+v\n%s", s, a.log.String())
		}
	})
}

// TestFull: a level without room is read on, and is not away.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		a.fetch(t, "1", "/teams/", "first")
		_, late := a.Claim(t.Context(), generation("1"), "/late/")
		s.Fail(fleettest.Full)
		late(answer("/late/", "1", "x"))
		a.fetch(t, "1", "/athletes/", "own")
		if got := a.fetch(t, "1", "/teams/", "own"); got != "first" {
			t.Errorf("%q", got)
		}
		if stats := a.Stats(); !stats.Up || stats.Full != 2 || stats.Errors != 0 {
			t.Errorf("%+v", stats)
		}
		s.Fail(fleettest.Works)
		if got := a.fetch(t, "1", "/late/", "own"); got != "own" {
			t.Errorf("%q", got)
		}
	})
}

// TestGarbage: a value that is no answer to its key is removed and filled again.
func TestGarbage(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"text":            func([]byte) []byte { return []byte("1garbage") },
		"cut short":       func(v []byte) []byte { return v[:len(v)-1] },
		"a bit":           func(v []byte) []byte { v[len(v)/2] ^= 1; return v },
		"another version": func(v []byte) []byte { return bytes.Replace(v, []byte("record 2"), []byte("record 3"), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fleettest.NewServer()
				a := join(t, s)
				a.fetch(t, "1", "/teams/", "first")
				s.SetAll(change)
				if got := a.fetch(t, "1", "/teams/", "own"); got != "own" {
					t.Errorf("%q", got)
				}
				if got := a.fetch(t, "1", "/teams/", "again"); got != "own" {
					t.Errorf("then %q", got)
				}
				if stats := a.Stats(); stats.Damaged > 1 || !stats.Up || name != "empty" && stats.Damaged != 1 {
					t.Errorf("%+v", stats)
				}
			})
		})
	}
}

// TestSwapped: a value under the name of another answer is refused.
func TestSwapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		a.fetch(t, "1", "/teams/", "teams")
		var teams []byte
		s.SetAll(func(v []byte) []byte { teams = v; return v })
		a.fetch(t, "1", "/athletes/", "athletes")
		s.SetAll(func([]byte) []byte { return teams })
		if got := a.fetch(t, "1", "/athletes/", "own"); got != "own" {
			t.Errorf("%q", got)
		}
	})
}

// TestOversized: an answer over the limit is not shared, and its lock is released.
func TestOversized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		a.fetch(t, "1", "/teams/", strings.Repeat("x", 17<<20))
		if got := a.fetch(t, "1", "/teams/", "own"); got != "own" || a.Stats().Oversized != 1 {
			t.Errorf("%.10q, %+v", got, a.Stats())
		}
	})
}

// TestFlushed: after a flush the members fill again, and share again.
func TestFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		a.fetch(t, "1", "/teams/", "first")
		s.Flush()
		if got := b.fetch(t, "1", "/teams/", "second"); got != "second" {
			t.Errorf("%q", got)
		}
		time.Sleep(10 * time.Second)
		c := join(t, s)
		c.fetch(t, "1", "/athletes/", "c")
		for _, m := range []*member{a, b, c} {
			if got := m.fetch(t, "1", "/athletes/", "own"); got != "c" {
				t.Errorf("%q", got)
			}
		}
	})
}

// TestOffer: a member offers its warm entries in their best form: not before a change of
// their table is accounted for, and not over a better form.
func TestOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a, b := join(t, s), join(t, s)
		entry := func(body string, forms int) *cache.Entry {
			e := &cache.Entry{Key: "/teams/", Content: answer("/teams/", "1", body).Content}
			for range forms - 1 {
				e.Variants = append(e.Variants, cache.Variant{Coding: "br", Body: []byte("br")})
			}
			return e
		}
		a.set(func(m *member) { m.fresh["/teams/"], m.state.Settled = entry("plain", 1), false })
		time.Sleep(time.Minute)
		if n := len(s.Values()); n != 0 {
			t.Fatalf("%d values while the table changes", n)
		}
		forms := func() int {
			t.Helper()
			found, _ := b.Claim(t.Context(), generation("1"), "/teams/")
			if found == nil {
				t.Fatal("not found")
			}
			return len(found.Variants)
		}
		a.set(func(m *member) { m.state.Settled = true })
		time.Sleep(10 * time.Second)
		if n := forms(); n != 1 {
			t.Errorf("%d forms", n)
		}
		b.set(func(m *member) { m.fresh["/teams/"] = entry("better", 3) })
		time.Sleep(10 * time.Second)
		if n := forms(); n != 3 {
			t.Errorf("%d forms", n)
		}
		a.set(func(m *member) { m.fresh["/teams/"] = entry("between", 2) })
		time.Sleep(10 * time.Second)
		if n := forms(); n != 3 {
			t.Errorf("%d forms", n)
		}
		a.set(func(m *member) { m.state.Data = "changed, but not for the entry" })
		b.set(func(m *member) { m.state.Data = "changed, but not for the entry"; m.now = "2" })
		time.Sleep(10 * time.Second)
		if n := forms(); n != 2 {
			t.Errorf("%d forms", n)
		}
		before := s.Operations()
		time.Sleep(time.Minute)
		if n := s.Operations() - before; n > 4*65 { // an offer in each second would be 120 more
			t.Errorf("%d operations in a minute without a change", n)
		}
		s.Flush()
		time.Sleep(11 * time.Minute)
		if n := len(s.Values()); n == 0 {
			t.Error("not offered again after a flush")
		}
	})
}

// TestLookupsEndTogether: lookups that have begun at different times in a level that hangs end
// once the first has waited for its budget, and count as one failure.
func TestLookupsEndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		s.Fail(fleettest.Hangs)
		began := time.Now()
		var lookups sync.WaitGroup
		for range 40 {
			lookups.Go(func() {
				_, done := a.Claim(t.Context(), generation("1"), "/teams/")
				done(nil)
			})
			time.Sleep(time.Millisecond)
		}
		lookups.Wait()
		if took := time.Since(began); took != 50*time.Millisecond {
			t.Errorf("the last lookup has ended after %s", took)
		}
		if stats := a.Stats(); stats.Errors != 1 || stats.Opened != 1 || stats.Skipped != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

// TestSmallMessagesAreNoAnswer: a lookup does not wait longer while only small messages arrive.
func TestSmallMessagesAreNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		s.Fail(fleettest.Hangs)
		began := time.Now()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, done := a.Claim(t.Context(), generation("1"), "/teams/")
			done(nil)
		}()
		for range 100 {
			s.Send(100)
			time.Sleep(time.Millisecond)
		}
		<-ended
		if since := a.Stats().Since.Sub(began); since < 50*time.Millisecond || since > 55*time.Millisecond {
			t.Errorf("the circuit breaker has opened after %s", since)
		}
	})
}

// TestLargeAnswer: a level that is sending is not away, but an operation ends after 20
// budgets.
func TestLargeAnswer(t *testing.T) {
	for _, c := range []struct{ sending, want time.Duration }{
		{300 * time.Millisecond, 350 * time.Millisecond}, {2 * time.Second, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := fleettest.NewServer()
			a := join(t, s)
			s.Fail(fleettest.Hangs)
			began := time.Now()
			var sender sync.WaitGroup
			defer sender.Wait()
			sender.Go(func() {
				for time.Since(began) < c.sending {
					s.Send(100 << 10)
					time.Sleep(20 * time.Millisecond)
				}
			})
			_, done := a.Claim(t.Context(), generation("1"), "/teams/")
			done(nil)
			if took := time.Since(began); took < c.want-20*time.Millisecond || took > c.want+20*time.Millisecond {
				t.Errorf("sending for %s: the lookup took %s", c.sending, took)
			}
			if reason := a.Stats().Reason; reason != "the shared level is silent" {
				t.Errorf("%q", reason)
			}
		})
	}
}

// TestPreparationIsPatient: a lookup for a generation that is not published yet, for which
// no visitor waits, gives the level a second.
func TestPreparationIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fleettest.NewServer()
		a := join(t, s)
		s.Fail(fleettest.Hangs)
		began := time.Now()
		_, done := a.Claim(t.Context(), generation("2"), "/teams/")
		done(nil)
		if took := time.Since(began); took != time.Second {
			t.Errorf("%s", took)
		}
	})
}
