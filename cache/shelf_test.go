package cache

import (
	"math/rand"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// checkShelves checks that what the shelves count is what is on them. No write
// may be under way but those that the lock keeps out.
func checkShelves(t testing.TB, c *Cache) {
	t.Helper()
	c.writes.Lock()
	defer c.writes.Unlock()
	total := checkWarm(t, c)
	for _, s := range c.shelves() {
		s.slots.Wait()
		var bytes, entries int64
		var held []*slot
		s.slots.IterValues(func(s *slot) bool {
			bytes += s.entry.Cost()
			entries++
			held = append(held, s)
			return false
		})
		for _, in := range held {
			if s.get(in.entry.Key) != in {
				t.Errorf("%s: %s can't be read", s.name, in.entry.Key)
			}
		}
		if got := s.bytes.Load(); got != bytes || got > s.budget.Load() || got < 0 {
			t.Errorf("%s: counts %d bytes, holds %d, budget %d", s.name, got, bytes, s.budget.Load())
		}
		if got := s.entries.Load(); got != entries {
			t.Errorf("%s: counts %d entries, holds %d", s.name, got, entries)
		}
		if free := s.slots.RemainingCost(); free != s.budget.Load()-bytes {
			t.Errorf("%s: ristretto has room for %d bytes, want %d", s.name, free, s.budget.Load()-bytes)
		}
		total += bytes
	}
	if total > c.opts.Bytes {
		t.Errorf("%d bytes in all, %d over the budget", total, total-c.opts.Bytes)
	}
}

// checkWarm checks the warm set likewise, and returns its size.
func checkWarm(t testing.TB, c *Cache) (bytes int64) {
	t.Helper()
	now := c.current.Load()
	for key, s := range now.warm {
		bytes += s.entry.Cost()
		for _, shelf := range c.shelves() {
			if shelf.get(key) != nil || s.entry.Key != key {
				t.Errorf("%s is warm and on the %s shelf", key, shelf.name)
			}
		}
	}
	if now.bytes != bytes || bytes > c.warmBudget() {
		t.Errorf("warm: counts %d bytes, holds %d, budget %d", now.bytes, bytes, c.warmBudget())
	}
	return bytes
}

// ask requests each key the given number of times.
func ask(t testing.TB, c *Cache, kind string, keys int, times func(n int) int) {
	t.Helper()
	for n := range keys {
		for range times(n) {
			if _, _, err := c.Get(key(kind, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func always(times int) func(int) int { return func(int) int { return times } }

// hits returns how many of the keys are answered without a fill.
func hits(t testing.TB, c *Cache, kind string, keys int) (hits int) {
	t.Helper()
	for n := range keys {
		_, outcome, err := c.Get(key(kind, n))
		if err != nil {
			t.Fatal(err)
		}
		if outcome == Hit {
			hits++
		}
	}
	return hits
}

func TestPromotion(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	ask(t, c, "list", 1, always(promoteAfter))
	if c.tail.entries.Load() != 1 || c.hot.entries.Load() != 0 {
		t.Error("not on the tail shelf before it was asked for often")
	}
	get(t, c, key("list", 0), Hit, "1")
	if c.tail.entries.Load() != 0 || c.hot.entries.Load() != 1 {
		t.Error("not on the hot shelf after it was asked for often")
	}
	get(t, c, key("list", 0), Hit, "1")
	checkShelves(t, c)
}

// Half of what an entry was asked for counts on across its refreshes: a
// visitor's page gets to the hot shelf in spite of them, a crawler's does not.
func TestRefreshedEntryIsPromotedToo(t *testing.T) {
	for asked, hot := range map[int]int64{1: 0, promoteAfter - 1: 1} {
		o := &fakeOrigin{}
		bubble(t, o, times, func(t *testing.T, c *Cache) {
			get(t, c, "list", Miss, "1")
			for fill := 1; fill < 8; fill++ {
				for range asked {
					get(t, c, "list", Hit, strconv.Itoa(fill))
				}
				c.Publish(o.moveTo(strconv.Itoa(fill+1)), nil)
				get(t, c, "list", Stale, strconv.Itoa(fill))
				synctest.Wait()
			}
			if c.hot.entries.Load() != hot {
				t.Errorf("asked for %d times between refreshes: %d on the hot shelf", asked, c.hot.entries.Load())
			}
		})
	}
}

func TestStatusDecidesOnTheShelf(t *testing.T) {
	status := 200
	o := &fakeOrigin{shape: func(e *Entry) { e.Status = status }}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		for i, tt := range []struct {
			status int
			want   *shelf
		}{{200, c.tail}, {404, c.absent}, {200, c.tail}, {422, c.absent}, {404, c.absent}} {
			status = tt.status
			c.Publish(o.moveTo(strconv.Itoa(i+2)), nil)
			c.Get("list")
			synctest.Wait()
			for _, s := range c.shelves() {
				if got := s.entries.Load() == 1; got != (s == tt.want) {
					t.Errorf("status %d: on the %s shelf: %t", tt.status, s.name, got)
				}
			}
		}
		checkShelves(t, c)
	})
}

func TestAbsentAnswersStayOnTheirShelf(t *testing.T) {
	o := &fakeOrigin{size: 10 << 10, shape: func(e *Entry) {
		if e.Key[0] == 'n' {
			e.Status = 404
		}
	}}
	c := newCache(t, o, Options{Bytes: 4 << 20})
	ask(t, c, "hot", 50, always(promoteAfter+1))
	ask(t, c, "tail", 50, always(1))
	before := c.Stats()
	ask(t, c, "nothing", 3000, always(promoteAfter+1))
	after := c.Stats()
	if !slices.Equal(before.Shelves[:3], after.Shelves[:3]) {
		t.Errorf("before: %+v\nafter:  %+v", before.Shelves, after.Shelves)
	}
	if absent := after.Shelves[3]; absent.Entries == 0 || absent.Bytes > absent.Budget {
		t.Errorf("%+v", absent)
	}
	if hot, tail := hits(t, c, "hot", 50), hits(t, c, "tail", 50); hot != 50 || tail != 50 {
		t.Errorf("%d of 50 hot and %d of 50 others are left", hot, tail)
	}
	checkShelves(t, c)
}

// A crawl of cold pages must leave alone the warm set, which nobody may have
// asked for yet, and the lists that people ask for.
func TestCrawlLeavesListsAlone(t *testing.T) {
	const warm, lists, pages, crawls = 60, 60, 5000, 3
	for _, asked := range []int{promoteAfter + 1, 50} {
		t.Run(strconv.Itoa(asked)+" requests each", func(t *testing.T) {
			o := &fakeOrigin{shape: func(e *Entry) {
				size := map[string]int{"warm": 400 << 10, "hot": 150 << 10, "cold": 20 << 10}[e.Scope]
				e.Variants[0].Body = zeros[:size:size]
			}}
			c := newCache(t, o, Options{})
			publish(t, c, o.generation(), keys("warm", warm)...)
			ask(t, c, "hot", lists, always(asked))
			for crawl := range crawls {
				ask(t, c, "cold", pages, func(n int) int { return 1 + (n+crawl)%2 })
				before := o.calls.Load()
				if left := hits(t, c, "hot", lists); left != lists || o.calls.Load() != before {
					t.Errorf("crawl %d: %d of %d lists left, %+v", crawl+1, left, lists, c.Stats())
				}
				for _, k := range keys("warm", warm) {
					where(t, c, k, "warm")
				}
			}
			before := o.calls.Load()
			if left := hits(t, c, "warm", warm); left != warm || o.calls.Load() != before {
				t.Errorf("%d of %d warm entries left", left, warm)
			}
			checkShelves(t, c)
		})
	}
}

func TestBudgetHolds(t *testing.T) {
	const workers, rounds, lists = 8, 1000, 300
	o := &fakeOrigin{early: true, shape: func(e *Entry) {
		size := rand.Intn(6 << 10)
		switch chance := rand.Intn(200); {
		case chance < 2:
			size = rand.Intn(300 << 10) // most of these are too large for a shelf
		case chance < 10:
			e.Status = 404
		}
		e.Variants[0].Body = zeros[:size:size]
	}}
	// Nothing ever holds: every entry is refreshed each time it is asked for.
	never := fakeGeneration{"never", map[string]string{"list": "none"}}
	c := newCache(t, o, Options{Bytes: 1 << 19})
	publish := func(rounds int) {
		for n := range rounds {
			var set []Warmed
			for i := range lists / 2 {
				k := key("list", n+i)
				set = append(set, Warmed{Key: k, Entry: c.Peek(k).Entry})
			}
			c.Publish(never, set)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { publish(100) })
	for worker := range workers {
		wg.Go(func() {
			random := rand.New(rand.NewSource(int64(worker)))
			zipf := rand.NewZipf(random, 1.1, 4, lists-1)
			for round := range rounds {
				for k := key("list", int(zipf.Uint64())); random.Intn(promoteAfter+1) > 0; {
					if e, outcome, err := c.Get(k); e == nil || outcome == StaleError || err != nil {
						t.Error(outcome, err)
					}
				}
				if round%100 == 0 {
					checkShelves(t, c)
				}
			}
		})
	}
	wg.Wait()
	publish(1) // however early the others were
	c.Close()
	checkShelves(t, c)
	s := c.Stats()
	t.Logf("%+v", s)
	if warm, hot, tail := s.Shelves[0], s.Shelves[1], s.Shelves[2]; warm.Entries == 0 || hot.Evicted+hot.Rejected == 0 || tail.Evicted == 0 || tail.TooLarge == 0 {
		t.Errorf("the test did not do what it is for: %+v", s)
	}
}

func TestTooLargeAnswerIsServed(t *testing.T) {
	size := 1 << 10
	o := &fakeOrigin{shape: func(e *Entry) { e.Variants[0].Body = zeros[:size:size] }}
	bubble(t, o, Options{Bytes: 1 << 20}, func(t *testing.T, c *Cache) {
		get(t, c, "list", Miss, "1")
		c.Publish(o.moveTo("2"), nil)
		size = 1 << 20
		get(t, c, "list", Stale, "1")
		synctest.Wait()
		for n := int64(1); n < 4; n++ {
			if got := c.tail.tooLarge.Load(); got != n {
				t.Errorf("%d counted as too large, want %d", got, n)
			}
			if c.tail.entries.Load() != 0 { // nor the small one before it
				t.Error("something was stored")
			}
			e := get(t, c, "list", Miss, strconv.FormatInt(n+2, 10))
			if len(e.Variants) != 1 || len(e.Variants[0].Body) != size {
				t.Error("not the whole answer")
			}
		}
		checkShelves(t, c)
	})
}

func TestLargestEntry(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{Bytes: 1 << 20})
	for over := range int64(2) {
		e := answer("list", 0)
		e.Variants[0].Body = zeros[: 0 : c.tail.budget.Load()/largestShare+over-e.Cost()]
		c.store(e)
		if got := 1 - c.tail.entries.Load(); got != over || c.tail.tooLarge.Load() != over {
			t.Errorf("%d bytes over the limit: %+v", over, c.Stats().Shelves[2])
		}
	}
}

func TestPromotionDoesNotBringBackAnOldEntry(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	for i := range 2000 {
		k := key("list", i)
		c.store(numbered(answer(k, 100), "old"))
		var wg sync.WaitGroup
		wg.Go(func() { c.promote(k) })
		wg.Go(func() { c.store(numbered(answer(k, i%200), "new")) })
		wg.Wait()
		get(t, c, k, Hit, "new")
		if c.hot.get(k) != nil && c.tail.get(k) != nil {
			t.Fatalf("%s is on two shelves", k)
		}
	}
	checkShelves(t, c)
}

// Readers of entries that are promoted and refreshed all the time never see
// one that is older than one they have seen.
func TestReadersNeverGoBack(t *testing.T) {
	for round := range 30 {
		o := &fakeOrigin{early: true}
		c := newCache(t, o, Options{Bytes: 1 << 20})
		k := key("list", round)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				last := 0
				for range 100 {
					e, _, err := c.Get(k)
					if err != nil {
						t.Error(err)
						return
					}
					fill, _ := strconv.Atoi(string(e.Variants[0].ETag))
					if fill < last {
						t.Errorf("the entry of fill %d after that of fill %d", fill, last)
					}
					last = fill
				}
			})
		}
		wg.Wait()
	}
}

func TestStats(t *testing.T) {
	o := &fakeOrigin{size: 1 << 10, early: true}
	bubble(t, o, Options{Bytes: 1 << 20}, func(t *testing.T, c *Cache) {
		var budgets int64
		for i, name := range []string{"warm", "hot", "tail", "absent"} {
			s := c.Stats().Shelves[i]
			budgets += s.Budget
			if want := (ShelfStats{Name: name, Budget: s.Budget}); s != want {
				t.Errorf("empty: %+v, want %+v", s, want)
			}
		}
		if budgets > 1<<20 || budgets < 1<<20-4 {
			t.Errorf("the budgets' sum is %d", budgets)
		}
		e := get(t, c, "list", Miss, "1")
		s := c.Stats()
		if s.Generation != "" || !s.Published.IsZero() || !s.Confirmed.IsZero() || s.Stale != 1 || !s.DownSince.IsZero() {
			t.Errorf("before the first generation: %+v", s)
		}
		if tail := s.Shelves[2]; tail.Entries != 1 || tail.Bytes != e.Cost() {
			t.Errorf("with one entry: %+v", tail)
		}
		c.outage.Up()
		confirmed := time.Now()
		time.Sleep(time.Second)
		publish(t, c, o.generation(), keys("dated", 3)...)
		published := time.Now()
		s = c.Stats()
		if s.Generation != "1" || !s.Published.Equal(published) || !s.Confirmed.Equal(confirmed) || s.Stale != 0 {
			t.Errorf("with a generation: %+v", s)
		}
		if warm := s.Shelves[0]; warm.Entries != 3 || warm.Bytes != 3*c.Peek(key("dated", 0)).Entry.Cost() {
			t.Errorf("with a warm set: %+v", warm)
		}
		time.Sleep(time.Second)
		c.outage.Down(errDown)
		c.Publish(o.moveTo("2"), nil) // the dated ones are true still
		if s = c.Stats(); s.Generation != "2" || s.Stale != 1 || !s.DownSince.Equal(time.Now()) || !s.Confirmed.Equal(confirmed) {
			t.Errorf("down: %+v", s)
		}
		c.outage.Up()
		ask(t, c, "cold", 1000, always(1))
		s = c.Stats()
		if tail := s.Shelves[2]; tail.Evicted+tail.Rejected != 4+1000-tail.Entries || tail.TooLarge != 0 || tail.Dropped != 0 {
			t.Errorf("full: %+v", tail)
		}
		if !s.DownSince.IsZero() || !s.Confirmed.Equal(time.Now()) {
			t.Errorf("up again: %+v", s)
		}
	})
}

func TestTwoKeysWithOneHash(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	other := numbered(answer("other", 1), "0")
	c.tail.slots.Set("list", &slot{entry: other, cost: other.Cost()}, other.Cost())
	c.tail.slots.Wait()
	get(t, c, "list", Miss, "1")
	get(t, c, "list", Hit, "1")
}

// A ristretto that is closed refuses writes as a full one does.
func TestDroppedWrite(t *testing.T) {
	s, err := newShelf("tail", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	s.slots.Close()
	e := answer("list", 1)
	if s.put(&slot{entry: e, cost: e.Cost()}) || s.dropped.Load() != 1 || s.bytes.Load() != 0 || s.entries.Load() != 0 {
		t.Errorf("dropped %d, %d bytes, %d entries", s.dropped.Load(), s.bytes.Load(), s.entries.Load())
	}
}

// TestRoomLeftByTheWarmSet: the shelves get what the warm set does not need, and
// give it back, what was asked for least first.
func TestRoomLeftByTheWarmSet(t *testing.T) {
	o := &fakeOrigin{size: 10 << 10}
	c := newCache(t, o, Options{Bytes: 1 << 20})
	total := func() int64 {
		s := c.Stats().Shelves
		return s[0].Bytes + s[1].Bytes + s[2].Bytes + s[3].Bytes
	}
	ask(t, c, "dated", 30, always(1+promoteAfter)) // these are hot
	ask(t, c, "list", 50, always(1))
	if got := total(); got < 1<<20*75/100 {
		t.Errorf("only %d bytes of %d are used", got, 1<<20)
	}
	checkShelves(t, c)
	publish(t, c, o.generation(), keys("other", 40)...)
	if warm := checkWarm(t, c); warm < 400<<10 {
		t.Errorf("%d bytes are warm", warm)
	}
	checkShelves(t, c)
	if got := total(); got > 1<<20 || got < 1<<20*75/100 {
		t.Errorf("%d bytes of %d are used", got, 1<<20)
	}
	if tail := c.Stats().Shelves[2]; tail.Evicted == 0 {
		t.Error("the tail gave nothing")
	}
}

// TestPromotionNeedsRoom: a promotion pushes out nothing, and what finds no room on
// the hot shelf stays on the other, until it is asked for much more.
func TestPromotionNeedsRoom(t *testing.T) {
	const keys = 60 // more than the hot shelf holds, fewer than both
	c := newCache(t, &fakeOrigin{size: 10 << 10}, Options{Bytes: 1 << 20})
	for range 3 {
		ask(t, c, "list", keys, always(promoteAfter+1))
	}
	shelves := c.Stats().Shelves
	hot, tail := shelves[1], shelves[2]
	if hot.Entries == 0 || hot.Entries == keys || hot.Evicted > 0 || hot.Entries+tail.Entries != keys {
		t.Errorf("hot %+v\ntail %+v", hot, tail)
	}
	if s := c.Stats(); s.Fills != keys {
		t.Errorf("%d fills of %d keys", s.Fills, keys)
	}
	ask(t, c, "favourite", 1, always(2*displaceAfter+1))
	where(t, c, key("favourite", 0), "hot")
}
