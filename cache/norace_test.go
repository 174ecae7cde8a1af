//go:build !race

// The race detector makes a sync.Pool drop items at random, and so ristretto loses
// counts of requests: it measures no frequencies and allocates.

package cache

import (
	"cmp"
	"math/rand"
	"slices"
	"testing"
	"testing/synctest"
)

const raceEnabled = false

// A hit makes no allocation on any shelf. The absent shelf is the last that a lookup
// searches.
func TestHitAllocatesNothing(t *testing.T) {
	o := &fakeOrigin{shape: func(e *Entry) {
		if e.Key == "absent" {
			e.Status = 404
		}
	}}
	c := newCache(t, o, Options{})
	publish(t, c, o.generation(), "warm")
	for _, key := range []string{"warm", "list", "absent"} {
		for range 2 * promoteAfter {
			c.lookup(key)
		}
		ref := &Ref{Key: key}
		for name, hit := range map[string]func(){"Get": func() { c.Get(ref) }, "Peek": func() { c.Peek(ref) }, "Count": func() { c.Count(ref) }} {
			if allocs := testing.AllocsPerRun(1000, hit); allocs != 0 {
				t.Errorf("%s(%s) allocates %v times", name, key, allocs)
			}
		}
	}
}

// TestRejection: a full cache refuses keys that are requested less than the keys it holds, and
// counts them. Ristretto drops counts of requests while the goroutine that adds them up is busy:
// the test waits for it after each key.
func TestRejection(t *testing.T) {
	bubble(t, &fakeOrigin{size: 1 << 10}, Options{Bytes: 1 << 20}, func(t *testing.T, c *Cache) {
		for n := range 180 { // nearly all of the shelf
			for range promoteAfter {
				if _, _, err := c.lookup(key("busy", n)); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		ask(t, c, "cold", 1000, always(1))
		tail := c.Stats().Shelves[2]
		if tail.Rejected == 0 || tail.Evicted+tail.Rejected != 180+1000-tail.Entries {
			t.Errorf("%+v", tail)
		}
	})
}

// TestHitRatio compares the hits with the hits of an ideal cache, which keeps the most
// requested keys from their first fill on. There is no warm set; its share of the
// budget stays unused.
func TestHitRatio(t *testing.T) {
	const requests, keys, room = 100_000, 20_000, 2_000
	o := &fakeOrigin{size: 1500}
	cost := answer(key("list", keys), o.size).Cost()
	for _, seed := range []int64{1, 2} {
		c := newCache(t, o, Options{Bytes: room * cost})
		zipf := rand.NewZipf(rand.New(rand.NewSource(seed)), 1.1, 1, keys-1)
		asked, refs := make([]int, keys), make([]Ref, keys)
		hits := 0
		for range requests {
			n := int(zipf.Uint64())
			asked[n]++
			refs[n].Key = key("list", n)
			if _, outcome, _ := c.Get(&refs[n]); outcome == Hit {
				hits++
			}
		}
		slices.SortFunc(asked, func(a, b int) int { return cmp.Compare(b, a) })
		optimum := -room
		for _, n := range asked[:room] {
			optimum += n
		}
		ratio := float64(hits) / float64(optimum)
		t.Logf("%.3f of all requests hit, %.3f would at best: %.3f of the optimum",
			float64(hits)/requests, float64(optimum)/requests, ratio)
		if ratio < 0.88 {
			t.Errorf("%.3f of the optimum, want 0.88", ratio)
		}
		checkShelves(t, c)
	}
}

// A key that the full cache has refused is kept in the end if it is requested again and
// again: a request counts for its admission although it finds no entry.
func TestRefusedKeyIsKeptInTheEnd(t *testing.T) {
	o := &fakeOrigin{size: 1500}
	c := newCache(t, o, Options{Bytes: 100 * answer(key("list", 1000), o.size).Cost()})
	for n := range 1000 { // of which many find no room
		for range 3 {
			c.lookup(key("list", n))
		}
	}
	const enough = 20_000 // the policy counts requests in batches
	for n := range enough {
		if _, outcome, _ := c.lookup("new"); outcome == Hit {
			t.Logf("kept after %d requests", n)
			return
		}
	}
	t.Errorf("not kept after %d requests", enough)
}
