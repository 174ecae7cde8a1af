package cache

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/shelf"
)

// Prepare fills only keys that are not fresh in the new generation, and readers get
// the old entries until Publish switches all of them.
func TestPrepare(t *testing.T) {
	for fills, most := range map[int]int64{2: 2, 8: warmFills} {
		o := &fakeOrigin{}
		bubble(t, o, Options{Fills: fills}, func(t *testing.T, c *Cache) {
			changed := append(keys("list", 8), "new")
			all := slices.Concat(changed, keys("team", 2), keys("dated", 2))
			old := all[:8]
			publish(t, c, o.generation(), slices.Concat(old, keys("team", 2), keys("dated", 2))...)
			before := o.calls.Load()
			g := o.moveTo("2", "team")
			o.most.Store(0)
			o.shape = func(*Entry) { time.Sleep(time.Second) }
			read := func() { // a second of visitors
				for range 10 {
					for _, k := range old {
						if e, outcome, _ := c.lookup(k); outcome != Hit || e.Generation != "1" {
							t.Errorf("%s: %s of generation %s", k, outcome, e.Generation)
						}
					}
					time.Sleep(100 * time.Millisecond)
				}
			}
			var reader sync.WaitGroup
			reader.Go(read)
			var inEach atomic.Bool
			done := map[string]int{}
			set := c.Prepare(t.Context(), g, all, func(w Warmed) {
				if !inEach.CompareAndSwap(false, true) {
					t.Error("two concurrent calls of each")
				}
				runtime.Gosched()
				done[w.Key]++
				if want := slices.Contains(changed, w.Key); w.Err != nil || w.Filled != want || !g.Holds(w.Entry) {
					t.Errorf("%s: filled %t, %v, entry of %s", w.Key, w.Filled, w.Err, w.Entry.Generation)
				}
				inEach.Store(false)
			})
			reader.Wait()
			read()
			if got := o.most.Load(); got != most {
				t.Errorf("%d of %d concurrent fills, want %d", got, fills, most)
			}
			calls(t, o, before+int64(len(changed)))
			for i, k := range all {
				if done[k] != 1 || set[i].Key != k {
					t.Errorf("%s: %d calls, and %s in its place", k, done[k], set[i].Key)
				}
			}
			start := time.Now()
			c.Publish(g, keysOf(set))
			for _, k := range all {
				if e, outcome, _ := c.lookup(k); outcome != Hit || !g.Holds(e) {
					t.Errorf("%s: %s of generation %s", k, outcome, e.Generation)
				}
			}
			if current, at := c.Published(); current.ID() != "2" || !at.Equal(start) {
				t.Errorf("generation %s of %v", current.ID(), at)
			}
			calls(t, o, before+int64(len(changed)))
			checkShelves(t, c)
		})
	}
}

// Readers that iterate over the warm set never see an older generation after a newer
// generation, and never wait, at any rate of publishes.
func TestPublishInOneStep(t *testing.T) {
	const lists, generations = 20, 100
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	all := keys("list", lists)
	publish(t, c, o.generation(), all...)
	var published atomic.Int64
	var readers sync.WaitGroup
	for range 6 {
		readers.Go(func() {
			last := int64(1)
			for last < generations {
				for _, k := range all {
					last = max(last, published.Load())
					e, outcome, err := c.lookup(k)
					if outcome != Hit || err != nil {
						t.Errorf("%s: %s, %v", k, outcome, err)
						return
					}
					g, _ := strconv.ParseInt(e.Generation, 10, 64)
					if g < last {
						t.Errorf("%s: generation %d after generation %d", k, g, last)
					}
					last = g
				}
			}
		})
	}
	for g := int64(2); g <= generations; g++ {
		publish(t, c, o.moveTo(strconv.FormatInt(g, 10)), all...)
		published.Store(g)
	}
	readers.Wait()
	calls(t, o, lists*generations)
	checkShelves(t, c)
}

