package cache

import (
	"strconv"
	"testing"
	"testing/synctest"
)

// asked sets how often a key was requested.
func (c *Cache) asked(key string, n uint32) { c.index.get(key).asked.Store(n) }

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
			c.share(c.shelves.at(warm).budget)
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

// A slot displaces hot slots only if it is requested often, and much more often than
// each of them. Displaced slots go back to the tail.
func TestDisplacement(t *testing.T) {
	for name, tt := range map[string]struct {
		asked, others uint32
		displaces     bool
	}{
		"much more":              {displaceAfter, displaceAfter / displaceFactor, true},
		"not enough":             {displaceAfter - 1, 1, false},
		"not much more":          {displaceAfter, displaceAfter/displaceFactor + 1, false},
		"more than much":         {10 * displaceAfter, 5 * displaceAfter, true},
		"just not twice as much": {10 * displaceAfter, 5*displaceAfter + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(t, &fakeOrigin{size: 10 << 10}, Options{Bytes: 1 << 20})
			n := 0
			for ; c.shelves.at(hot).fits(answer("0123456789", 10<<10).Cost()); n++ {
				ask(t, c, key("hot", n), 1, always(1+promoteAfter))
				others := tt.others
				if tt.displaces {
					others += 100
				}
				c.asked(key(key("hot", n), 0), others)
			}
			least := key(key("hot", n/2), 0)
			if tt.displaces {
				c.asked(least, tt.others)
			}
			get(t, c, "list", Miss, c.nextFill())
			c.asked("list", tt.asked)
			c.promote(c.index.get("list"))
			want := map[bool]string{true: "hot", false: "tail"}
			where(t, c, "list", want[tt.displaces])
			where(t, c, least, want[!tt.displaces])
			s := c.Stats().Shelves[1]
			if s.Entries != int64(n) || s.Evicted != map[bool]int64{true: 1}[tt.displaces] {
				t.Errorf("%d slots were hot: %+v", n, s)
			}
			checkShelves(t, c)
		})
	}
}

// nextFill returns the number of the next fill of a fakeOrigin.
func (c *Cache) nextFill() string { return strconv.FormatInt(c.counts.fills.Load()+1, 10) }

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

// The shelves divide the budget by the percentages of the constants; hotShare applies
// to the room that the other shelves leave.
func TestShares(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{Bytes: 1_000_000})
	for i, want := range []int64{450_000, 380_000, 570_000, 50_000} {
		if p := c.shelves.at(warm + place(i)); p.budget != want {
			t.Errorf("%s: %d bytes, want %d", p.name, p.budget, want)
		}
	}
	if h, tl, a := c.shelves.shares(450_000); h != 200_000 || tl != 300_000 || a != 50_000 {
		t.Errorf("beside a full warm set: hot %d, tail %d, absent %d", h, tl, a)
	}
}
