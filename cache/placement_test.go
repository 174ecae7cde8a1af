package cache

import (
	"testing"
	"testing/synctest"

	"github.com/lewistv/xcri-proxy/cache/shelf"
)

// asked sets how often a key was requested.
func (c *Cache) asked(key string, n uint32) { c.index.Get(key).Asked.Store(n) }

// The request count of a key survives promotions and recodings; a refresh and a
// publish halve it.
func TestRequestsCountOn(t *testing.T) {
	o := &fakeOrigin{}
	var gate chan struct{}
	opts := recoded(&gate, 10)
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		gate = make(chan struct{})
		check := func(when string, want uint32) {
			t.Helper()
			if got := c.sight("list").Asked; got != want {
				t.Errorf("%s: asked %d times, want %d", when, got, want)
			}
		}
		get(t, c, "list", Miss, "1")
		check("filled", 0)
		for range 64 {
			get(t, c, "list", Hit, "1")
		}
		where(t, c, "list", "hot")
		check("promoted", 64)
		close(gate)
		synctest.Wait()
		check("recoded", 64)
		c.Purge(everything, false)
		get(t, c, "list", Stale, "1")
		synctest.Wait()
		check("refreshed", 32)
		publish(t, c, o.moveTo("2"), "list")
		where(t, c, "list", "warm")
		check("published anew", 16)
		c.Purge(everything, false)
		get(t, c, "list", Stale, "3")
		synctest.Wait()
		check("refreshed in the warm set", 8)
		c.Publish(o.moveTo("3", "list"), nil)
		where(t, c, "list", "tail")
		check("out of the warm set", 4)
	})
}

// A shelf whose budget shrinks evicts its least requested slots: the hot shelf moves
// them to the tail, the tail drops them.
func TestShrinkTakesTheLeastRequested(t *testing.T) {
	for kind, tt := range map[string]struct {
		requests, keys int
		before, after  string
	}{"hot": {1 + promoteAfter, 30, "hot", "tail"}, "tail": {1, 50, "tail", ""}} {
		t.Run(kind, func(t *testing.T) {
			c := newCache(t, &fakeOrigin{size: 10 << 10}, Options{Bytes: 1 << 20})
			requests := func(n int) uint32 { return uint32(8 + n*7%tt.keys*8) }
			ask(t, c, kind, tt.keys, always(tt.requests))
			for n := range tt.keys {
				where(t, c, key(kind, n), tt.before)
				c.asked(key(kind, n), requests(n))
			}
			c.mu.Lock()
			c.share(c.shelves.Budget(shelf.Warm))
			c.mu.Unlock()
			left, least, most := 0, uint32(1<<30), uint32(0)
			for n := range tt.keys {
				switch seen := c.sight(key(kind, n)); seen.Where {
				case tt.before:
					left++
					least = min(least, requests(n))
				case tt.after:
					most = max(most, requests(n))
				default:
					t.Errorf("%s is in %q", key(kind, n), seen.Where)
				}
			}
			if left == 0 || left == tt.keys || most > least {
				t.Errorf("%d of %d are left, requested at least %d times; the others at most %d", left, tt.keys, least, most)
			}
			for _, s := range c.Stats().Shelves[1:3] {
				if s.Name == kind && s.Evicted != int64(tt.keys-left) {
					t.Errorf("%d are gone: %+v", tt.keys-left, s)
				}
			}
			checkShelves(t, c)
		})
	}
}

// An entry that is too large for the hot shelf is not promoted and displaces no other
// entry.
func TestLargeEntryIsNotPromoted(t *testing.T) {
	c := newCache(t, &fakeOrigin{size: 100 << 10}, Options{Bytes: 1 << 20})
	ask(t, c, "list", 1, always(4*displaceAfter))
	where(t, c, key("list", 0), "tail")
	checkShelves(t, c)
}

// A warm set that grows in place reduces the budgets of the other shelves.
func TestWarmRefreshTakesRoom(t *testing.T) {
	o := &fakeOrigin{size: 1 << 10}
	bubble(t, o, Options{Bytes: 1 << 20}, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list")
		before := c.Stats().Shelves
		o.size = 200 << 10
		c.Purge(everything, false)
		c.lookup("list")
		synctest.Wait()
		where(t, c, "list", "warm")
		after := c.Stats().Shelves
		if grown := after[0].Bytes - before[0].Bytes; grown != 199<<10 || before[1].Budget+before[2].Budget-after[1].Budget-after[2].Budget != grown {
			t.Errorf("before %+v\nafter  %+v", before, after)
		}
	})
}
