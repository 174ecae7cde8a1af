package cache

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/reads"
)

func everything(*Entry) bool { return true }

// When a purge happens between the starts of two fills of a key, the older fill loses, in
// either order of their ends.
func TestFillFromBeforeAPurgeLoses(t *testing.T) {
	for _, hard := range []bool{false, true} {
		t.Run(fmt.Sprint("hard=", hard), func(t *testing.T) {
			o := &fakeOrigin{gate: gated}
			bubble(t, o, times, func(t *testing.T, c *Cache) {
				var early sync.WaitGroup
				early.Go(func() { get(t, c, "list", Miss, "1") })
				synctest.Wait()
				gate := o.gate
				o.gate = nil
				c.Purge(everything, hard)
				get(t, c, "list", Miss, "2")
				get(t, c, "list", Hit, "2")
				close(gate)
				early.Wait()
				synctest.Wait()
				get(t, c, "list", Hit, "2")
				calls(t, o, 2)
			})
		})
	}
}

// A soft purge during a fill makes the answer stale; a hard purge prevents its
// storage, even if the key has no other answer.
func TestPurgeReachesFillsUnderWay(t *testing.T) {
	for _, hard := range []bool{false, true} {
		for by, fill := range map[string]func(*Cache, Generation){
			"request": func(c *Cache, _ Generation) { c.lookup("list") },
			"prepare": func(c *Cache, g Generation) {
				c.Publish(g, keysOf(c.Prepare(context.Background(), g, []string{"list"}, func(Warmed) {})))
			},
		} {
			t.Run(fmt.Sprintf("%s, hard=%t", by, hard), func(t *testing.T) {
				o := &fakeOrigin{gate: gated}
				bubble(t, o, times, func(t *testing.T, c *Cache) {
					var filling sync.WaitGroup
					filling.Go(func() { fill(c, o.generation()) })
					synctest.Wait()
					c.Purge(func(e *Entry) bool { return e.Key == "other" }, !hard)
					c.Purge(everything, hard)
					close(o.gate)
					filling.Wait()
					switch s := c.sight("list"); {
					case hard && s.Entry != nil:
						t.Errorf("%s in %s after a hard purge", s.Outcome, s.Where)
					case s.Outcome == Hit:
						t.Error("a hit from before a purge")
					case !hard && by == "request" && s.Outcome != Stale:
						t.Error(s.Outcome)
					}
				})
			})
		}
	}
}

// A warm set that was prepared before a hard purge does not bring back dropped entries.
func TestHardPurgeDuringPrepare(t *testing.T) {
	o := &fakeOrigin{size: 10}
	c := newCache(t, o, Options{})
	get(t, c, "kept", Miss, "1")
	g := o.generation()
	set := []string{"kept", "filled"}
	c.Prepare(t.Context(), g, set, func(Warmed) {})
	if n := c.Purge(everything, true); n != 2 {
		t.Errorf("%d keys purged", n)
	}
	checkShelves(t, c)
	c.Publish(g, set)
	for _, key := range set {
		where(t, c, key, "")
	}
	get(t, c, "kept", Miss, "3")
	checkShelves(t, c)
}

// An answer that a request filled after a purge wins over an answer that was prepared
// before the purge.
func TestPreparedBeforeAPurgeLoses(t *testing.T) {
	o := &fakeOrigin{size: 10}
	c := newCache(t, o, Options{})
	g := o.generation()
	c.Prepare(t.Context(), g, []string{"list"}, func(Warmed) {})
	c.Purge(everything, false)
	get(t, c, "list", Miss, "2")
	get(t, c, "list", Hit, "2")
	c.Publish(g, []string{"list"})
	get(t, c, "list", Hit, "2")
	where(t, c, "list", "warm")
}

// An answer that was prepared after a purge wins over an answer whose fill began before
// the purge.
func TestPreparedAfterAPurgeWins(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		var early sync.WaitGroup
		early.Go(func() { get(t, c, "list", Miss, "1") })
		synctest.Wait()
		gate := o.gate
		o.gate = nil
		c.Purge(everything, false)
		g := o.moveTo("2", "list")
		c.Prepare(t.Context(), g, []string{"list"}, func(Warmed) {})
		close(gate)
		early.Wait()
		c.Publish(g, []string{"list"})
		get(t, c, "list", Hit, "2")
	})
}