// An entry that joins and leaves the warm set is always found. If it is promoted
// during a lookup, the flight finds it without a fill.
func TestEntryMovesWithoutAGap(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	all := keys("dated", 20)
	publish(t, c, o.generation(), all...)
	var stop atomic.Bool
	var readers sync.WaitGroup
	for range 6 {
		readers.Go(func() {
			for !stop.Load() {
				for _, k := range all {
					if _, outcome, err := c.lookup(k); outcome != Hit && outcome != Coalesced || err != nil {
						t.Errorf("%s: %s, %v", k, outcome, err)
					}
				}
			}
		})
	}
	for g := range 30 {
		publish(t, c, o.moveTo(strconv.Itoa(g+2)), all[:10*(g%3)]...)
	}
	stop.Store(true)
	readers.Wait()
	calls(t, o, int64(len(all)))
	checkShelves(t, c)
}

// A fill that began before a publish does not replace a newer version, and a reader
// after the publish gets an answer of the new generation.
func TestFillFromBeforeAPublish(t *testing.T) {
	begin := map[string]func(*testing.T, *Cache, *fakeOrigin) *sync.WaitGroup{
		"request": func(t *testing.T, c *Cache, _ *fakeOrigin) *sync.WaitGroup {
			var reader sync.WaitGroup
			reader.Go(func() { get(t, c, "list", Miss, "1") })
			return &reader
		},
		"refresh": func(t *testing.T, c *Cache, _ *fakeOrigin) *sync.WaitGroup {
			old := answer("list", 1)
			old.Generation = "0"
			c.storeEntry(old)
			get(t, c, "list", Stale, "0")
			return new(sync.WaitGroup)
		},
	}
	for name, begin := range begin {
		for _, warm := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", cold key", true: ", warm key"}[warm], func(t *testing.T) {
				o := &fakeOrigin{gate: gated}
				bubble(t, o, times, func(t *testing.T, c *Cache) {
					early := begin(t, c, o)
					synctest.Wait()
					gate := o.gate
					o.gate = nil
					if g := o.moveTo("2"); warm {
						publish(t, c, g, "list")
						get(t, c, "list", Hit, "2")
					} else {
						c.Purge(func(*Entry) bool { return true }, true)
						c.Publish(g, nil)
						get(t, c, "list", Miss, "2") // not the answer of the fill before the publish
					}
					close(gate)
					early.Wait()
					synctest.Wait()
					get(t, c, "list", Hit, "2")
					calls(t, o, 2)
					checkShelves(t, c)
				})
			})
		}
	}
}

// The opposite order: the older fill ends while the newer fill is under way.
func TestReaderDoesNotJoinAnOlderFill(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		var early, late sync.WaitGroup
		early.Go(func() { get(t, c, "list", Miss, "1") })
		synctest.Wait()
		older := o.gate
		o.gate = make(chan struct{})
		c.Publish(o.moveTo("2"), nil)
		late.Go(func() { get(t, c, "list", Miss, "2") })
		synctest.Wait()
		calls(t, o, 2)
		close(older)
		early.Wait()
		synctest.Wait()
		if s := c.sight("list"); s.Outcome != Stale {
			t.Errorf("%+v", s)
		}
		close(o.gate)
		late.Wait()
		get(t, c, "list", Hit, "2")
		calls(t, o, 2)
	})
}

func TestDataMovesOnDuringPrepare(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list", "dated")
		g := o.moveTo("2")
		o.moveTo("3")
		set := c.Prepare(t.Context(), g, []string{"list", "new", "dated"}, func(Warmed) {})
		for i, entry := range []bool{true, false, true} {
			if w := set[i]; errors.Is(w.Err, ErrMoved) != (i < 2) || w.Filled || (w.Entry != nil) != entry {
				t.Errorf("%+v", w)
			}
		}
		if e, outcome, _ := c.lookup("list"); outcome != Hit || e.Generation != "1" {
			t.Errorf("%s of generation %s before the next publish", outcome, e.Generation)
		}
	})
}

