package cache

import (
	"math/rand"
	"strconv"
	"sync"
	"testing"
	"time"
)

// checkShelves checks that what the shelves count is what is on them. No write
// may be under way but those that the lock keeps out.
func checkShelves(t testing.TB, c *Cache) {
	t.Helper()
	c.writes.Lock()
	defer c.writes.Unlock()
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
		if got := s.bytes.Load(); got != bytes || got > s.budget || got < 0 {
			t.Errorf("%s: counts %d bytes, holds %d, budget %d", s.name, got, bytes, s.budget)
		}
		if got := s.entries.Load(); got != entries {
			t.Errorf("%s: counts %d entries, holds %d", s.name, got, entries)
		}
		if free := s.slots.RemainingCost(); free != s.budget-bytes {
			t.Errorf("%s: ristretto has room for %d bytes, want %d", s.name, free, s.budget-bytes)
		}
	}
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
		bubble(t, &fakeOrigin{}, times, func(t *testing.T, c *Cache) {
			for fill := range 8 {
				get(t, c, "list", Miss, strconv.Itoa(fill+1))
				for range asked {
					get(t, c, "list", Hit, strconv.Itoa(fill+1))
				}
				time.Sleep(times.Fresh + times.Grace)
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
	c := newCache(t, o, Options{Fresh: 1})
	for _, tt := range []struct {
		status int
		want   *shelf
	}{{200, c.tail}, {404, c.absent}, {200, c.tail}, {422, c.absent}, {404, c.absent}} {
		status = tt.status
		c.Get("list")
		for _, s := range c.shelves() {
			if got := s.entries.Load() == 1; got != (s == tt.want) {
				t.Errorf("status %d: on the %s shelf: %t", tt.status, s.name, got)
			}
		}
	}
	checkShelves(t, c)
}

func TestAbsentAnswersStayOnTheirShelf(t *testing.T) {
	o := &fakeOrigin{size: 10 << 10, shape: func(e *Entry) {
		if e.Key[0] == 'n' {
			e.Status = 404
		}
	}}
	c := newCache(t, o, Options{Bytes: 4 << 20, Fresh: time.Hour})
	ask(t, c, "hot", 50, always(promoteAfter+1))
	ask(t, c, "tail", 50, always(1))
	before := c.Stats()
	ask(t, c, "nothing", 10000, always(promoteAfter+1))
	after := c.Stats()
	if before.Shelves[0] != after.Shelves[0] || before.Shelves[1] != after.Shelves[1] {
		t.Errorf("before: %+v\nafter:  %+v", before.Shelves, after.Shelves)
	}
	if absent := after.Shelves[2]; absent.Entries == 0 || absent.Bytes > absent.Budget {
		t.Errorf("%+v", absent)
	}
	if hot, tail := hits(t, c, "hot", 50), hits(t, c, "tail", 50); hot != 50 || tail != 50 {
		t.Errorf("%d of 50 hot and %d of 50 others are left", hot, tail)
	}
	checkShelves(t, c)
}

// A crawl of cold pages must leave the lists that people ask for alone.
func TestCrawlLeavesHotListsAlone(t *testing.T) {
	const lists, pages, crawls = 60, 5000, 3
	for _, asked := range []int{promoteAfter + 1, 50} {
		t.Run(strconv.Itoa(asked)+" requests each", func(t *testing.T) {
			o := &fakeOrigin{shape: func(e *Entry) {
				size := 20 << 10
				if e.Key[0] == 'h' {
					size = 300 << 10
				}
				e.Variants[0].Body = zeros[:size:size]
			}}
			c := newCache(t, o, Options{Fresh: time.Hour})
			ask(t, c, "hot", lists, always(asked))
			for crawl := range crawls {
				ask(t, c, "cold", pages, func(n int) int { return 1 + (n+crawl)%2 })
				before := o.calls.Load()
				left := hits(t, c, "hot", lists)
				if left != lists || o.calls.Load() != before {
					t.Errorf("crawl %d: %d of %d lists left, %+v", crawl+1, left, lists, c.Stats())
				}
			}
			checkShelves(t, c)
		})
	}
}

func TestBudgetHolds(t *testing.T) {
	const workers, rounds, keys = 8, 1000, 300
	o := &fakeOrigin{shape: func(e *Entry) {
		size := rand.Intn(6 << 10)
		switch chance := rand.Intn(200); {
		case chance < 2:
			size = rand.Intn(300 << 10) // most of these are too large for a shelf
		case chance < 10:
			e.Status = 404
		}
		e.Variants[0].Body = zeros[:size:size]
	}}
	// Every entry is refreshed each time it is asked for.
	c := newCache(t, o, Options{Bytes: 1 << 19, Fresh: 1, Grace: time.Hour})
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			random := rand.New(rand.NewSource(int64(worker)))
			zipf := rand.NewZipf(random, 1.1, 4, keys-1)
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
	c.Close()
	checkShelves(t, c)
	s := c.Stats()
	t.Logf("%+v", s)
	if hot, tail := s.Shelves[0], s.Shelves[1]; hot.Evicted+hot.Rejected == 0 || tail.Evicted == 0 || tail.TooLarge == 0 {
		t.Errorf("the test did not do what it is for: %+v", s)
	}
}

func TestTooLargeAnswerIsServed(t *testing.T) {
	size := 1 << 10
	o := &fakeOrigin{shape: func(e *Entry) { e.Variants[0].Body = zeros[:size:size] }}
	c := newCache(t, o, Options{Bytes: 1 << 20, Fresh: 1})
	get(t, c, "list", Miss, "1")
	size = 1 << 20
	for n := range int64(3) {
		e := get(t, c, "list", Miss, strconv.FormatInt(n+2, 10))
		if len(e.Variants) != 1 || len(e.Variants[0].Body) != size {
			t.Error("not the whole answer")
		}
		if got := c.tail.tooLarge.Load(); got != n+1 {
			t.Errorf("%d counted as too large, want %d", got, n+1)
		}
		if c.tail.entries.Load() != 0 { // nor the small one before it
			t.Error("something was stored")
		}
	}
	checkShelves(t, c)
}

func TestLargestEntry(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{Bytes: 1 << 20})
	for over := range int64(2) {
		e := answer("list", 0)
		e.Variants[0].Body = zeros[: 0 : c.tail.budget/largestShare+over-e.Cost()]
		c.store(e)
		if got := 1 - c.tail.entries.Load(); got != over || c.tail.tooLarge.Load() != over {
			t.Errorf("%d bytes over the limit: %+v", over, c.Stats().Shelves[1])
		}
	}
}

func TestPromotionDoesNotBringBackAnOldEntry(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{Fresh: time.Hour})
	for i := range 2000 {
		k := key("list", i)
		c.store(stamped(answer(k, 100), "old"))
		var wg sync.WaitGroup
		wg.Go(func() { c.promote(k) })
		wg.Go(func() { c.store(stamped(answer(k, i%200), "new")) })
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
		o := &fakeOrigin{}
		c := newCache(t, o, Options{Bytes: 1 << 20, Fresh: 1, Grace: time.Hour})
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
					fill, _ := strconv.Atoi(e.Generation)
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
	o := &fakeOrigin{size: 1 << 10}
	c := newCache(t, o, Options{Bytes: 1 << 20, Fresh: time.Hour})
	var budgets int64
	for i, name := range []string{"hot", "tail", "absent"} {
		s := c.Stats().Shelves[i]
		budgets += s.Budget
		if want := (ShelfStats{Name: name, Budget: s.Budget}); s != want {
			t.Errorf("empty: %+v, want %+v", s, want)
		}
	}
	if budgets > 1<<20 || budgets < 1<<20-3 {
		t.Errorf("the budgets' sum is %d", budgets)
	}
	e := get(t, c, "list", Miss, "1")
	tail := c.Stats().Shelves[1]
	if tail.Entries != 1 || tail.Bytes != e.Cost() {
		t.Errorf("with one entry: %+v", tail)
	}
	ask(t, c, "cold", 1000, always(1))
	tail = c.Stats().Shelves[1]
	if tail.Evicted+tail.Rejected != 1+1000-tail.Entries || tail.TooLarge != 0 || tail.Dropped != 0 {
		t.Errorf("full: %+v", tail)
	}
}

func TestTwoKeysWithOneHash(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	other := stamped(answer("other", 1), "0")
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
