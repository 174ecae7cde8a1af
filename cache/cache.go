// Package cache keeps answers by key in bounded memory and fetches each missing
// one once, however many ask for it. What an answer is and where it comes from
// is the business of the fill that the owner gives it; which answers are still
// true is told by the generation that the owner publishes.
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"
)

var (
	// ErrWait is returned to a request that waited for a fill as long as it
	// may. The fill goes on, and its answer is stored.
	ErrWait = errors.New("still waiting for the answer")
	// ErrDown is returned at once while the origin is known to be down.
	ErrDown = errors.New("the origin is down")
)

// Fill loads the answer that key names. It runs on a context of the cache's
// own with the fill's deadline, at most Options.Fills at once, never twice at
// once for one key and generation. An error is not stored, nor is an answer that
// may not be stored, which becomes an error that wraps ErrUnfit.
type Fill func(ctx context.Context, key string) (Content, error)

// Generation is one state of all that the answers come from.
type Generation interface {
	// Holds reports whether an entry is true in this generation: filled from
	// it, or from an earlier one that is the same as far as the entry goes.
	Holds(*Entry) bool
	// ID names the generation; two with one name are the same.
	ID() string
}

// Options say how much a Cache may use. Fill is required.
type Options struct {
	Fill Fill
	// IsDown tells the errors of a fill that mean that the origin is down from
	// those that concern one key. Nil takes none for an outage.
	IsDown func(error) bool
	// Outage is shared with whoever else learns of outages of the origin; nil means
	// that only fills do.
	Outage *Outage
	// FillsWhileDown tells the keys that can be filled although the origin is
	// down, from elsewhere. They are: a missing one for the request that wants
	// it, one that is there when it was filled longer than DownAge ago, as
	// nobody tells meanwhile what is still true. It may be asked often and from
	// any goroutine. Nil takes none for such a key; a DownAge of zero means 1 min.
	FillsWhileDown func(key string) bool
	DownAge        time.Duration
	// Bytes is the budget of all entries; zero means 64 MiB.
	Bytes int64
	// FillTimeout bounds a fill, and WaitTimeout a request's wait for one; zero
	// means 20 s and 15 s.
	FillTimeout, WaitTimeout time.Duration
	// Fills is the most fills at once; zero means 8. Of them, half may be
	// refreshes.
	Fills int
	// Check returns why an answer may not be stored, beyond being incomplete, and
	// nil if it may be. It applies to each answer, whether it was filled, adopted
	// or recoded. Nil allows all complete ones.
	Check func(*Content) error
	// Recode returns other variants of an entry that has just been stored, which
	// take too long to make while a request waits, or nil to leave it as it is. The
	// caller holds the entry meanwhile; Recode holds the variants that it returns,
	// and the cache releases them. It runs in the background, one entry at a time.
	// May be nil.
	Recode func(*Entry) []Variant
	// Logger takes failures that no request sees; nil discards them.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	defaults(&o.Bytes, 64<<20)
	defaults(&o.FillTimeout, 20*time.Second)
	defaults(&o.WaitTimeout, 15*time.Second)
	defaults(&o.Fills, 8)
	defaults(&o.DownAge, time.Minute)
	if o.FillsWhileDown == nil {
		o.FillsWhileDown = func(string) bool { return false }
	}
	if o.Check == nil {
		o.Check = func(*Content) error { return nil }
	}
	if o.IsDown == nil {
		o.IsDown = func(error) bool { return false }
	}
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

// Shares of the budget, in percent: the most that the warm set takes, and what
// is kept for answers that say there is nothing. What these leave is for the
// other two shelves, hotPart of it for the hot one.
const (
	warmShare   = 45
	absentShare = 5
	hotPart     = 40
)

const (
	// promoteAfter is how many requests an entry answers on the tail shelf
	// before it moves to the hot one. A crawl asks for each page once or twice.
	promoteAfter = 4
	// displaceAfter is how many it must have answered to push out others there:
	// they are gone then, although the tail shelf may have room.
	displaceAfter = 64
	// retryAfter is how long an entry whose fill failed is left alone.
	retryAfter = 5 * time.Second
)

// Cache keeps the warm set, which is published with each generation and stays
// whatever else is asked for, and three shelves: hot for entries asked for
// again and again, tail for all others, absent for answers that say there is
// nothing. It is safe for concurrent use.
type Cache struct {
	opts              Options
	current           atomic.Pointer[published]
	hot, tail, absent *shelf
	outage            *Outage

	flights   singleflight.Group
	slots     chan struct{} // one for each fill that may run
	refreshes chan struct{} // one for each of them that may be a refresh
	running   sync.WaitGroup
	stop      context.CancelFunc
	ctx       context.Context
	// closing keeps Close apart from what is about to begin: a WaitGroup must
	// not grow from zero while it is waited for.
	closing sync.Mutex

	// writes keeps apart what puts entries in: a promotion or a recoding could
	// otherwise put back what a store has just replaced.
	writes  sync.Mutex
	recodes chan waiting
	// purges are those that a fill under way may have begun before; purged
	// counts all there were.
	purges []purge
	purged atomic.Int64
	saving sync.Mutex // held by Save

	counts struct {
		fills, failures, refreshed, panics, waiting atomic.Int64
		tooLargeToWarm                              atomic.Int64
	}
}

// New returns an empty Cache, which no generation has been published to.
func New(opts Options) (*Cache, error) {
	if opts.Fill == nil {
		return nil, errors.New("cache: Options.Fill is missing")
	}
	c := &Cache{opts: opts.withDefaults()}
	c.slots = make(chan struct{}, c.opts.Fills)
	c.refreshes = make(chan struct{}, max(1, c.opts.Fills/2))
	c.recodes = make(chan waiting, recodeQueue)
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.current.Store(&published{state: &state{}})
	if c.outage = opts.Outage; c.outage == nil {
		c.outage = NewOutage(opts.Logger)
	}
	hot, tail, absent := c.shares(0)
	for _, s := range []struct {
		shelf  **shelf
		name   string
		budget int64
	}{{&c.hot, "hot", hot}, {&c.tail, "tail", tail}, {&c.absent, "absent", absent}} {
		made, err := newShelf(s.name, s.budget)
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

// shares divides what a warm set of that size leaves of the budget.
func (c *Cache) shares(warm int64) (hot, tail, absent int64) {
	absent = c.opts.Bytes * absentShare / 100
	rest := c.opts.Bytes - absent - warm
	hot = rest * hotPart / 100
	return hot, rest - hot, absent
}

// set makes next what readers get, and gives the shelves the room that it
// leaves. c.writes is held.
func (c *Cache) set(next *published) {
	before := c.current.Load()
	for key, s := range next.warm {
		if before.warm[key] != s && !s.entry.hold() { // it has left the cache meanwhile
			delete(next.warm, key)
			next.bytes -= s.cost
		}
	}
	c.current.Store(next)
	for key, s := range before.warm {
		if next.warm[key] != s {
			s.leave()
			s.entry.release()
		}
	}
	hot, tail, _ := c.shares(next.bytes)
	c.hot.resize(hot)
	c.tail.resize(tail)
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
	now, found := c.find(key)
	if found == nil {
		return c.wait(now, key)
	}
	return c.serve(now, found)
}

// Follow does what Get does for the ref's key, and sooner: as a rule it need not
// look it up.
func (c *Cache) Follow(r *Ref) (*Entry, Outcome, error) {
	now, found := c.current.Load(), r.slot()
	if found == nil || !c.fresh(now, found) { // or it is of another generation than now
		if now, found = c.find(r.Key); found == nil {
			return c.wait(now, r.Key)
		}
		r.remember(found)
	}
	return c.serve(now, found)
}

// Glance returns the entry that Follow would answer with if that is a hit and the
// ref remembers it; nil otherwise. Nothing happens by that: Count counts a request
// that the entry was good for.
func (c *Cache) Glance(r *Ref) *Entry {
	now, found := c.current.Load(), r.slot()
	if found == nil || c.outcome(now, found) != Hit {
		return nil
	}
	return found.entry
}

// Count counts a request that was answered with what Glance returned.
func (c *Cache) Count(r *Ref) {
	if found := r.near.Load(); found != nil {
		c.count(found)
	}
}

// find looks for a slot in what is published while it looks. What is not fresh
// there may be so in what was published meanwhile, and what is not there may be on
// its way from one place to another.
func (c *Cache) find(key string) (*published, *slot) {
	for {
		now := c.current.Load()
		found := c.look(now, key)
		switch {
		case found != nil && c.fresh(now, found):
			return now, found
		case now != c.current.Load():
		case found != nil:
			return now, found
		default:
			return c.lookAgain(key)
		}
	}
}

// serve answers a request with a slot that was found.
func (c *Cache) serve(now *published, found *slot) (*Entry, Outcome, error) {
	c.count(found)
	outcome := c.outcome(now, found)
	if outcome == Stale {
		c.refresh(now, found.entry.Key, found)
	}
	return found.entry, outcome, nil
}

// Cached returns the answer that key names as it is, and with which outcome Get
// would: it fills nothing and refreshes nothing. It reports whether there is one.
func (c *Cache) Cached(key string) (*Entry, Outcome, bool) {
	now, found := c.find(key)
	if found == nil {
		return nil, Error, false
	}
	c.count(found)
	return found.entry, c.outcome(now, found), true
}

// outcome tells how a request is answered for which a slot was found.
func (c *Cache) outcome(now *published, s *slot) Outcome {
	switch {
	case c.outage.now() != nil && !c.opts.FillsWhileDown(s.entry.Key):
		return StaleError
	case c.fresh(now, s):
		return Hit
	case s.failing(time.Now()):
		return StaleError
	}
	return Stale
}

// fresh reports whether an entry need not be filled again.
func (c *Cache) fresh(now *published, s *slot) bool {
	if o := c.outage.now(); o != nil && c.opts.FillsWhileDown(s.entry.Key) {
		return c.lately(now, s, o)
	}
	return now.holds(s)
}

// lately reports whether an entry that can be filled during an outage was filled
// so short a time ago that it need not be filled again: in the outage, or before
// it if it was true then.
func (c *Cache) lately(now *published, s *slot, o *cause) bool {
	if s.purged.Load() || time.Since(s.entry.Filled) >= c.opts.DownAge {
		return false
	}
	return !s.entry.Filled.Before(o.at) || now.holds(s)
}

// count counts a request for a slot, and moves what is asked for often to the hot
// shelf. What finds no room there is tried again more and more seldom.
func (c *Cache) count(s *slot) {
	asked := s.asked.Add(1)
	if s.shelf == c.tail && asked >= promoteAfter && asked&(asked-1) == 0 {
		c.promote(s.entry.Key)
	}
}

// look finds the slot of key, without counting a request.
func (c *Cache) look(now *published, key string) *slot {
	if s := now.warm[key]; s != nil {
		return s
	}
	for _, shelf := range c.shelves() {
		if s := shelf.get(key); s != nil {
			return s
		}
	}
	return nil
}

// lookAgain looks while nothing is moved from one part of the cache to another,
// so that no fill begins for what is there.
func (c *Cache) lookAgain(key string) (*published, *slot) {
	c.writes.Lock()
	defer c.writes.Unlock()
	now := c.current.Load()
	return now, c.look(now, key)
}

// promote moves an entry to the hot shelf, if there is room for it or it is asked
// for much more than most.
func (c *Cache) promote(key string) {
	c.writes.Lock()
	defer c.writes.Unlock()
	s := c.tail.get(key)
	if s == nil || !c.hot.fits(s) && s.asked.Load() < displaceAfter {
		return
	}
	if c.hot.put(s.moved(s.entry)) {
		c.tail.remove(key)
	}
}

// wait joins or begins the fill of key in the generation of now.
func (c *Cache) wait(now *published, key string) (*Entry, Outcome, error) {
	era := c.outage.Era()
	down := era.ctx.Done()
	if c.opts.FillsWhileDown(key) {
		down = nil // the fill is worth waiting for all the same
	} else if err := era.err(); err != nil {
		return nil, Error, err
	}
	c.counts.waiting.Add(1)
	defer c.counts.waiting.Add(-1)
	began := false
	flight := c.flights.DoChan(c.flight(now, key), func() (any, error) {
		return c.load(key, func() { began = true })
	})
	timer := time.NewTimer(c.opts.WaitTimeout)
	defer timer.Stop()
	select {
	case r := <-flight:
		switch {
		case r.Err != nil:
			return nil, Error, r.Err
		case began:
			return r.Val.(*Entry), Miss, nil
		}
		return r.Val.(*Entry), Coalesced, nil
	case <-down:
		return nil, Error, era.err()
	case <-timer.C:
		return nil, Error, ErrWait
	}
}

// refresh begins a fill of key that nobody waits for, unless one is under way
// or as many are as may be.
func (c *Cache) refresh(now *published, key string, old *slot) {
	if !old.refreshing.CompareAndSwap(false, true) {
		return
	}
	select {
	case c.refreshes <- struct{}{}:
	default:
		old.refreshing.Store(false)
		return
	}
	done := func() {
		<-c.refreshes
		old.refreshing.Store(false)
	}
	if !c.begin() {
		done()
		return
	}
	go func() {
		defer c.running.Done()
		defer done()
		_, err, _ := c.flights.Do(c.flight(now, key), func() (any, error) {
			return c.load(key, func() { c.counts.refreshed.Add(1) })
		})
		if err != nil && !errors.Is(err, ErrDown) { // an outage is known, and no failure of the key
			old.failed(time.Now())
			c.opts.Logger.Warn("refresh failed, serving the stale entry", "key", key, "error", err)
		}
	}()
}

// load runs inside the flight of key: it calls began and fills, unless another
// flight ended with a fresh entry after the lookup that led here.
func (c *Cache) load(key string, began func()) (*Entry, error) {
	if now, s := c.lookAgain(key); s != nil && c.fresh(now, s) {
		return s.entry, nil
	}
	began()
	e, err := c.fill(c.ctx, key)
	if err != nil {
		return nil, err
	}
	c.store(e)
	return e, nil
}

// store puts an entry in the warm set if its key is there, otherwise on the
// shelf it belongs on, in place of an older one. An entry from before the
// current generation never replaces one of it, nor one whose fill began later.
func (c *Cache) store(e *Entry) {
	c.writes.Lock()
	defer c.writes.Unlock()
	now := c.current.Load()
	if old := c.look(now, e.Key); old != nil && c.outdated(now, e, old) {
		return
	}
	switch s, warm := c.filled(e), now.warm[e.Key]; {
	case warm == nil:
		c.shelve(s)
	case now.bytes-warm.cost+s.cost <= c.warmBudget():
		c.set(now.with(s))
	default: // it has outgrown the warm set
		c.counts.tooLargeToWarm.Add(1)
		c.shelve(s)
		c.set(now.without(warm))
	}
	c.enqueue(e)
}

// outdated reports whether an entry that was filled must not replace an old one.
// While the origin is down and another fills the key, the current generation may
// be behind both, and only time tells.
func (c *Cache) outdated(now *published, e *Entry, old *slot) bool {
	if now.holds(newSlot(e)) {
		return false
	}
	told := c.outage.now() == nil || !c.opts.FillsWhileDown(e.Key)
	return told && now.holds(old) || old.entry.began().After(e.began())
}

// shelve puts a slot on the shelf it belongs on, in place of what has its key.
func (c *Cache) shelve(s *slot) {
	switch {
	case s.entry.Status != 200:
		c.only(c.absent, s)
	case c.hot.get(s.entry.Key) == nil || !c.only(c.hot, s):
		c.only(c.tail, s)
	}
}

// only puts a slot on one shelf and takes what has its key off the others. It
// reports whether the shelf kept it.
func (c *Cache) only(belongs *shelf, s *slot) bool {
	for _, other := range c.shelves() {
		if key := s.entry.Key; other != belongs && other.get(key) != nil {
			other.remove(key)
		}
	}
	return belongs.put(s)
}