// An answer of a newer generation that a preparation has read is reused when that
// generation is prepared, so that data that changes faster than a warm set fills is
// published too.
func TestOvertakenPreparationMakesProgress(t *testing.T) {
	for name, purge := range map[string]func(*Cache){
		"":              func(*Cache) {},
		"purged softly": func(c *Cache) { c.Purge(func(e *Entry) bool { return e.Key == "list" }, false) },
		"purged hard":   func(c *Cache) { c.Purge(func(e *Entry) bool { return e.Key == "list" }, true) },
	} {
		t.Run(name, func(t *testing.T) {
			o := &fakeOrigin{}
			bubble(t, o, times, func(t *testing.T, c *Cache) {
				publish(t, c, o.generation(), "list", "team")
				before := o.moveTo("2")
				next := o.moveTo("3")
				c.Prepare(t.Context(), before, []string{"list", "team"}, func(Warmed) {})
				calls(t, o, 4)
				purge(c)
				publish(t, c, next, "list", "team")
				want := int64(4)
				if name != "" {
					want++
				}
				calls(t, o, want)
				for _, key := range []string{"list", "team"} {
					if e, outcome, _ := c.lookup(key); outcome != Hit || e.Generation != "3" {
						t.Errorf("%s: %s of generation %s", key, outcome, e.Generation)
					}
				}
				if len(c.prepared.Ahead) > 0 {
					t.Errorf("%d versions are kept after the publish", len(c.prepared.Ahead))
				}
				checkShelves(t, c)
			})
		})
	}
}

// A preparation that is dropped passes its usable entries on to the next preparation,
// and leaves nothing else behind.
func TestPreparationIsGivenUp(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list")
		g := o.moveTo("2", "list")
		c.Prepare(t.Context(), g, []string{"list", "team", "page"}, func(Warmed) {})
		calls(t, o, 3)
		if s := c.Stats(); s.Prepared == 0 {
			t.Error("the prepared entries take no room")
		}
		next := o.moveTo("3", "list", "team")
		publish(t, c, next, "list", "team")
		calls(t, o, 3)
		get(t, c, "team", Hit, string(c.sight("team").Entry.Variants[0].ETag))
		where(t, c, "page", "")
		if s := c.Stats(); s.Prepared != 0 || c.reading() {
			t.Errorf("after the publish: %d bytes are prepared, or a read is under way", s.Prepared)
		}
		checkShelves(t, c)
	})
}

// A preparation that a later preparation has replaced stores nothing.
func TestOvertakenPreparationStoresNothing(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		g := o.generation()
		var set []Warmed
		go func() { set = c.Prepare(t.Context(), g, []string{"list"}, func(Warmed) {}) }()
		synctest.Wait()
		c.Prepare(t.Context(), o.moveTo("2"), nil, func(Warmed) {})
		close(o.gate)
		synctest.Wait()
		if w := set[0]; !errors.Is(w.Err, ErrMoved) || w.Entry != nil {
			t.Errorf("%+v", w)
		}
		if s := c.Stats(); s.Prepared != 0 {
			t.Errorf("%d bytes are prepared", s.Prepared)
		}
	})
}

// A refresh that ends between the preparation and the publish is published, because it was
// read later.
func TestRefreshedWhilePrepared(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		get(t, c, "dated", Miss, "1")
		g := o.moveTo("2", "dated")
		c.Prepare(t.Context(), g, []string{"dated"}, func(Warmed) {})
		if s := c.Stats(); s.Prepared != 0 {
			t.Errorf("%d bytes are prepared beside the served entries", s.Prepared)
		}
		c.Purge(everything, false)
		get(t, c, "dated", Stale, "1")
		synctest.Wait()
		get(t, c, "dated", Hit, "2")
		c.Publish(g, []string{"dated"})
		get(t, c, "dated", Hit, "2")
		where(t, c, "dated", "warm")
		calls(t, o, 2)
	})
}

