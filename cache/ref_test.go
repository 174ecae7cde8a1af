package cache

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// follow asks by a ref and expects an outcome and what Get would answer.
func follow(t *testing.T, c *Cache, r *Ref, want Outcome) {
	t.Helper()
	before := c.Peek(r.Key).Entry // a stale one may be replaced at any moment
	e, outcome, err := c.Follow(r)
	if err != nil || outcome != want {
		t.Fatalf("%s: %v, %v, want %v", r.Key, outcome, err, want)
	}
	if e != before && e != c.Peek(r.Key).Entry {
		t.Errorf("%s: not the entry that is in the cache", r.Key)
	}
}

// TestRef: a ref knows where its entry is, wherever it goes, and forgets one that
// the cache has let go of.
func TestRef(t *testing.T) {
	o := &fakeOrigin{size: 1 << 10}
	c := newCache(t, o, Options{Bytes: 1 << 20})
	r := &Ref{Key: "list"}
	follow(t, c, r, Miss)
	for range promoteAfter + 1 { // the last of them finds it on the hot shelf
		follow(t, c, r, Hit)
	}
	if where(t, c, r.Key, "hot"); r.slot() == nil {
		t.Error("the hot entry is not near")
	}
	publish(t, c, o.generation(), r.Key)
	if where(t, c, r.Key, "warm"); r.near.Load() != nil {
		t.Error("the slot on the shelf is held still")
	}
	follow(t, c, r, Hit)
	if s := r.slot(); s == nil || s.shelf != nil {
		t.Error("the warm entry is not near")
	}
	c.Publish(o.moveTo("2"), nil)
	follow(t, c, r, Stale)
	c.running.Wait()
	follow(t, c, r, Hit)
	publish(t, c, o.generation(), r.Key)
	follow(t, c, r, Hit)
	for _, part := range []string{"warm", "tail"} {
		if c.Purge(func(*Entry) bool { return true }, true); r.near.Load() != nil {
			t.Errorf("the %s slot is held after it was dropped", part)
		}
		follow(t, c, r, Miss)
		follow(t, c, r, Hit)
	}
}

// TestRefs: of many refs with one key, one holds the slot, and none when it is
// gone.
func TestRefs(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	var refs [20]Ref
	for range 50 {
		var all sync.WaitGroup
		for i := range refs {
			refs[i].Key = "list"
			all.Go(func() {
				for range 20 {
					if _, _, err := c.Follow(&refs[i]); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Go(func() { c.Purge(func(*Entry) bool { return true }, true) })
		all.Wait()
		c.Purge(func(*Entry) bool { return true }, true)
		for i := range refs {
			if refs[i].near.Load() != nil {
				t.Fatal("a ref holds a slot that is gone")
			}
		}
	}
}

// TestRefIsCounted: ristretto hears of a share of the requests for what is near,
// and a slot that it has dropped is not found.
func TestRefIsCounted(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	r := &Ref{Key: "list"}
	for range 10 {
		c.Follow(r)
	}
	s := r.near.Load()
	c.hot.slots.Clear() // tells nobody
	gone := false
	for range nearTimes {
		gone = gone || r.slot() == nil
		s.asked.Add(1)
	}
	if !gone {
		t.Errorf("none of %d requests came by the shelf", nearTimes)
	}
}

// TestFollowFails: a ref tells of an error as Get does.
func TestFollowFails(t *testing.T) {
	broken := errors.New("broken")
	o := &fakeOrigin{script: []error{broken}}
	if _, outcome, err := newCache(t, o, Options{}).Follow(&Ref{Key: "list"}); outcome != Error || !errors.Is(err, broken) {
		t.Error(outcome, err)
	}
}

// TestFollowWhilePublished: a ref finds a key of the warm set fresh while one
// generation takes the place of another, whichever of them it saw last.
func TestFollowWhilePublished(t *testing.T) {
	o := &fakeOrigin{size: 1 << 10}
	c := newCache(t, o, Options{})
	keys := make([]string, 50)
	refs := make([]Ref, len(keys))
	for i := range keys {
		keys[i] = fmt.Sprint("list ", i)
		refs[i].Key = keys[i]
	}
	publish(t, c, o.generation(), keys...)
	var stop atomic.Bool
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for n := 0; !stop.Load(); n++ {
				if _, outcome, err := c.Follow(&refs[n%len(refs)]); outcome != Hit || err != nil {
					t.Errorf("%s: %v, %v", keys[n%len(keys)], outcome, err)
					return
				}
			}
		})
	}
	for generation := range 100 {
		publish(t, c, o.moveTo(fmt.Sprint(generation+2)), keys...)
	}
	stop.Store(true)
	readers.Wait()
}

// TestGlance: a glance finds what the ref remembers if that is a hit, and nothing
// comes of it.
func TestGlance(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	r := &Ref{Key: "k"}
	glance := func(when string, hit bool) {
		t.Helper()
		before := c.Peek(r.Key)
		if e := c.Glance(r); e != nil != hit || hit && e != before.Entry {
			t.Errorf("%s: %v, want one: %v", when, e, hit)
		}
		if after := c.Peek(r.Key); after != before {
			t.Errorf("%s: the glance changed %+v into %+v", when, before, after)
		}
	}
	glance("before the first fill", false)
	follow(t, c, r, Miss)
	glance("before it was found", false)
	follow(t, c, r, Hit)
	glance("found", true)
	before := c.Peek(r.Key).Asked
	if c.Count(r); c.Peek(r.Key).Asked != before+1 {
		t.Errorf("asked %d times, then %d", before, c.Peek(r.Key).Asked)
	}
	c.outage.Down(errDown)
	glance("down", false)
	c.outage.Up()
	glance("up", true)
	c.Purge(func(*Entry) bool { return true }, false)
	glance("stale", false)
	c.Purge(func(*Entry) bool { return true }, true)
	glance("gone", false)
	c.Count(r) // of nothing
	calls(t, o, 1)
}

// TestFindWhileReplaced: an entry that takes the place of another, on a shelf that
// must take that off first, is there all the time.
func TestFindWhileReplaced(t *testing.T) {
	o := &fakeOrigin{size: 1 << 10}
	c := newCache(t, o, Options{Bytes: 1 << 20})
	if _, outcome, err := c.Get("k"); err != nil || outcome != Miss {
		t.Fatal(outcome, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 5000 {
			e := *c.Peek("k").Entry
			e.Variants = []Variant{{Body: make([]byte, 1<<10+i), ETag: []byte("1")}} // larger than the last
			c.writes.Lock()
			c.shelve(newSlot(&e))
			c.writes.Unlock()
		}
	}()
	for n := 0; ; n++ {
		select {
		case <-done:
			t.Logf("%d requests", n)
			return
		default:
		}
		if _, outcome, err := c.Get("k"); err != nil || outcome != Hit {
			t.Fatalf("request %d: %v, %v", n, outcome, err)
		}
	}
}