// A purge is kept until every read that began before it has ended, and no longer.
func TestPurgeIsRememberedWhileNeeded(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	opts := times
	opts.FillTimeout, opts.WaitTimeout = time.Hour, time.Hour
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		got := 0
		remembered := func(want int) {
			t.Helper()
			got = 0 // each purge that is remembered is tried
			if c.reads.Purged(reads.Moment{}, &Entry{}); got != want {
				t.Errorf("%d purges remembered, want %d", got, want)
			}
		}
		c.Purge(func(*Entry) bool { got++; return true }, true)
		remembered(0)
		gates := make([]chan struct{}, 3)
		var fills sync.WaitGroup
		for i := range gates {
			gates[i] = make(chan struct{})
			o.gate = gates[i]
			fills.Go(func() { c.lookup(key("list", i)) })
			synctest.Wait()
			c.Purge(func(e *Entry) bool { got++; return e.Key == key("list", 0) }, true)
			remembered(i + 1)
		}
		time.Sleep(30 * time.Minute)
		for i, left := range []int{2, 1, 0} {
			close(gates[i])
			synctest.Wait()
			remembered(left)
		}
		fills.Wait()
		for i, want := range []string{"", "tail", "tail"} {
			where(t, c, key("list", i), want)
		}
		// Fills that fail or panic end, too.
		o.gate, o.script = nil, []error{errFails, errPanic}
		fails(t, c, "fails", errFails)
		c.lookup("panics")
		c.Purge(func(*Entry) bool { got++; return true }, true)
		remembered(0)
	})
}

// A purge applies to an answer that a long preparation has already filled.
func TestPurgeDuringALongPrepare(t *testing.T) {
	o := &fakeOrigin{}
	opts := times
	opts.FillTimeout = time.Second
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		gate := make(chan struct{})
		o.shape = func(e *Entry) {
			if e.Key != "first" {
				<-gate
			}
		}
		g, all := o.generation(), append([]string{"first"}, keys("list", 60)...)
		var preparing sync.WaitGroup
		preparing.Go(func() { c.Prepare(t.Context(), g, all, func(Warmed) {}) })
		synctest.Wait()
		c.Purge(func(e *Entry) bool { return e.Key == "first" }, false)
		for range 60 {
			time.Sleep(900 * time.Millisecond / 4)
			gate <- struct{}{}
		}
		preparing.Wait()
		c.Purge(func(e *Entry) bool { return e.Key == "other" }, false)
		c.Publish(g, all)
		if s := c.sight("first"); s.Outcome != Stale || s.Where != "warm" {
			t.Errorf("%s in %s", s.Outcome, s.Where)
		}
	})
}

// An adopted entry that was purged stays stale through every later move.
func TestAdoptedPurgedEntryStaysStale(t *testing.T) {
	o := &fakeOrigin{size: 10, early: true}
	c := newCache(t, o, Options{})
	c.Adopt([]Saved{saved(answer("list", 10), false, true)})
	g := o.generation()
	c.PublishFirst(g)
	if s := c.sight("list"); s.Outcome != Stale {
		t.Errorf("%+v", s)
	}
	o.script = []error{errFails}
	c.Prepare(t.Context(), g, []string{"list"}, func(Warmed) {})
	c.mu.Lock()
	c.leave(c.index.Get("list")) // evicted meanwhile
	c.mu.Unlock()
	where(t, c, "list", "")
	c.Publish(g, []string{"list"})
	if s := c.sight("list"); s.Outcome != Stale || s.Where != "warm" {
		t.Errorf("%s in %q", s.Outcome, s.Where)
	}
	checkShelves(t, c)
}

// Once a purge has happened, Adopt does nothing, and it never replaces a cached entry.
func TestAdoptLate(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	get(t, c, "list", Miss, "1")
	c.Adopt([]Saved{saved(answer("list", 10), true, false), saved(answer("team", 10), true, false)})
	get(t, c, "list", Hit, "1")
	get(t, c, "team", Hit, "0")
	c.Purge(func(e *Entry) bool { return false }, true)
	c.Adopt([]Saved{saved(answer("page", 10), true, false)})
	where(t, c, "page", "")
	checkShelves(t, c)
}

// The cache reports each purge, and Dropped reports whether there was a hard purge.
func TestPurgeIsReported(t *testing.T) {
	purges := 0
	opts := times
	o := &fakeOrigin{}
	var c *Cache
	opts.OnPurge = func() {
		purges++
		c.Dropped() // the cache is not locked
	}
	c = newCache(t, o, opts)
	if c.Dropped() {
		t.Error("dropped before any purge")
	}
	for i, hard := range []bool{false, true, false} {
		c.Purge(everything, hard)
		if purges != i+1 || c.Dropped() != (i > 0) {
			t.Errorf("purge %d: %d reported, dropped %t", i+1, purges, c.Dropped())
		}
	}
}
