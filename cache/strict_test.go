package cache

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/current"
)

// ahead is the longest wait for a publish.
const ahead = 3 * time.Second

// request is a request in the background.
type request struct {
	entry   *Entry
	outcome Outcome
	err     error
	took    time.Duration
	done    chan struct{}
}

func begin(c *Cache, key string) *request {
	r := &request{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		start := time.Now()
		r.entry, r.outcome, r.err = c.lookup(key)
		r.took = time.Since(start)
	}()
	synctest.Wait()
	return r
}

// ends checks the result of a request.
func (r *request) ends(t *testing.T, after time.Duration, outcome Outcome, generation string) {
	t.Helper()
	<-r.done
	if r.err != nil || r.outcome != outcome || r.entry.Generation != generation || r.took != after {
		t.Errorf("%s of %+v after %s, %v; want %s of %s after %s", r.outcome, r.entry, r.took, r.err, outcome, generation, after)
	}
}

func (r *request) waits(t *testing.T) {
	t.Helper()
	select {
	case <-r.done:
		t.Errorf("it does not wait: %s of %+v, %v", r.outcome, r.entry, r.err)
	default:
	}
}

// TestHold: while the cache is on hold for a generation, requests for answers that it changes
// or that are missing wait for its publish; all others are hits. None starts a fill of a key
// that is prepared.
func TestHold(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, Options{}, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list", "team")
		next := o.moveTo("2", "team")
		c.Prepare(t.Context(), next, []string{"list", "team", "new"}, func(Warmed) {})
		c.Hold(next)
		if g, _ := c.Published(); g.ID() != "1" {
			t.Errorf("published %s", g.ID())
		}
		if at := c.sight("list"); at.Outcome == Hit {
			t.Error("an old answer is a hit")
		}
		list, missing := begin(c, "list"), begin(c, "new")
		begin(c, "team").ends(t, 0, Hit, "1")
		time.Sleep(200 * time.Millisecond)
		list.waits(t)
		missing.waits(t)
		before := o.calls.Load()
		c.Publish(next, []string{"list", "team", "new"})
		list.ends(t, 200*time.Millisecond, Hit, "2")
		missing.ends(t, 200*time.Millisecond, Hit, "2")
		begin(c, "team").ends(t, 0, Hit, "1")
		calls(t, o, before)
	})
}

// TestHoldEnds: a generation on hold that is not published costs a request a second. Then the
// request gets an answer of it, not an older answer.
func TestHoldEnds(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, Options{}, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list")
		c.Hold(o.moveTo("2"))
		begin(c, "list").ends(t, current.HoldTime, Miss, "2")
	})
	o = &fakeOrigin{early: true}
	bubble(t, o, Options{}, func(t *testing.T, c *Cache) { // nothing was published before
		c.Hold(o.generation())
		begin(c, "list").ends(t, 0, Miss, "1")
	})
}

// TestStrict: where other caches answer the same clients, an entry of an earlier generation
// is not served, unless its fill fails.
func TestStrict(t *testing.T) {
	strict := time.Duration(0)
	o := &fakeOrigin{}
	bubble(t, o, Options{Strict: func() time.Duration { return strict }}, func(t *testing.T, c *Cache) {
		for _, key := range []string{"list", "athlete", "fails", "purged"} {
			c.lookup(key)
		}
		c.Publish(o.moveTo("2", "purged"), nil)
		begin(c, "list").ends(t, 0, Stale, "1")
		strict = ahead
		begin(c, "athlete").ends(t, 0, Miss, "2")
		begin(c, "athlete").ends(t, 0, Hit, "2")
		c.Purge(func(e *Entry) bool { return e.Key == "purged" }, false)
		begin(c, "purged").ends(t, 0, Stale, "1")
		synctest.Wait()
		begin(c, "purged").ends(t, 0, Hit, "1")
		o.script = []error{errFails}
		before := o.calls.Load()
		for range 3 {
			begin(c, "fails").ends(t, 0, StaleError, "1")
		}
		calls(t, o, before+1)
		time.Sleep(retryAfter)
		begin(c, "fails").ends(t, 0, Miss, "2")
		o.script = []error{errFails}
		if r := begin(c, "new"); !errors.Is(r.err, errFails) {
			t.Errorf("without an entry: %v", r.err)
		}
	})
}

// TestAhead: an answer that was read from a generation before its publish waits for it, and is
// read again if a later generation is published. Without a publish it is given out after a
// while.
func TestAhead(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, Options{Strict: func() time.Duration { return ahead }}, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list")
		second := o.moveTo("2")
		early := begin(c, "team")
		begin(c, "list").ends(t, 0, Hit, "1")
		time.Sleep(time.Second)
		early.waits(t)
		c.Hold(second)
		synctest.Wait()
		early.waits(t)
		c.Publish(second, nil)
		early.ends(t, time.Second, Miss, "2")
		third := o.moveTo("3")
		overtaken := begin(c, "athlete")
		c.Publish(o.moveTo("4"), nil)
		overtaken.ends(t, 0, Miss, "4")
		if third.Holds(overtaken.entry) {
			t.Error("not read again")
		}
		o.moveTo("5")
		begin(c, "roster").ends(t, ahead, Miss, "5")
	})
}
