package cache

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// outages are options for which errDown means an outage.
var outages = Options{IsDown: func(err error) bool { return errors.Is(err, errDown) }}

func TestOutage(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, outages, func(t *testing.T, c *Cache) {
		if since, cause := c.outage.Since(); !since.IsZero() || cause != nil || !c.outage.Confirmed().IsZero() {
			t.Errorf("at first: down since %v, %v, confirmed %v", since, cause, c.outage.Confirmed())
		}
		publish(t, c, o.generation(), "warm")
		get(t, c, "dated", Miss, "2")
		get(t, c, "list", Miss, "3")
		c.Publish(o.moveTo("2", "list"), []string{"warm"})
		fills := o.calls.Load()

		o.gate = make(chan struct{})
		start := time.Now()
		var waiters sync.WaitGroup
		for i := range 20 { // more than the limit of concurrent fills
			waiters.Go(func() { fails(t, c, key("cold", i), ErrDown) })
			waiters.Go(func() { fails(t, c, key("cold", i), errDown) })
		}
		synctest.Wait()
		c.outage.Down(errDown)
		waiters.Wait()
		time.Sleep(time.Second)
		c.outage.Down(errFails)
		if since, cause := c.outage.Since(); !since.Equal(start) || cause != errDown {
			t.Errorf("down since %v, want %v, cause %v", since, start, cause)
		}
		fails(t, c, "new", ErrDown)
		fails(t, c, "new", errDown)
		for range promoteAfter {
			for _, key := range []string{"warm", "dated", "list"} {
				if e, outcome, err := c.lookup(key); e == nil || outcome != StaleError || err != nil {
					t.Errorf("%s: %s, %v", key, outcome, err)
				}
			}
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v for an origin that is down", waited-time.Second)
		}
		close(o.gate)
		synctest.Wait()
		calls(t, o, fills+8) // only fills that had a turn ran; they ended with the outage

		c.outage.Up()
		if since, cause := c.outage.Since(); !since.IsZero() || cause != nil || !c.outage.Confirmed().Equal(time.Now()) {
			t.Errorf("up again: down since %v, %v, confirmed %v", since, cause, c.outage.Confirmed())
		}
		for _, key := range []string{"dated", "list"} {
			if _, outcome, _ := c.lookup(key); outcome != Hit {
				t.Errorf("%s: %s after the outage", key, outcome)
			}
		}
		synctest.Wait()
		calls(t, o, fills+8)
		get(t, c, "warm", Stale, "1")
		synctest.Wait()
		get(t, c, "warm", Hit, strconv.FormatInt(fills+9, 10))
		get(t, c, "new", Miss, strconv.FormatInt(fills+10, 10))
	})
}

// A fill of any kind that finds the origin down reports the outage, which ends the
// wait of all requests.
func TestFillRaisesTheAlarm(t *testing.T) {
	tests := map[string]func(*testing.T, *Cache, *fakeOrigin){
		"request": func(t *testing.T, c *Cache, _ *fakeOrigin) { fails(t, c, "list", errDown) },
		"refresh": func(t *testing.T, c *Cache, o *fakeOrigin) {
			c.Publish(o.moveTo("2"), nil)
			get(t, c, "old", Stale, "1")
			synctest.Wait()
		},
		"prepare": func(t *testing.T, c *Cache, o *fakeOrigin) {
			set := c.Prepare(t.Context(), o.generation(), keys("list", 10), func(Warmed) {})
			for i, w := range set {
				if w.Entry != nil || w.Filled || i > warmFills && !errors.Is(w.Err, ErrDown) {
					t.Errorf("%+v", w)
				}
			}
		},
	}
	for name, find := range tests {
		t.Run(name, func(t *testing.T) {
			o := &fakeOrigin{}
			bubble(t, o, outages, func(t *testing.T, c *Cache) {
				get(t, c, "old", Miss, "1")
				o.script = []error{errFails}
				fails(t, c, "list", errFails)
				if _, cause := c.outage.Since(); cause != nil {
					t.Errorf("an alarm for %v", cause)
				}
				o.gate = make(chan struct{})
				start := time.Now()
				var waiter sync.WaitGroup
				waiter.Go(func() { fails(t, c, "slow", ErrDown) })
				synctest.Wait()
				o.gate = nil
				o.script = []error{errDown, errDown, errDown, errDown}
				find(t, c, o)
				waiter.Wait()
				if since, cause := c.outage.Since(); !since.Equal(start) || !errors.Is(cause, errDown) {
					t.Errorf("down since %v, %v", since, cause)
				}
				e, outcome, err := c.lookup("old")
				if e == nil || outcome != StaleError || err != nil {
					t.Errorf("%s, %v", outcome, err)
				}
			})
		})
	}
}

