package cache

import (
	"context"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cache/fill"
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/cache/shelf"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// warmFills limits concurrent fills that prepare a warm set: the other slots are for requests.
const warmFills = 4

// Prepare fills the keys that are not fresh in g, a few concurrently, while readers go on
// getting the entries of the current generation. It calls each for every key, but not
// concurrently. Publish makes the result current. The next call replaces an unpublished
// preparation, and keeps its entries that are fresh in the next generation.
func (c *Cache) Prepare(ctx context.Context, g Generation, keys []string, each func(Warmed)) []Warmed {
	c.mu.Lock()
	p := c.prepared.After(g)
	c.prepared = p
	c.mu.Unlock()

	var calls sync.Mutex
	done := make([]Warmed, len(keys))
	fill.Each(len(keys), min(warmFills, c.opts.Fills), func(i int) {
		done[i] = c.prepare(ctx, p, keys[i])
		calls.Lock()
		defer calls.Unlock()
		each(done[i])
	})
	return done
}

// prepare makes a version of one key for a preparation.
func (c *Cache) prepare(ctx context.Context, p *slot.Preparation, key string) Warmed {
	if v := c.keepPrepared(p, key, true); v != nil {
		return Warmed{Key: key, Entry: &v.Entry}
	}
	var v *slot.Version
	var done func(*Saved)
	err := c.outage.Era().Err()
	if err == nil {
		v, done, err = c.obtain(ctx, p.Generation, fill.Beginner{Clock: phase.Start(phase.Queue), Warm: true}, key)
	}
	if err == nil {
		defer c.conclude(v, done)
		if stored := c.storePrepared(p, v); stored != nil {
			return Warmed{Key: key, Entry: &stored.Entry, Filled: done != nil}
		}
		err = ErrMoved
	}
	w := Warmed{Key: key, Err: err}
	if v := c.keepPrepared(p, key, false); v != nil {
		w.Entry = &v.Entry
	}
	return w
}

// keepPrepared makes a version that the cache has the next version of a key, and returns
// it. Of the served version and the versions of earlier preparations it picks the winner.
// It does nothing and returns nil if the winner is not fresh in the prepared state but has
// to be.
func (c *Cache) keepPrepared(p *slot.Preparation, key string, fresh bool) *slot.Version {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.prepared != p {
		return nil
	}
	var best *slot.Version
	if s := c.index.Get(key); s != nil {
		for _, v := range s.Versions() {
			if c.wins(p.State, v, best) {
				best = v
			}
		}
	}
	if v := p.Ahead[key]; v != nil && p.Fresh(v) && c.wins(p.State, v, best) {
		best = v
	}
	if best == nil || fresh && !p.Fresh(best) {
		return nil
	}
	p.SetNext(&c.index, key, best)
	return best
}

// storePrepared makes a version that was filled for a preparation the next version of its
// slot, unless a version that is there wins, and returns the winner. It returns nil if the
// version is not fresh in the prepared state, or was purged meanwhile.
func (c *Cache) storePrepared(p *slot.Preparation, v *slot.Version) *slot.Version {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.purged(v) || c.prepared != p {
		return nil
	}
	if !p.Fresh(v) {
		p.Ahead[v.Key] = v
		return nil
	}
	winner := v
	if s := c.index.Get(v.Key); s != nil {
		for _, other := range s.Versions() {
			if !c.wins(p.State, winner, other) {
				winner = other
			}
		}
	}
	p.SetNext(&c.index, v.Key, winner)
	return winner
}

// Publish makes g the current generation and the keys its warm set, in one step: with the
// versions that Prepare has made for g, and the served versions of all other keys.
// Entries that find no room in the warm set's share of the budget, the last keys first,
// are kept like any other entry.
func (c *Cache) Publish(g Generation, keys []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.prepared
	if p.Generation == nil || p.ID() != g.ID() {
		p = c.prepared.After(g)
	}
	c.prepared = slot.NewPreparation(nil)
	for s := range p.Slots { // a purge may have made the prepared version stale
		if next, served := s.In(p.State), s.Served(); served != nil && next != served && !c.wins(p.State, next, served) {
			s.Prepare(served, p.State)
		}
	}
	set, bytes := c.warmSet(p, keys)

	c.current.Publish(p.State)

	// Readers have switched. The rest only changes where slots are kept.
	for _, s := range c.index.All() { // so that keys which were popular once do not stay so
		s.Fade()
	}
	c.share(min(bytes, c.shelves.Bytes(shelf.Warm))) // room for slots that leave the warm set
	for _, s := range c.shelves.Items(shelf.Warm) {
		if !set[s] {
			c.settle(p, s, c.shelve)
		}
	}
	keep := func(s *slot.Slot, v *slot.Version) bool { return c.move(s, v, shelf.Warm) }
	for s := range set {
		c.settle(p, s, keep)
	}
	others := func(s *slot.Slot, v *slot.Version) bool { return v == s.Served() || c.shelve(s, v) }
	for s := range p.Slots {
		c.settle(p, s, others)
	}
	c.share(c.shelves.Bytes(shelf.Warm))
}

// warmSet returns the slots of the keys that have a version in a preparation and fit in
// the warm set, and their size.
func (c *Cache) warmSet(p *slot.Preparation, keys []string) (set map[*slot.Slot]bool, bytes int64) {
	left := int64(0)
	set = make(map[*slot.Slot]bool, len(keys))
	for _, key := range keys {
		s := c.index.Get(key)
		if s == nil || set[s] {
			continue
		}
		switch v := s.In(p.State); {
		case v == nil:
		case bytes+v.Cost() > c.shelves.Budget(shelf.Warm):
			left++
		default:
			set[s] = true
			bytes += v.Cost()
		}
	}
	if left > 0 {
		c.shelves.LeaveOut(left)
		c.opts.Logger.Warn("the warm set finds no room in its share of the cache", "left_out", left)
	}
	return set, bytes
}

// settle makes the version that readers get since the publish of p the served one, and
// keeps the slot where place puts it.
func (c *Cache) settle(p *slot.Preparation, s *slot.Slot, place func(*slot.Slot, *slot.Version) bool) {
	v, before := s.In(p.State), s.Served()
	if v != nil && place(s, v) && v != before {
		s.FailedUntil.Store(0)
		c.recoder.Add(v)
	}
	s.Prepare(nil, nil)
	delete(p.Slots, s)
	if s.Served() == nil {
		c.leave(s)
	}
}

// PublishFirst makes g the current generation and keeps the present warm set: entries
// that g holds become fresh.
func (c *Cache) PublishFirst(g Generation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current.Publish(&slot.State{Generation: g})
}

// Published returns the current generation and its publish time; nil before the first publish.
func (c *Cache) Published() (Generation, time.Time) {
	p := c.current.Load()
	return p.Published, p.At
}

// Hold has requests wait for the publish of g, at most for a second, instead of getting an
// answer that g makes stale. Other caches may have published g.
func (c *Cache) Hold(g Generation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current.Hold(g)
}

// Popular returns at most n keys, the most requested first. Absent answers, and keys with
// fewer than shelf.PromoteAfter requests, as a crawl makes, are left out.
func (c *Cache) Popular(n int) []string {
	return slot.Popular(c.index.All(), n, func(s *slot.Slot, v *slot.Version) bool {
		return s.Asked.Load() >= shelf.PromoteAfter && !c.opts.Absent(&v.Content)
	})
}

// each calls f for every slot with the version that is served.
func (c *Cache) each(f func(*slot.Slot, *slot.Version)) {
	for _, s := range c.index.All() {
		if v := s.Served(); v != nil {
			f(s, v)
		}
	}
}

// EachStale calls f for every entry that is not fresh in the current generation.
func (c *Cache) EachStale(f func(*Entry)) {
	now := c.current.Load()
	c.each(func(_ *slot.Slot, v *slot.Version) {
		if !now.Fresh(v) {
			f(&v.Entry)
		}
	})
}
