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
	// Fresh is how long an entry counts as fresh; zero means a minute. Grace is
	// how long after that it is served while it is refreshed.
	Fresh, Grace time.Duration
	// FillTimeout bounds a fill, and WaitTimeout a request's wait for one; zero
	// means 20 s and 15 s.
	FillTimeout, WaitTimeout time.Duration
	// Fills is the most fills at once; zero means 8.
	Fills int
	// Recode returns another form of an entry that has just been stored, one
	// that takes too long to make while a request waits, or nil to leave it as
	// it is. It runs in the background, one entry at a time. May be nil.
	Recode func(*Entry) *Entry
	// Logger takes failures that no request sees; nil discards them.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	defaults(&o.Bytes, 64<<20)
	defaults(&o.Fresh, time.Minute)
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
	hotShare    = 50
	tailShare   = 45
	absentShare = 100 - hotShare - tailShare
)

const (
	// promoteAfter is how many requests an entry answers on the tail shelf
	// before it moves to the hot one. A crawl asks for each page once or twice.
	promoteAfter = 4
	// retryAfter is how long an entry whose fill failed is left alone.
	retryAfter = 5 * time.Second
	// recodeQueue is how many entries may wait to be recoded. One that finds no
	// place keeps the form that it has.
	recodeQueue = 256
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
	// closing keeps Close apart from what is about to begin: a WaitGroup must
	// not grow from zero while it is waited for.
	closing sync.Mutex

	// writes keeps a promotion, a store and a recoding of one key apart: the
	// one could otherwise put back what the other has just replaced.
	writes  sync.Mutex
	recodes chan *Entry

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
	c.recodes = make(chan *Entry, recodeQueue)
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
	if c.opts.Recode != nil {
		c.running.Go(c.recodeAll)
	}
	return c, nil
}

func (c *Cache) shelves() [3]*shelf { return [3]*shelf{c.hot, c.tail, c.absent} }

// Close cancels the fills under way and waits for them. Entries can still be
// read after it, but what is not there is not filled any more.
func (c *Cache) Close() {
	c.closing.Lock()
	c.stop()
	c.closing.Unlock()
	c.running.Wait()
}

// begin reports whether work may begin that Close has to wait for. If so,
// running.Done must follow.
func (c *Cache) begin() bool {
	c.closing.Lock()
	defer c.closing.Unlock()
	if c.ctx.Err() != nil {
		return false
	}
	c.running.Add(1)
	return true
}

// Get returns the answer that key names: from the cache if it can, otherwise
// by a fill that all who ask meanwhile share. The outcome says which.
func (c *Cache) Get(key string) (*Entry, Outcome, error) {
	found := c.find(key)
	if found == nil {
		return c.wait(key, nil)
	}
	now := time.Now()
	state := c.state(found.entry, now)
	switch {
	case state == Fresh:
		return found.entry, Hit, nil
	case found.failing(now):
		return found.entry, StaleError, nil
	case state == Expired:
		return c.wait(key, found)
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

// fresh returns the entry of key if it is fresh, without counting a request.
func (c *Cache) fresh(key string) *Entry {
	for _, shelf := range c.shelves() {
		if s := shelf.get(key); s != nil && c.state(s.entry, time.Now()) == Fresh {
			return s.entry
		}
	}
	return nil
}

// promote moves an entry to the hot shelf, if there is room for it.
func (c *Cache) promote(key string) {
	c.writes.Lock()
	defer c.writes.Unlock()
	if s := c.tail.get(key); s != nil && c.hot.put(s) {
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
		return c.load(key, func() { began = true })
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
		old.failed(time.Now())
		return old.entry, StaleError, nil
	}
	return nil, Error, err
}

// refresh begins a fill of key that nobody waits for, unless one is under way.
func (c *Cache) refresh(key string, old *slot) {
	if !old.refreshing.CompareAndSwap(false, true) {
		return
	}
	if !c.begin() {
		return
	}
	go func() {
		defer c.running.Done()
		defer old.refreshing.Store(false)
		_, err, _ := c.flights.Do(key, func() (any, error) {
			return c.load(key, func() { c.refreshes.Add(1) })
		})
		if err != nil {
			old.failed(time.Now())
			c.opts.Logger.Warn("refresh failed, serving the stale entry", "key", key, "error", err)
		}
	}()
}

// load runs inside the flight of key: it calls began and fills, unless another
// flight ended with a fresh entry after the lookup that led here.
func (c *Cache) load(key string, began func()) (*Entry, error) {
	if e := c.fresh(key); e != nil {
		return e, nil
	}
	began()
	return c.fill(key)
}

// fill waits for its turn, loads the answer that key names and stores it.
func (c *Cache) fill(key string) (entry *Entry, err error) {
	if !c.begin() {
		c.failures.Add(1)
		return nil, c.ctx.Err()
	}
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
	in := &slot{entry: e, cost: e.Cost()}
	switch {
	case e.Status != 200:
		c.only(c.absent, in)
	case c.hot.get(e.Key) == nil || !c.only(c.hot, in):
		c.only(c.tail, in)
	}
	if c.opts.Recode != nil {
		select {
		case c.recodes <- e:
		default:
		}
	}
}

// only puts a slot on one shelf and takes what has its key off the others. It
// reports whether the shelf kept it.
func (c *Cache) only(belongs *shelf, in *slot) bool {
	for _, s := range c.shelves() {
		if s != belongs && s.get(in.entry.Key) != nil {
			s.remove(in.entry.Key)
		}
	}
	return belongs.put(in)
}

// recodeAll recodes entries until Close.
func (c *Cache) recodeAll() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case e := <-c.recodes:
			if better := c.opts.Recode(e); better != nil {
				c.replace(e, better)
			}
		}
	}
}

// replace puts one entry in the place of another, if that is still there.
func (c *Cache) replace(old, by *Entry) {
	c.writes.Lock()
	defer c.writes.Unlock()
	for _, shelf := range c.shelves() {
		if s := shelf.get(old.Key); s != nil && s.entry == old {
			shelf.put(&slot{entry: by, cost: by.Cost()})
		}
	}
}