// A fill ends with the era that it began in: its turn is free again, and its error
// does not report another outage.
func TestFillEndsWithTheOutage(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	opts := outages
	opts.Fills, opts.FillTimeout = 1, time.Hour
	bubble(t, o, opts, func(t *testing.T, c *Cache) {
		var waiter sync.WaitGroup
		waiter.Go(func() { fails(t, c, "dead", ErrDown) })
		synctest.Wait()
		c.outage.Down(errDown)
		waiter.Wait()
		synctest.Wait()
		if s := c.Stats(); s.Filling != 0 {
			t.Errorf("%d fills keep their turn", s.Filling)
		}
		c.outage.Up()
		o.gate = nil
		start := time.Now()
		get(t, c, "list", Miss, "2")
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v for a turn", waited)
		}
	})
}

// A fill that ignores the end of its context does not report an outage that is already
// over.
func TestLateErrorRaisesNoSecondOutage(t *testing.T) {
	o := &fakeOrigin{gate: gated, deaf: true, script: []error{errDown}}
	bubble(t, o, outages, func(t *testing.T, c *Cache) {
		var waiter sync.WaitGroup
		waiter.Go(func() { fails(t, c, "dead", ErrDown) })
		synctest.Wait()
		c.outage.Down(errFails)
		c.outage.Up()
		close(o.gate)
		waiter.Wait()
		synctest.Wait()
		if since, cause := c.outage.Since(); cause != nil {
			t.Errorf("down since %v: %v", since, cause)
		}
		if s := c.Stats(); s.Failures != 1 || s.Filling != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A fill that was cancelled by its owner or by Close reports no outage, with any error.
func TestCancelledFillRaisesNoAlarm(t *testing.T) {
	for name, stop := range map[string]func(*Cache, context.CancelFunc){
		"by its owner": func(_ *Cache, cancel context.CancelFunc) { cancel() },
		"by Close":     func(c *Cache, _ context.CancelFunc) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			o := &fakeOrigin{gate: gated}
			opts := outages
			opts.IsDown = func(error) bool { return true }
			bubble(t, o, opts, func(t *testing.T, c *Cache) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var prepared sync.WaitGroup
				prepared.Go(func() { c.Prepare(ctx, o.generation(), []string{"list"}, func(Warmed) {}) })
				synctest.Wait()
				stop(c, cancel)
				prepared.Wait()
				if _, cause := c.outage.Since(); cause != nil {
					t.Errorf("an outage: %v", cause)
				}
			})
		})
	}
}

func TestUpAndDownDuringRequests(t *testing.T) {
	o := &fakeOrigin{}
	c := newCache(t, o, outages)
	publish(t, c, o.generation(), "warm")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 1000 {
				c.outage.Down(errDown)
				if _, cause := c.outage.Since(); cause != nil && cause != errDown {
					t.Error(cause)
				}
				c.outage.Up()
			}
		})
		wg.Go(func() {
			for n := range 1000 {
				if e, outcome, err := c.lookup("warm"); e == nil || outcome != Hit && outcome != StaleError || err != nil {
					t.Error(outcome, err)
				}
				k := key("cold"+strconv.Itoa(i), n)
				if _, outcome, err := c.lookup(k); outcome != Miss && !errors.Is(err, ErrDown) {
					t.Error(outcome, err)
				}
			}
		})
	}
	wg.Wait()
	c.outage.Up()
	get(t, c, "warm", Hit, "1")
	if _, _, err := c.lookup("cold"); err != nil {
		t.Error(err)
	}
}

// Refreshes take at most half of the turns, so that fills that requests wait for find
// one.
func TestConcurrentRefreshesAreLimited(t *testing.T) {
	const lists = 5
	for fills, most := range map[int]int64{1: 1, 4: 2, 5: 2} {
		o := &fakeOrigin{}
		bubble(t, o, Options{Fills: fills}, func(t *testing.T, c *Cache) {
			ask(t, c, "list", lists, always(1))
			c.Publish(o.moveTo("2"), nil)
			o.gate = make(chan struct{})
			for round := range 3 {
				for n := range lists {
					get(t, c, key("list", n), Stale, strconv.Itoa(n+1))
				}
				synctest.Wait()
				if now := o.now.Load(); now != most {
					t.Errorf("round %d: %d concurrent refreshes, want %d of %d fills", round, now, most, fills)
				}
			}
			if fills > 1 {
				gate := o.gate
				o.gate = nil
				get(t, c, "cold", Miss, strconv.FormatInt(o.calls.Load()+1, 10))
				o.gate = gate
			}
			close(o.gate)
			synctest.Wait()
			for range lists { // a key whose refresh was skipped is refreshed by a later request
				for n := range lists {
					c.lookup(key("list", n))
				}
				synctest.Wait()
			}
			before := o.calls.Load()
			if left := hits(t, c, "list", lists); left != lists || o.calls.Load() != before {
				t.Errorf("%d of %d were refreshed", left, lists)
			}
			if s := c.Stats(); s.Refreshes != lists {
				t.Errorf("%d refreshes, want one each", s.Refreshes)
			}
		})
	}
}

