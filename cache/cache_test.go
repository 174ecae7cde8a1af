package cache

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// times holds the default timeouts of a Cache.
var times = Options{FillTimeout: 20 * time.Second, WaitTimeout: 15 * time.Second}

// instant is the distance from a time limit at which tests check both sides of it.
const instant = time.Nanosecond

func TestNew(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("no error without a Fill")
	}
	if _, err := New(Options{Fill: new(fakeOrigin).fill, Bytes: 1}); err == nil {
		t.Error("no error with a budget too small for the shelves")
	}
	c := newCache(t, &fakeOrigin{}, Options{})
	if o := c.opts; o.Bytes != 64<<20 || o.FillTimeout != 20*time.Second ||
		o.WaitTimeout != 15*time.Second || o.Fills != 8 || o.IsDown(errDown) || o.Logger == nil {
		t.Errorf("other defaults than the comments name: %+v", o)
	}
}

// Zero options have the documented defaults.
func TestDefaults(t *testing.T) {
	o := Options{}.withDefaults()
	if o.Check(&Content{}) != nil || o.Absent(&Content{}) || o.IsDown(errDown) || o.FillsWhileDown("list") {
		t.Error("a function that is left out does something")
	}
	if o.DownAge != time.Minute || o.Logger == nil || o.Outage == nil {
		t.Errorf("%+v", o)
	}
	o.OnPurge()
	NewOutage(nil).Down(errDown) // no logger
	logger, outage := slog.New(slog.DiscardHandler), NewOutage(nil)
	if o := (Options{Logger: logger, Outage: outage}).withDefaults(); o.Logger != logger || o.Outage != outage {
		t.Error("the owner's logger and outage are replaced")
	}
}

// A cache with one fill at a time refreshes, too.
func TestOneFillAtATime(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	bubble(t, o, Options{Fills: 1}, func(t *testing.T, c *Cache) {
		var all sync.WaitGroup
		for _, key := range []string{"list", "team"} {
			all.Go(func() { c.lookup(key) })
		}
		synctest.Wait()
		if s := c.Stats(); s.Lanes[Quick] != (LaneStats{Running: 1, Queued: 1}) {
			t.Errorf("%+v", s.Lanes)
		}
		close(o.gate)
		all.Wait()
		if !c.fills.BeginRefresh() || c.fills.BeginRefresh() {
			t.Error("not one refresh at a time")
		}
		c.fills.EndRefresh()
	})
}

func TestReadersOfAColdKeyShareOneFill(t *testing.T) {
	const readers = 1000
	o := &fakeOrigin{gate: gated}
	bubble(t, o, Options{}, func(t *testing.T, c *Cache) {
		var outcomes [Outcomes]atomic.Int64
		entries := make([]*Entry, readers)
		var wg sync.WaitGroup
		for i := range entries {
			wg.Go(func() {
				e, outcome, err := c.lookup("cold")
				if err != nil {
					t.Error(err)
				}
				entries[i] = e
				outcomes[outcome].Add(1)
			})
		}
		synctest.Wait()
		if s := c.Stats(); s.Waiting != readers || s.Filling != 1 || s.Fills != 1 {
			t.Errorf("while it is filled: %+v", s)
		}
		close(o.gate)
		wg.Wait()
		calls(t, o, 1)
		if miss, coalesced := outcomes[Miss].Load(), outcomes[Coalesced].Load(); miss != 1 || coalesced != readers-1 {
			t.Errorf("%d misses and %d coalesced", miss, coalesced)
		}
		for _, e := range entries {
			if e != entries[0] {
				t.Fatal("not all got the same entry")
			}
		}
		if s := c.Stats(); s.Waiting != 0 || s.Filling != 0 || s.Fills != 1 || s.Failures != 0 {
			t.Errorf("after it was filled: %+v", s)
		}
	})
}

func TestKeysDoNotWaitForEachOther(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	bubble(t, o, Options{}, func(t *testing.T, c *Cache) {
		var wg sync.WaitGroup
		wg.Go(func() { get(t, c, "slow", Miss, "1") })
		synctest.Wait()
		gate := o.gate
		o.gate = nil
		get(t, c, "quick", Miss, "2")
		close(gate)
		wg.Wait()
	})
}

func TestFilledEntryIsThereImmediately(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	for i := range 2000 {
		k, fill := key("list", i), strconv.Itoa(i+1)
		get(t, c, k, Miss, fill)
		get(t, c, k, Hit, fill)
	}
}