// A failing key is no longer marked as failing after it is published.
func TestPublishEndsFailing(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		get(t, c, "list", Miss, "1")
		g := o.moveTo("2")
		c.Publish(g, nil)
		o.script = []error{errFails}
		get(t, c, "list", Stale, "1")
		synctest.Wait()
		get(t, c, "list", StaleError, "1")
		publish(t, c, g, "list")
		get(t, c, "list", Hit, "3")
		c.Purge(everything, false)
		get(t, c, "list", Stale, "3")
	})
}

// A hard purge that matches only the served version keeps the next version, and vice
// versa.
func TestHardPurgeOfOneGeneration(t *testing.T) {
	for generation, want := range map[string]map[string]string{
		"1": {"before": "", "after": "2"}, "2": {"before": "1", "after": "1"},
	} {
		t.Run(generation, func(t *testing.T) {
			o := &fakeOrigin{}
			bubble(t, o, times, func(t *testing.T, c *Cache) {
				get(t, c, "list", Miss, "1")
				g := o.moveTo("2")
				c.Prepare(t.Context(), g, []string{"list"}, func(Warmed) {})
				c.Purge(func(e *Entry) bool { return e.Generation == generation }, true)
				check := func(when string) {
					t.Helper()
					tag := ""
					if e := c.sight("list").Entry; e != nil {
						tag = string(e.Variants[0].ETag)
					}
					if tag != want[when] {
						t.Errorf("%s the publish: fill %q, want %q", when, tag, want[when])
					}
					checkShelves(t, c)
				}
				check("before")
				c.Publish(g, []string{"list"})
				check("after")
			})
		})
	}
}

// A soft purge reaches the versions that match, and no others of the key.
func TestSoftPurgeOfOneGeneration(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		get(t, c, "list", Miss, "1")
		g := o.moveTo("2")
		c.Prepare(t.Context(), g, []string{"list"}, func(Warmed) {})
		c.Purge(func(e *Entry) bool { return e.Generation == "1" }, false)
		if s := c.sight("list"); s.Outcome != Stale {
			t.Errorf("%s before the publish", s.Outcome)
		}
		c.Publish(g, []string{"list"})
		get(t, c, "list", Hit, "2")
	})
}

// A hard purge of the warm set gives its room to the other shelves.
func TestHardPurgeFreesRoom(t *testing.T) {
	o := &fakeOrigin{size: 100 << 10}
	c := newCache(t, o, Options{Bytes: 1 << 20})
	before := c.Stats().Shelves
	publish(t, c, o.generation(), keys("list", 3)...)
	c.Purge(everything, true)
	for i, s := range c.Stats().Shelves {
		if s.Budget != before[i].Budget || s.Bytes != 0 {
			t.Errorf("%+v, want as %+v", s, before[i])
		}
	}
}

// A key that was only prepared for another generation is not in the warm set.
func TestPublishWithoutAVersion(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	c.Prepare(t.Context(), o.moveTo("2"), []string{"list"}, func(Warmed) {})
	c.Publish(o.moveTo("3"), []string{"list", "nothing"})
	where(t, c, "list", "")
	if n := c.Warm(); n != 0 {
		t.Errorf("%d entries are warm", n)
	}
	checkShelves(t, c)
}

// EachStale visits the entries that are not fresh, and no slots that are only prepared.
func TestEachStale(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, Options{})
	for _, key := range []string{"list", "dated", "team"} {
		c.lookup(key)
	}
	c.Publish(o.moveTo("2", "team"), nil)
	c.Purge(func(e *Entry) bool { return e.Key == "team" }, false)
	c.Prepare(t.Context(), o.moveTo("3"), []string{"new"}, func(Warmed) {})
	var stale []string
	c.EachStale(func(e *Entry) { stale = append(stale, e.Key) })
	slices.Sort(stale)
	if !slices.Equal(stale, []string{"list", "team"}) {
		t.Errorf("stale: %v", stale)
	}
}