// Concurrent requests for one stale key begin a single refresh, so that other keys can
// be refreshed too.
func TestOneRefreshForAKey(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, Options{Fills: 4}, func(t *testing.T, c *Cache) {
		ask(t, c, "list", 2, always(1))
		c.Publish(o.moveTo("2"), nil)
		o.gate = make(chan struct{})
		for range 5 {
			c.lookup("list?0")
			synctest.Wait()
			// A purge begins another flight, which the key's refresh does not.
			c.Purge(func(e *Entry) bool { return e.Key == "nothing" }, false)
		}
		c.lookup("list?1")
		synctest.Wait()
		if now := o.now.Load(); now != 2 {
			t.Errorf("%d refreshes, want one for each key", now)
		}
		close(o.gate)
	})
}

// A refresh that ends with an outage does not count as a failure of its key: the key
// is refreshed immediately when the origin is back.
func TestRefreshThatAnOutageEnds(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, outages, func(t *testing.T, c *Cache) {
		get(t, c, "list", Miss, "1")
		g := o.moveTo("2")
		c.Publish(g, nil)
		o.gate = make(chan struct{})
		get(t, c, "list", Stale, "1")
		var set []Warmed
		go func() { set = c.Prepare(t.Context(), g, []string{"team"}, func(Warmed) {}) }()
		synctest.Wait()
		c.outage.Down(errDown)
		synctest.Wait()
		if err := set[0].Err; !errors.Is(err, ErrDown) || !errors.Is(err, errDown) {
			t.Errorf("the preparation ends with %v", err)
		}
		c.outage.Up()
		o.gate = nil
		get(t, c, "list", Stale, "1")
		synctest.Wait()
		get(t, c, "list", Hit, "4")
	})
}

func TestCloseCancelsPrepare(t *testing.T) {
	o := &fakeOrigin{gate: gated}
	bubble(t, o, times, func(t *testing.T, c *Cache) {
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, w := range c.Prepare(context.Background(), o.generation(), keys("list", 10), func(Warmed) {}) {
				if !errors.Is(w.Err, context.Canceled) {
					t.Errorf("%+v", w)
				}
			}
		})
		synctest.Wait()
		c.Close()
		wg.Wait()
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v", waited)
		}
		calls(t, o, warmFills)
	})
}

// Close returns once a fill that has its answer has stored the answer, although no
// request waits for the fill any more.
func TestCloseWaitsForStores(t *testing.T) {
	o := &fakeOrigin{}
	bubble(t, o, outages, func(t *testing.T, c *Cache) {
		storing := make(chan struct{})
		c.opts.Absent = func(*Content) bool { <-storing; return false }
		var request, closing sync.WaitGroup
		request.Go(func() { fails(t, c, "list", ErrDown) })
		synctest.Wait()
		c.outage.Down(errDown)
		request.Wait()
		closed := false
		closing.Go(func() { c.Close(); closed = true })
		synctest.Wait()
		if closed {
			t.Error("Close did not wait")
		}
		close(storing)
		closing.Wait()
		if s := c.sight("list"); s.Entry == nil {
			t.Error("not stored")
		}
	})
}

// A panic in a function of the owner fails the fill of its key and frees the turn. It
// does not end the process, whose goroutines fill without a request.
func TestPanicInAFunctionOfTheOwner(t *testing.T) {
	for name, change := range map[string]func(*fakeOrigin, *Options){
		"lane":  func(_ *fakeOrigin, opts *Options) { opts.Lane = func(string) (Lane, string) { panic("no lane") } },
		"fill":  func(o *fakeOrigin, _ *Options) { o.script = []error{errPanic, errPanic} },
		"check": func(_ *fakeOrigin, opts *Options) { opts.Check = func(*Content) error { panic("no check") } },
	} {
		t.Run(name, func(t *testing.T) {
			o := &fakeOrigin{size: 10}
			opts := Options{Fills: 1}
			change(o, &opts)
			c := newCache(t, o, opts)
			set := c.Prepare(t.Context(), o.generation(), []string{"a", "b"}, func(Warmed) {})
			for _, w := range set {
				if w.Entry != nil || w.Err == nil {
					t.Errorf("%+v", w)
				}
			}
			if s := c.Stats(); s.Panics != 2 || s.Failures != 2 {
				t.Errorf("%d panics, %d failures", s.Panics, s.Failures)
			}
			if c.reading() {
				t.Error("a read is under way for ever")
			}
		})
	}
}
