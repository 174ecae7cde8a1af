package cache

import (
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache/shelf"
)

// checkShelves checks that each shelf's count of entries is right and within its
// budget, and that each slot is in the index and on one shelf.
func checkShelves(t testing.TB, c *Cache) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.consistent(); err != nil {
		t.Error(err)
	}
}

// consistent returns the first contradiction in the bookkeeping. The caller holds
// c.mu.
func (c *Cache) consistent() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	var total int64
	kept := 0
	for at := shelf.Warm; at <= shelf.Season; at++ {
		slots := c.shelves.Items(at)
		var bytes int64
		for _, s := range slots {
			v := s.Served()
			if v == nil || s.Place() != at || c.index.Get(s.Key) != s || v.Key != s.Key {
				wrong("%s: the slot of %s is not in order", at, s.Key)
				continue
			}
			if v.Cost() != v.Entry.Cost() {
				wrong("%s: %s is charged %d bytes, and takes %d", at, s.Key, v.Cost(), v.Entry.Cost())
			}
			bytes += v.Cost()
		}
		if has, budget := c.shelves.Bytes(at), c.shelves.Budget(at); bytes != has || bytes > budget {
			wrong("%s: counts %d bytes, holds %d, budget %d", at, has, bytes, budget)
		}
		total += bytes
		kept += len(slots)
	}
	if total > c.opts.Bytes {
		wrong("%d bytes in all, %d over the budget", total, total-c.opts.Bytes)
	}
	for _, s := range c.index.All() {
		key := s.Key
		switch served, next := s.Served(), s.Next(); {
		case served == nil && next == nil:
			wrong("%s has a slot and no version", key)
		case (served == nil) != (s.Place() == shelf.Nowhere):
			wrong("%s is in %q", key, s.Place())
		case next != nil:
			if _, ok := c.prepared.Slots[s]; !ok {
				wrong("%s has a next version that no preparation knows", key)
			}
		}
		if s.Served() == nil {
			kept++
		}
	}
	if kept != len(c.index.All()) {
		wrong("%d slots in the index, %d on the shelves", len(c.index.All()), kept)
	}
	return errors.Join(errs...)
}

// ask requests each key the given number of times.
func ask(t testing.TB, c *Cache, kind string, keys int, times func(n int) int) {
	t.Helper()
	for n := range keys {
		for range times(n) {
			if _, _, err := c.lookup(key(kind, n)); err != nil {
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
		_, outcome, err := c.lookup(key(kind, n))
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
	if c.entries(shelf.Tail) != 1 || c.entries(shelf.Hot) != 0 {
		t.Error("not on the tail shelf before it was asked for often")
	}
	get(t, c, key("list", 0), Hit, "1")
	if c.entries(shelf.Tail) != 0 || c.entries(shelf.Hot) != 1 {
		t.Error("not on the hot shelf after it was asked for often")
	}
	get(t, c, key("list", 0), Hit, "1")
	checkShelves(t, c)
}

// A refresh halves an entry's request count: a page that visitors request is promoted
// in spite of refreshes, a page that a crawler requests is not.
func TestRefreshedEntryIsPromotedToo(t *testing.T) {
	for asked, want := range map[int]int64{1: 0, promoteAfter - 1: 1} {
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
			if c.entries(shelf.Hot) != want {
				t.Errorf("asked for %d times between refreshes: %d on the hot shelf", asked, c.entries(shelf.Hot))
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
			want   shelf.Place
		}{{200, shelf.Tail}, {404, shelf.Absent}, {200, shelf.Tail}, {422, shelf.Absent}, {404, shelf.Absent}} {
			status = tt.status
			c.Publish(o.moveTo(strconv.Itoa(i+2)), nil)
			c.lookup("list")
			synctest.Wait()
			for at := shelf.Warm; at <= shelf.Season; at++ {
				if got := c.entries(at) == 1; got != (at == tt.want) {
					t.Errorf("status %d: on shelf %q: %t", tt.status, at, got)
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

// A crawl of cold pages evicts neither the warm set, which may not have been requested yet,
// nor lists that are requested often.
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
	// No entry is ever fresh: each request refreshes its entry.
	never := fakeGeneration{"never", map[string]string{"list": "none"}}
	c := newCache(t, o, Options{Bytes: 1 << 19})
	publish := func(rounds int) {
		for n := range rounds {
			var set []string
			for i := range lists / 2 {
				set = append(set, key("list", n+i))
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
					if e, outcome, err := c.lookup(k); e == nil || outcome == StaleError || err != nil {
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
		t.Errorf("the test missed its case: %+v", s)
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
			if got := c.Stats().Shelves[2].TooLarge; got != n {
				t.Errorf("%d counted as too large, want %d", got, n)
			}
			if c.entries(shelf.Tail) != 0 { // nor the small entry before it
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
		e.Variants[0].Body = zeros[: 0 : c.shelves.Budget(shelf.Tail)/largestShare+over-e.Cost()]
		c.storeEntry(e)
		if got := 1 - c.entries(shelf.Tail); got != over || c.Stats().Shelves[2].TooLarge != over {
			t.Errorf("%d bytes over the limit: %+v", over, c.Stats().Shelves[2])
		}
	}
}

func TestPromotionDoesNotBringBackAnOldEntry(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	for i := range 2000 {
		k := key("list", i)
		c.storeEntry(numbered(answer(k, 100), "old"))
		var wg sync.WaitGroup
		wg.Go(func() { c.promote(c.index.Get(k)) })
		wg.Go(func() { c.storeEntry(numbered(answer(k, i%200), "new")) })
		wg.Wait()
		get(t, c, k, Hit, "new")
	}
	checkShelves(t, c)
}

// Readers of entries that are constantly promoted and refreshed never get an older
// version than before.
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
					e, _, err := c.lookup(k)
					if err != nil {
						t.Error(err)
						return
					}
					fill, _ := strconv.Atoi(string(e.Variants[0].ETag))
					if fill < last {
						t.Errorf("the entry of fill %d after the entry of fill %d", fill, last)
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
		if warm := s.Shelves[0]; warm.Entries != 3 || warm.Bytes != 3*c.sight(key("dated", 0)).Entry.Cost() {
			t.Errorf("with a warm set: %+v", warm)
		}
		time.Sleep(time.Second)
		c.outage.Down(errDown)
		c.Publish(o.moveTo("2"), nil) // dated entries are still fresh
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

// An entry that the policy drops is returned to its request and not kept.
func TestDroppedWrite(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	get(t, c, "list", Miss, "1")
	c.shelves.Close()
	for fill := 2; fill < 4; fill++ {
		get(t, c, "page", Miss, strconv.Itoa(fill))
	}
	s := c.Stats().Shelves[2]
	if s.Dropped != 2 || s.Entries != 1 || s.Bytes != c.sight("list").Entry.Cost() {
		t.Errorf("%+v", s)
	}
	where(t, c, "page", "")
}

// The shelves get the room that the warm set does not use, and give it back by
// evicting the least requested entries first.
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
	if warm := c.Stats().Shelves[0].Bytes; warm < 400<<10 {
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

// A promotion evicts nothing: a slot that finds no room on the hot shelf stays in the tail,
// until it is requested much more often.
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