func TestFailedKeyKeepsItsEntry(t *testing.T) {
	for name, failure := range map[string]error{"error": errFails, "panic": errPanic} {
		t.Run(name, func(t *testing.T) {
			o := &fakeOrigin{}
			bubble(t, o, times, func(t *testing.T, c *Cache) {
				publish(t, c, o.generation(), "list")
				g := o.moveTo("2")
				o.script = []error{failure}
				set := c.Prepare(t.Context(), g, []string{"list"}, func(Warmed) {})
				if w := set[0]; w.Err == nil || w.Filled || w.Entry == nil || w.Entry.Generation != "1" {
					t.Errorf("%+v", w)
				}
				c.Publish(g, keysOf(set))
				where(t, c, "list", "warm")
				get(t, c, "list", Stale, "1")
				synctest.Wait()
				where(t, c, "list", "warm")
				get(t, c, "list", Hit, "3")
				calls(t, o, 3)
			})
		})
	}
}

func TestPrepareWithoutItsOrigin(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "list", "dated")
		check := func(ctx context.Context, want error) {
			t.Helper()
			set := c.Prepare(ctx, o.generation(), []string{"list", "dated"}, func(Warmed) {})
			if w := set[0]; !errors.Is(w.Err, want) || w.Filled || w.Entry == nil {
				t.Errorf("%+v, want the error %v", w, want)
			}
			if w := set[1]; w.Err != nil || w.Filled || w.Entry == nil {
				t.Errorf("keys that need no fill: %+v", w)
			}
		}
		o.moveTo("2")
		o.gate = make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		check(ctx, context.DeadlineExceeded)
		before := o.calls.Load()
		c.outage.Down(errDown)
		check(t.Context(), ErrDown)
		c.outage.Up()
		c.Close()
		check(t.Context(), context.Canceled)
		calls(t, o, before)
	})
}

// Entries that do not fit in the warm set are kept on another shelf, where they
// replace older entries.
func TestWarmBudget(t *testing.T) {
	const lists, room = 12, 9
	o := &fakeOrigin{size: 50_000}
	bubble(t, o, Options{Bytes: 1 << 20}, func(t *testing.T, c *Cache) {
		left := key("list", lists-1)
		for range promoteAfter + 1 { // an old version of it is hot
			if _, _, err := c.lookup(left); err != nil {
				t.Error(err)
			}
		}
		publish(t, c, o.moveTo("2"), keys("list", lists)...)
		before := o.calls.Load()
		warm := c.Stats().Shelves[0]
		if warm.Entries != room || warm.TooLarge != lists-room || warm.Bytes > warm.Budget {
			t.Errorf("%+v", warm)
		}
		for i, k := range keys("list", lists) {
			if got := c.sight(k).Where == "warm"; got != (i < room) {
				t.Errorf("%s: warm %t", k, got)
			}
		}
		where(t, c, left, "hot")
		if n := hits(t, c, "list", lists); n != lists {
			t.Errorf("%d of %d hit", n, lists)
		}
		calls(t, o, before)
		checkShelves(t, c)
	})
}

func TestWarmEntryOutgrowsTheWarmSet(t *testing.T) {
	o := &fakeOrigin{size: 50_000}
	bubble(t, o, Options{Bytes: 1 << 20}, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), keys("list", 9)...)
		c.Purge(func(e *Entry) bool { return e.Key == "list?0" }, false)
		o.size = 75_000
		c.lookup("list?0")
		synctest.Wait()
		where(t, c, "list?0", "tail")
		get(t, c, "list?0", Hit, "10")
		if warm := c.Stats().Shelves[0]; warm.Entries != 8 || warm.TooLarge != 1 {
			t.Errorf("%+v", warm)
		}
		checkShelves(t, c)
	})
}

