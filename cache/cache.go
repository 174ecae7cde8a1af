// Package cache keeps answers by key in bounded memory and fetches each missing
// one once, however many ask for it. What an answer is and where it comes from
// is the business of the fill that the owner gives it.
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

// ErrWait is returned to a request that waited for a fill as long as it may.
// The fill goes on, and its answer is stored.
var ErrWait = errors.New("still waiting for the answer")

// Fill loads the answer that key names. It runs on a context of the cache's
// own with the fill's deadline, at most Options.Fills at once, never twice at
// once for one key. An error is not stored.
type Fill func(ctx context.Context, key string) (*Entry, error)

// Options say how much a Cache may use. Fill is required.
type Options struct {
	Fill Fill
	// Bytes is the budget of all entries; zero means 64 MiB.
	Bytes int64
	// Fresh is how long an entry counts as fresh, and Grace how long after that
	// it is served while it is refreshed; zero means a minute and a day.
	Fresh, Grace time.Duration
	// FillTimeout bounds a fill, and WaitTimeout a request's wait for one; zero
	// means 20 s and 15 s.
	FillTimeout, WaitTimeout time.Duration
	// Fills is the most fills at once; zero means 8.
	Fills int
	// Logger takes failures that no request sees; nil discards them.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	defaults(&o.Bytes, 64<<20)
	defaults(&o.Fresh, time.Minute)
	defaults(&o.Grace, 24*time.Hour)
	defaults(&o.FillTimeout, 20*time.Second)
	defaults(&o.WaitTimeout, 15*time.Second)
	defaults(&o.Fills, 8)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func defaults[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}

// Shares of the budget, in percent.
const (
	hotShare    = 65
	tailShare   = 30
	absentShare = 100 - hotShare - tailShare
)

const (
	// promoteAfter is how many requests an entry answers on the tail shelf
	// before it moves to the hot one. A crawl asks for each page once or twice.
	promoteAfter = 4
	// retryAfter is how long an entry whose refresh failed is left alone.
	retryAfter = 5 * time.Second
)

// Cache keeps entries on three shelves: hot for those asked for again and
// again, tail for all others, absent for answers that say there is nothing.
// It is safe for concurrent use.
type Cache struct {
	opts              Options
	hot, tail, absent *shelf

	flights singleflight.Group
	slots   chan struct{} // one for each fill that may run
	running sync.WaitGroup
	stop    context.CancelFunc
	ctx     context.Context

	// writes keeps a promotion and a store of one key apart: the one could
	// otherwise put back what the other has just replaced.
	writes sync.Mutex

	fills, failures, waiting atomic.Int64
	refreshes, panics        atomic.Int64
}

// New returns an empty Cache.
func New(opts Options) (*Cache, error) {
	if opts.Fill == nil {
		return nil, errors.New("cache: Options.Fill is missing")
	}
	c := &Cache{opts: opts.withDefaults()}
	c.slots = make(chan struct{}, c.opts.Fills)
	c.ctx, c.stop = context.WithCancel(context.Background())
	for _, s := range []struct {
		shelf **shelf
		name  string
		share int64
	}{{&c.hot, "hot", hotShare}, {&c.tail, "tail", tailShare}, {&c.absent, "absent", absentShare}} {
		made, err := newShelf(s.name, c.opts.Bytes*s.share/100)
		if err != nil {
			return nil, fmt.Errorf("cache: %s shelf: %w", s.name, err)
		}
		*s.shelf = made
	}
	return c, nil
}

// Close cancels the fills under way and waits for them. Entries can still be
// read after it.
func (c *Cache) Close() {
	c.stop()
	c.running.Wait()
}

// Get returns the answer that key names: from the cache if it can, otherwise
// by a fill that all who ask meanwhile share. The outcome says which.
func (c *Cache) Get(key string) (*Entry, Outcome, error) {
	found := c.find(key)
	if found == nil {
		return c.wait(key, nil)
	}
	now := time.Now()
	switch c.state(found.entry, now) {
	case Fresh:
		return found.entry, Hit, nil
	case Expired:
		return c.wait(key, found)
	}
	if found.failing(now) {
		return found.entry, StaleError, nil
	}
	c.refresh(key, found)
	return found.entry, Stale, nil
}

// find looks on all shelves, and moves what is asked for often to the hot one.
func (c *Cache) find(key string) *slot {
	if s := c.hot.get(key); s != nil {
		return s
	}
	if s := c.tail.get(key); s != nil {
		if s.asked.Add(1)%promoteAfter == 0 {
			c.promote(key)
		}
		return s
	}
	return c.absent.get(key)
}

// promote moves an entry to the hot shelf, if there is room for it.
func (c *Cache) promote(key string) {
	c.writes.Lock()
	defer c.writes.Unlock()
	if s := c.tail.get(key); s != nil && c.hot.put(s.entry) {
		c.tail.remove(key)
	}
}

func (c *Cache) state(e *Entry, now time.Time) State {
	switch age := now.Sub(e.Filled); {
	case age < c.opts.Fresh:
		return Fresh
	case age < c.opts.Fresh+c.opts.Grace:
		return Grace
	}
	return Expired
}

// wait joins or begins the fill of key. old is what to serve if that fails.
func (c *Cache) wait(key string, old *slot) (*Entry, Outcome, error) {
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	began := false
	flight := c.flights.DoChan(key, func() (any, error) {
		// Another flight may have ended since the lookup that led here.
		if s := c.find(key); s != nil && c.state(s.entry, time.Now()) == Fresh {
			return s.entry, nil
		}
		began = true
		return c.fill(key)
	})
	timer := time.NewTimer(c.opts.WaitTimeout)
	defer timer.Stop()
	var err error
	select {
	case r := <-flight:
		if r.Err == nil && began {
			return r.Val.(*Entry), Miss, nil
		}
		if r.Err == nil {
			return r.Val.(*Entry), Coalesced, nil
		}
		err = r.Err
	case <-timer.C:
		err = ErrWait
	}
	if old != nil {
		return old.entry, StaleError, nil
	}
	return nil, Error, err
}

// refresh begins a fill of key that nobody waits for, unless one is under way.
func (c *Cache) refresh(key string, old *slot) {
	if !old.refreshing.CompareAndSwap(false, true) {
		return
	}
	c.refreshes.Add(1)
	c.running.Go(func() {
		defer old.refreshing.Store(false)
		if _, err, _ := c.flights.Do(key, func() (any, error) { return c.fill(key) }); err != nil {
			old.failedUntil.Store(time.Now().Add(retryAfter).UnixNano())
			c.opts.Logger.Warn("refresh failed, serving the stale entry", "key", key, "error", err)
		}
	})
}

// fill runs inside the flight of key: it waits for its turn, loads the answer
// and stores it.
func (c *Cache) fill(key string) (entry *Entry, err error) {
	c.running.Add(1)
	defer c.running.Done()
	// A panic in a flight would otherwise end the process.
	defer func() {
		if p := recover(); p != nil {
			c.panics.Add(1)
			c.failures.Add(1)
			c.opts.Logger.Error("panic in a fill", "key", key, "panic", p, "stack", string(debug.Stack()))
			entry, err = nil, fmt.Errorf("fill of %s: panic: %v", key, p)
		}
	}()
	ctx, cancel := context.WithTimeout(c.ctx, c.opts.FillTimeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		c.failures.Add(1)
		return nil, ctx.Err()
	}
	start := time.Now()
	c.fills.Add(1)
	if entry, err = c.opts.Fill(ctx, key); err != nil {
		c.failures.Add(1)
		return nil, err
	}
	entry.Key, entry.Filled = key, time.Now()
	entry.Took = entry.Filled.Sub(start)
	c.store(entry)
	return entry, nil
}

// store puts an entry on the shelf it belongs on, in place of an older one.
func (c *Cache) store(e *Entry) {
	c.writes.Lock()
	defer c.writes.Unlock()
	belongs := c.tail
	switch {
	case e.Status != 200:
		belongs = c.absent
	case c.hot.get(e.Key) != nil:
		belongs = c.hot
	}
	for _, s := range []*shelf{c.hot, c.tail, c.absent} {
		if s != belongs && s.get(e.Key) != nil {
			s.remove(e.Key)
		}
	}
	belongs.put(e)
}
