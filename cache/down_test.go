package cache

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// substituted returns options of a cache that can fill lists from elsewhere during an
// outage.
func substituted() Options {
	opts := outages
	opts.FillsWhileDown = func(key string) bool { return strings.HasPrefix(key, "list") }
	return opts
}

// sees checks the outcome of a peek at a key and of a request for the key.
func sees(t *testing.T, c *Cache, key string, want Outcome) {
	t.Helper()
	if got := c.sight(key).Outcome; got != want {
		t.Errorf("%s would be a %s, want %s", key, got, want)
	}
	if _, got, err := c.lookup(key); got != want || (err != nil) != (want == Error) {
		t.Errorf("%s is a %s and error %v, want %s", key, got, err, want)
	}
}

func TestFillsWhileDown(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, substituted(), func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list?warm", "team?warm")
		get(t, c, "list?old", Miss, "3")
		time.Sleep(40 * time.Second)
		get(t, c, "list?young", Miss, "4")
		c.Publish(o.moveTo("2", "team"), []string{"list?warm", "team?warm"})
		c.Publish(o.moveTo("3", "team", "list"), []string{"list?warm", "team?warm"})
		time.Sleep(instant)
		c.outage.Down(errDown)

		sees(t, c, "list?new", Miss)
		sees(t, c, "list?new", Hit) // filled in the outage
		sees(t, c, "team?warm", StaleError)
		sees(t, c, "team?new", Error)
		sees(t, c, "list?young", Stale) // not fresh when the outage began
		synctest.Wait()
		sees(t, c, "list?young", Hit)
		time.Sleep(time.Minute - instant)
		sees(t, c, "list?new", Hit)
		time.Sleep(instant)
		fills := o.calls.Load()
		o.gate = make(chan struct{})
		for range 3 {
			sees(t, c, "list?new", Stale)
		}
		close(o.gate)
		synctest.Wait()
		calls(t, o, fills+1)
		sees(t, c, "list?new", Hit)

		c.outage.Up()
		sees(t, c, "list?new", Stale) // its answer did not come from the origin
		synctest.Wait()
		sees(t, c, "list?new", Hit)
		sees(t, c, "team?warm", Hit)
		sees(t, c, "team?new", Miss)
	})
}

// Entries that were fresh when the outage began stay hits until DownAge, and are
// refreshed then. If the refresh fails, they are served nevertheless.
func TestTrueEntriesAgeInAnOutage(t *testing.T) {
	o := &fakeOrigin{}
	opts := substituted()
	opts.DownAge = 10 * time.Second
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list?warm")
		time.Sleep(5 * time.Second)
		c.outage.Down(errDown)
		sees(t, c, "list?warm", Hit)
		time.Sleep(5 * time.Second)
		o.script = []error{errFails, errDown} // errDown during an outage changes nothing
		sees(t, c, "list?warm", Stale)
		synctest.Wait()
		sees(t, c, "list?warm", StaleError)
		time.Sleep(retryAfter)
		sees(t, c, "list?warm", Stale)
		synctest.Wait()
		time.Sleep(retryAfter)
		sees(t, c, "list?warm", Stale)
		synctest.Wait()
		sees(t, c, "list?warm", Hit)
		where(t, c, "list?warm", "warm")
		c.Purge(func(*Entry) bool { return true }, false)
		sees(t, c, "list?warm", Stale)
		synctest.Wait()
		sees(t, c, "list?warm", Hit)
	})
}

// During an outage a cache without any published generation also fills keys from
// elsewhere.
func TestFillsWhileDownFromTheStart(t *testing.T) {
	o := &fakeOrigin{early: true}
	bubble(t, o, substituted(), func(t *testing.T, c *Cache) {
		c.outage.Down(errDown)
		get(t, c, "list", Miss, "1")
		get(t, c, "list", Hit, "1")
		time.Sleep(time.Minute)
		get(t, c, "list", Stale, "1")
		synctest.Wait()
		get(t, c, "list", Hit, "2")
		sees(t, c, "team", Error)
		calls(t, o, 2)
	})
}

// An adopted entry's age, not its time, is kept: neither a clock that was ahead when
// the entry was saved nor a clock that is set back later keeps the entry young.
func TestAdoptedEntryAges(t *testing.T) {
	for name, filled := range map[string]time.Duration{"a day ahead": 24 * time.Hour, "now": 0, "half a minute ago": -30 * time.Second} {
		t.Run(name, func(t *testing.T) {
			o := &fakeOrigin{early: true}
			bubble(t, o, substituted(), func(t *testing.T, c *Cache) {
				e := answer("list", 10)
				e.Filled, e.Took = time.Unix(0, time.Now().Add(filled).UnixNano()), -time.Second
				c.Adopt([]Saved{saved(e, false, false)})
				c.PublishFirst(o.generation())
				adopted := c.sight("list").Entry
				if age := time.Since(adopted.Filled); age != max(0, -filled) || adopted.Took != 0 {
					t.Errorf("%v old, took %v", age, adopted.Took)
				}
				c.outage.Down(errDown)
				sees(t, c, "list", Hit)
				time.Sleep(time.Minute - max(0, -filled))
				sees(t, c, "list", Stale)
				synctest.Wait()
				sees(t, c, "list", Hit)
				calls(t, o, 1)
			})
		})
	}
}

// An answer that was filled during an outage replaces an older answer, although the
// older answer is fresh in the published generation.
func TestNewerGenerationInAnOutage(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, substituted(), func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list")
		o.moveTo("2") // seen by the fills, never published
		c.outage.Down(errDown)
		time.Sleep(time.Minute)
		get(t, c, "list", Stale, "1")
		synctest.Wait()
		get(t, c, "list", Hit, "2")
		calls(t, o, 2)
	})
}

// An outage ends the wait of requests for fills that need the origin, and of no
// others.
func TestAlarmLeavesOtherFillsAlone(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	bubble(t, o, substituted(), func(t *testing.T, c *Cache) {
		var list, team sync.WaitGroup
		list.Go(func() { get(t, c, "list", Miss, "1") })
		synctest.Wait()
		team.Go(func() { fails(t, c, "team", ErrDown) })
		synctest.Wait()
		c.outage.Down(errDown)
		team.Wait()
		if s := c.Stats(); s.Waiting != 1 {
			t.Errorf("%d wait", s.Waiting)
		}
		close(o.gate)
		list.Wait()
	})
}
