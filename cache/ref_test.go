package cache

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// follow requests the key of a ref and checks the outcome and that the entry is the
// entry Get would return.
func follow(t *testing.T, c *Cache, r *Ref, want Outcome) {
	t.Helper()
	before := c.Peek(r).Entry // a stale entry may be replaced at any moment
	e, outcome, err := c.Get(r)
	if err != nil || outcome != want {
		t.Fatalf("%s: %v, %v, want %v", r.Key, outcome, err, want)
	}
	if e != before && e != c.Peek(r).Entry {
		t.Errorf("%s: not the entry that is in the cache", r.Key)
	}
}

// A ref finds its slot on every shelf, and keeps no entry in memory that has left the
// cache.
func TestRef(t *testing.T) {
	o := &fakeOrigin{size: 1 << 10}
	bubble(t, o, Options{Bytes: 1 << 20}, func(t *testing.T, c *Cache) {
		r := &Ref{Key: "list"}
		follow(t, c, r, Miss)
		for range promoteAfter + 1 { // the last of them finds it hot
			follow(t, c, r, Hit)
		}
		s := r.near.Load()
		near := func(when string) {
			t.Helper()
			if r.near.Load() != s || s.Served() == nil {
				t.Errorf("%s: not the slot that it was", when)
			}
		}
		where(t, c, r.Key, "hot")
		near("hot")
		publish(t, c, o.generation(), r.Key)
		where(t, c, r.Key, "warm")
		follow(t, c, r, Hit)
		near("warm")
		c.Publish(o.moveTo("2"), nil)
		follow(t, c, r, Stale)
		synctest.Wait()
		follow(t, c, r, Hit)
		near("refreshed")
		publish(t, c, o.generation(), r.Key)
		follow(t, c, r, Hit)
		near("warm again")
		for _, part := range []string{"warm", "tail"} {
			old := r.near.Load()
			if c.Purge(func(*Entry) bool { return true }, true); old.Served() != nil || old.Next() != nil {
				t.Errorf("the %s slot holds an entry after it was dropped", part)
			}
			follow(t, c, r, Miss)
			follow(t, c, r, Hit)
			if r.near.Load() == old {
				t.Error("a slot that has left the cache is near")
			}
		}
	})
}

// All refs with one key find its slot, and none of them keeps an entry in memory after
// the key has left the cache.
func TestRefs(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	var refs [20]Ref
	for range 50 {
		var all sync.WaitGroup
		for i := range refs {
			refs[i].Key = "list"
			all.Go(func() {
				for range 20 {
					if _, _, err := c.Get(&refs[i]); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Go(func() { c.Purge(func(*Entry) bool { return true }, true) })
		all.Wait()
		c.Purge(func(*Entry) bool { return true }, true)
		for i := range refs {
			if s := refs[i].near.Load(); s != nil && s.Served() != nil {
				t.Fatal("a ref holds an entry that has left the cache")
			}
		}
	}
}

// A request by a ref gets the error of its fill.
func TestGetFails(t *testing.T) {
	broken := errors.New("broken")
	o := &fakeOrigin{script: []error{broken}}
	if _, outcome, err := newCache(t, o, Options{}).Get(&Ref{Key: "list"}); outcome != Error || !errors.Is(err, broken) {
		t.Error(outcome, err)
	}
}

// TestFollowWhilePublished: a ref finds a key of the warm set fresh while a publish
// replaces one generation by another, independent of the version that the ref saw last.
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
				if _, outcome, err := c.Get(&refs[n%len(refs)]); outcome != Hit || err != nil {
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

// Peek returns the answer that a request would get, and has no side effects. Count
// counts like a request.
func TestPeekChangesNothing(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	r := &Ref{Key: "k"}
	peek := func(when string, want Outcome) {
		t.Helper()
		before := c.sight(r.Key)
		s := c.Peek(r)
		if s.Outcome != want || (s.Entry == nil) != (want == Miss || want == Error) || s != before {
			t.Errorf("%s: %+v, want a %s", when, s, want)
		}
		if after := c.sight(r.Key); after != before {
			t.Errorf("%s: the peek changed %+v into %+v", when, before, after)
		}
	}
	peek("before the first fill", Miss)
	c.Count(r) // of nothing
	follow(t, c, r, Miss)
	peek("filled", Hit)
	before := c.Peek(r).Asked
	if c.Count(r); c.Peek(r).Asked != before+1 {
		t.Errorf("asked %d times, then %d", before, c.Peek(r).Asked)
	}
	c.outage.Down(errDown)
	peek("down", StaleError)
	c.outage.Up()
	peek("up", Hit)
	c.Purge(func(*Entry) bool { return true }, false)
	peek("stale", Stale)
	c.Purge(func(*Entry) bool { return true }, true)
	peek("gone", Miss)
	c.Count(r) // of nothing
	c.outage.Down(errDown)
	peek("gone and down", Error)
	calls(t, o, 1)
}

// An entry that grows is always found, although the policy removes and adds it again.
func TestFindWhileReplaced(t *testing.T) {
	o := &fakeOrigin{size: 1 << 10}
	c := newCache(t, o, Options{Bytes: 1 << 20})
	if _, outcome, err := c.lookup("k"); err != nil || outcome != Miss {
		t.Fatal(outcome, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 5000 {
			e := *c.sight("k").Entry
			e.Variants = []Variant{{Body: make([]byte, 1<<10+i), ETag: []byte("1")}} // larger than the last
			c.storeEntry(&e)
		}
	}()
	for n := 0; ; n++ {
		select {
		case <-done:
			t.Logf("%d requests", n)
			return
		default:
		}
		if _, outcome, err := c.lookup("k"); err != nil || outcome != Hit {
			t.Fatalf("request %d: %v, %v", n, outcome, err)
		}
	}
}