func TestLastStoreWins(t *testing.T) {
	c := newCache(t, &fakeOrigin{}, Options{})
	for i := range 500 {
		k := key("list", i)
		for size := range 4 {
			c.storeEntry(numbered(answer(k, 100*(size*7%4)), strconv.Itoa(size))) // grows and shrinks
		}
		get(t, c, k, Hit, "3")
	}
}

// numbered sets the ETag of e to the number of a fill.
func numbered(e *Entry, fill string) *Entry {
	e.Variants[0].ETag = []byte(fill)
	return e
}

func TestBeforeTheFirstGeneration(t *testing.T) {
	o := &fakeOrigin{early: true}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		get(t, c, "list", Miss, "1")
		for fill := 1; fill < 4; fill++ {
			get(t, c, "list", Stale, strconv.Itoa(fill))
			synctest.Wait()
		}
		if g, at := c.Published(); g != nil || !at.IsZero() {
			t.Errorf("generation %v of %v", g, at)
		}
		before := numbered(answer("dated", 1), "saved")
		before.Generation = o.generation().state("dated")
		old := numbered(answer("team", 1), "old")
		old.Generation = "0"
		c.Adopt([]Saved{saved(before, true, false), saved(old, true, false)})
		c.Publish(o.generation(), []string{"dated", "team", "none"})
		get(t, c, "list", Hit, "4")
		get(t, c, "dated", Hit, "saved")
		get(t, c, "team", Stale, "old")
		synctest.Wait()
		get(t, c, "team", Hit, "5")
		calls(t, o, 5)
	})
}

// After a publish only keys whose data has changed are filled again, once each, on every
// shelf.
func TestNewGeneration(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		publish(t, c, o.generation(), "warm")
		for _, k := range []string{"list", "team", "dated"} {
			c.lookup(k)
		}
		ask(t, c, "hot", 1, always(2*promoteAfter))
		fills := o.calls.Load()
		for generation := range 5 {
			c.Publish(o.moveTo(strconv.Itoa(generation+2), "team"), []string{"warm"})
			for _, k := range []string{"team", "dated"} {
				if _, outcome, _ := c.lookup(k); outcome != Hit {
					t.Errorf("%s: %s", k, outcome)
				}
			}
			synctest.Wait()
			calls(t, o, fills)
			for _, k := range []string{"list", "hot?0", "warm"} {
				for _, want := range []Outcome{Stale, Hit, Hit} {
					if _, outcome, _ := c.lookup(k); outcome != want {
						t.Errorf("%s: %s, want %s", k, outcome, want)
					}
					synctest.Wait()
				}
			}
			where(t, c, "warm", "warm")
			where(t, c, "hot?0", "hot")
			fills += 3
			calls(t, o, fills)
		}
		if s := c.Stats(); s.Refreshes != 15 || s.Stale != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A stale entry is served during its refresh, and is refreshed once even if the
// requests meanwhile promote it.
func TestStaleEntryIsServedDuringItsOneRefresh(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		get(t, c, "list", Miss, "1")
		c.Publish(o.moveTo("2"), nil)
		o.gate = make(chan struct{})
		for range 5 * promoteAfter {
			get(t, c, "list", Stale, "1")
			synctest.Wait()
		}
		calls(t, o, 2)
		close(o.gate)
		synctest.Wait()
		get(t, c, "list", Hit, "2")
		calls(t, o, 2)
		if s := c.Stats(); s.Refreshes != 1 || s.Fills != 2 || s.Failures != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A reader that found the old entry just before its refresh ended does not begin
// another refresh.
func TestLateReaderDoesNotRefreshAgain(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		get(t, c, "list", Miss, "1")
		c.Publish(o.moveTo("2"), nil)
		late := c.find(&Ref{Key: "list"})
		get(t, c, "list", Stale, "1")
		synctest.Wait()
		c.refresh(late.now, late.slot)
		synctest.Wait()
		calls(t, o, 2)
		if s := c.Stats(); s.Refreshes != 1 {
			t.Errorf("%d refreshes", s.Refreshes)
		}
	})
}