func TestKeysThatLeaveTheWarmSet(t *testing.T) {
	o := &fakeOrigin{shape: func(e *Entry) {
		if e.Key == "dated?0" {
			e.Status = 404
		}
	}}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), append(keys("dated", 3), "list")...)
		publish(t, c, o.moveTo("2"), key("dated", 1))
		for key, want := range map[string]string{"dated?0": "absent", "dated?1": "warm", "dated?2": "tail", "list": "tail"} {
			where(t, c, key, want)
		}
		if n := hits(t, c, "dated", 3); n != 3 {
			t.Errorf("%d of 3 hit", n)
		}
		if _, outcome, _ := c.lookup("list"); outcome != Stale {
			t.Errorf("list: %s", outcome)
		}
		synctest.Wait()
		calls(t, o, 5)
		checkShelves(t, c)
	})
}

// Slots that leave the warm set find the room that they took from the other shelves.
func TestWarmSetGivesItsRoom(t *testing.T) {
	const lists = 9 // more than the tail holds beside them
	o := &fakeOrigin{size: 50_000}
	c := newCache(t, o, Options{Bytes: 1 << 20})
	publish(t, c, o.generation(), keys("list", lists)...)
	if tail := c.shelves.Budget(shelf.Tail); tail >= lists*int64(o.size) {
		t.Fatalf("the tail has %d bytes", tail)
	}
	publish(t, c, o.generation())
	for _, k := range keys("list", lists) {
		where(t, c, k, "tail")
	}
	checkShelves(t, c)
}

// A key that is named twice is charged once.
func TestKeyTwiceInTheWarmSet(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	get(t, c, "list", Miss, "1")
	get(t, c, "team", Miss, "2")
	set := slices.Repeat([]string{"list"}, int(c.shelves.Budget(shelf.Warm)/c.sight("list").Entry.Cost()))
	c.Publish(fakeGeneration{id: "1"}, append(set, "team"))
	where(t, c, "team", "warm")
	checkShelves(t, c)
}

func TestPopular(t *testing.T) {
	o := &fakeOrigin{shape: func(e *Entry) {
		if e.Scope == "absent" {
			e.Status = 404
		}
	}}
	c := newCache(t, o, Options{})
	ask(t, c, "dated", 21, func(n int) int { return 1 + min(n, 19) }) // the first is a miss
	ask(t, c, "absent", 1, always(100))
	names := func(numbers ...int) (all []string) {
		for _, n := range numbers {
			all = append(all, key("dated", n))
		}
		return all
	}
	want := names(19, 20, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4)
	for _, n := range []int{0, 1, 5, len(want), 100} {
		if got := c.Popular(n); !slices.Equal(got, want[:min(n, len(want))]) {
			t.Errorf("the %d most popular: %v, want of %v", n, got, want)
		}
	}
	// By halves, and so with more that are alike and go by their names.
	for i, want := range [][]string{names(18, 19, 20, 16, 17, 14, 15, 12, 13, 10, 11, 8, 9), names(16, 17, 18, 19, 20), nil} {
		publish(t, c, o.moveTo(strconv.Itoa(i+2)), c.Popular(100)...)
		if got := c.Popular(100); !slices.Equal(got, want) {
			t.Errorf("after %d publishes: %v, want %v", i+1, got, want)
		}
	}
}

// Counts halve with each generation on all shelves: a key that is no longer requested does
// not stay popular, even if its data never changes.
func TestPopularityFades(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	list := key("dated", 1)
	for range 1 + 8*promoteAfter { // the first is a miss
		if _, _, err := c.lookup(list); err != nil {
			t.Fatal(err)
		}
	}
	asked := c.sight(list).Asked
	for i := range 4 {
		if got := c.Popular(1); (len(got) == 1) != (asked >= promoteAfter) {
			t.Fatalf("popular: %v, after %d generations, asked %d", got, i, asked)
		}
		c.Publish(fakeGeneration{id: strconv.Itoa(i + 1)}, nil)
		if asked /= 2; c.sight(list).Asked != asked {
			t.Errorf("asked %d, want %d", c.sight(list).Asked, asked)
		}
	}
	if got := c.Popular(1); len(got) != 0 {
		t.Errorf("still popular: %v, asked %d", got, asked)
	}
}