func TestFailedRefreshIsTriedAgainLater(t *testing.T) {
	o := &fakeOrigin{script: []error{nil, errFails, errPanic}}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		get(t, c, "list", Miss, "1")
		c.Publish(o.moveTo("2"), nil)
		for fill := int64(2); fill <= 3; fill++ {
			get(t, c, "list", Stale, "1")
			synctest.Wait()
			for range 2 * promoteAfter { // a promotion does not forget the failure
				get(t, c, "list", StaleError, "1")
			}
			time.Sleep(retryAfter - instant)
			get(t, c, "list", StaleError, "1")
			synctest.Wait()
			calls(t, o, fill)
			time.Sleep(instant)
		}
		get(t, c, "list", Stale, "1")
		synctest.Wait()
		get(t, c, "list", Hit, "4")
		if s := c.Stats(); s.Refreshes != 3 || s.Fills != 4 || s.Failures != 2 || s.Panics != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestErrorIsNotStored(t *testing.T) {
	o := &fakeOrigin{script: []error{errFails, errFails}}
	c := newCache(t, o, Options{})
	fails(t, c, "list", errFails)
	fails(t, c, "list", errFails)
	get(t, c, "list", Miss, "3")
	if s := c.Stats(); s.Fills != 3 || s.Failures != 2 || s.Panics != 0 {
		t.Errorf("%+v", s)
	}
}

func TestPanicFreesAllWaiters(t *testing.T) {
	o := &fakeOrigin{gate: gated, script: []error{errPanic}}
	bubble(t, o, Options{}, func(t *testing.T, c *Cache) {
		var wg sync.WaitGroup
		var freed atomic.Int64
		for range 100 {
			wg.Go(func() {
				if e, outcome, err := c.lookup("list"); e == nil && outcome == Error && err != nil {
					freed.Add(1)
				}
			})
		}
		synctest.Wait()
		close(o.gate)
		start := time.Now()
		wg.Wait()
		if freed.Load() != 100 || time.Since(start) != 0 {
			t.Errorf("%d of 100 freed after %v", freed.Load(), time.Since(start))
		}
		if s := c.Stats(); s.Panics != 1 || s.Failures != 1 || s.Filling != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
		get(t, c, "list", Miss, "2")
	})
}

// An incomplete answer is an error on every path into the cache, and is never stored.
func TestUnfitAnswerIsNeverStored(t *testing.T) {
	body := []Variant{{Body: []byte("{}")}}
	refused := errors.New("refused by the owner")
	for name, content := range map[string]Content{
		"nothing":          {},
		"no status":        {Variants: body},
		"negative status":  {Status: -1, Variants: body},
		"negative size":    {Status: 200, Size: -1, Variants: body},
		"no variants":      {Status: 200},
		"no body":          {Status: 200, Variants: []Variant{{ETag: []byte("1")}, {Coding: "gzip"}}},
		"coding first":     {Status: 200, Variants: []Variant{{Coding: "gzip", Body: []byte("x")}}},
		"second identity":  {Status: 200, Variants: []Variant{body[0], body[0]}},
		"refused by Check": {Status: 302, Variants: body},
	} {
		t.Run(name, func(t *testing.T) {
			opts := times
			opts.Check = func(c *Content) error {
				if c.Status == 302 {
					return refused
				}
				return nil
			}
			variants := content.Variants
			if variants == nil {
				variants = []Variant{} // nil would leave the entry unchanged
			}
			opts.Recode = func(*Entry) []Variant { return variants }
			o := &fakeOrigin{shape: func(e *Entry) { e.Content = content }, early: true}
			bubble(t, o, opts, func(t *testing.T, c *Cache) {
				c.Adopt([]Saved{{Key: "adopted", Content: content, Warm: true}, {Content: answer("", 1).Content}})
				c.Publish(o.generation(), nil)
				fails(t, c, "filled", ErrUnfit)
				set := c.Prepare(t.Context(), o.generation(), []string{"warm"}, func(Warmed) {})
				if w := set[0]; w.Entry != nil || !errors.Is(w.Err, ErrUnfit) {
					t.Errorf("prepared: %+v", w)
				}
				c.Publish(o.generation(), keysOf(set))
				for _, key := range []string{"adopted", "filled", "warm", ""} {
					where(t, c, key, "")
				}
				if name == "refused by Check" {
					fails(t, c, "filled", refused)
				}
				if s := c.Stats(); s.Failures < 2 || s.Panics != 0 {
					t.Errorf("%+v", s)
				}
				if content.Status != 200 || content.Size != 0 {
					return // other variants do not change it
				}
				o.shape = nil
				good := get(t, c, "recoded", Miss, strconv.FormatInt(o.calls.Load()+1, 10))
				synctest.Wait()
				if e, outcome, _ := c.lookup("recoded"); e != good || outcome != Hit {
					t.Errorf("%s, and the variants %+v", outcome, e.Variants)
				}
			})
		})
	}
}

func TestWaitEndsBeforeTheFill(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		start := time.Now()
		fails(t, c, "list", ErrWait)
		if waited := time.Since(start); waited != times.WaitTimeout {
			t.Errorf("waited %v", waited)
		}
		if s := c.Stats(); s.Waiting != 0 || s.Filling != 1 {
			t.Errorf("%+v", s)
		}
		close(o.gate)
		synctest.Wait()
		e := get(t, c, "list", Hit, "1")
		if e.Took != times.WaitTimeout {
			t.Errorf("took %v", e.Took)
		}
	})
}

func TestFillIsCancelledAtItsDeadline(t *testing.T) {
	opts := times
	opts.WaitTimeout = time.Hour
	bubble(t, &fakeOrigin{gate: gated}, opts, func(t *testing.T, c *Cache) {
		start := time.Now()
		fails(t, c, "list", context.DeadlineExceeded)
		if took := time.Since(start); took != opts.FillTimeout {
			t.Errorf("took %v", took)
		}
	})
}

func TestConcurrentFillsAreLimited(t *testing.T) {
	const fills, keys = 3, 20
	o := &fakeOrigin{}
	opts := Options{Fills: fills}
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		o.shape = func(*Entry) { time.Sleep(time.Second) }
		var wg sync.WaitGroup
		for i := range keys {
			wg.Go(func() {
				if _, outcome, err := c.lookup(key("list", i)); outcome != Miss {
					t.Error(outcome, err)
				}
			})
		}
		wg.Wait()
		if most := o.most.Load(); most != fills {
			t.Errorf("%d concurrent fills, want %d", most, fills)
		}
		calls(t, o, keys)
	})
}

func TestFillWithoutATurn(t *testing.T) {
	o := &fakeOrigin{gate: gated, deaf: true}
	opts := times
	opts.Fills, opts.WaitTimeout = 1, time.Hour
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		var wg sync.WaitGroup
		wg.Go(func() { get(t, c, "slow", Miss, "1") })
		synctest.Wait()
		start := time.Now()
		fails(t, c, "list", context.DeadlineExceeded)
		if waited := time.Since(start); waited != opts.FillTimeout {
			t.Errorf("waited %v", waited)
		}
		calls(t, o, 1)
		if s := c.Stats(); s.Fills != 1 || s.Failures != 1 {
			t.Errorf("%+v", s)
		}
		close(o.gate)
		wg.Wait()
		get(t, c, "list", Miss, "2")
	})
}

func TestCloseCancelsFillsAndRefreshes(t *testing.T) {
	o := &fakeOrigin{}
	opts := times
	opts.Fills = 3
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		get(t, c, "old", Miss, "1")
		get(t, c, "new", Miss, "2")
		c.Publish(o.moveTo("2", "new"), nil)
		o.gate = make(chan struct{})
		get(t, c, "old", Stale, "1")
		var wg sync.WaitGroup
		for i := range 5 { // two get a turn, three wait for one
			wg.Go(func() { fails(t, c, key("cold", i), context.Canceled) })
		}
		synctest.Wait()
		c.Close()
		if s := c.Stats(); s.Filling != 0 || o.now.Load() != 0 {
			t.Errorf("after Close: %+v", s)
		}
		wg.Wait()
		before := o.calls.Load()
		fails(t, c, "cold", context.Canceled)
		get(t, c, "new", Hit, "2")
		c.Publish(o.moveTo("3"), nil)
		get(t, c, "new", Stale, "2")
		synctest.Wait()
		calls(t, o, before)
		c.Close()
	})
}

func TestCloseWaitsForFills(t *testing.T) {
	o := &fakeOrigin{gate: gated, deaf: true}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		var wg sync.WaitGroup
		wg.Go(func() { get(t, c, "slow", Miss, "1") })
		synctest.Wait()
		var closed atomic.Bool
		wg.Go(func() {
			c.Close()
			closed.Store(true)
		})
		synctest.Wait()
		if closed.Load() {
			t.Error("Close returned during a fill")
		}
		close(o.gate)
		wg.Wait()
		get(t, c, "slow", Hit, "1")
	})
}

func TestCloseDuringRequests(t *testing.T) {
	for range 50 {
		o := &fakeOrigin{early: true}
		c := newCache(t, o, Options{Bytes: 1 << 20})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 20 {
					if _, _, err := c.lookup(key("list", (i+j)%10)); err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				}
			})
		}
		c.Close()
		before := o.calls.Load()
		wg.Wait()
		calls(t, o, before)
	}
}
