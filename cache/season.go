package cache

import (
	"context"

	"github.com/lewistv/xcri-proxy/cache/fill"
	"github.com/lewistv/xcri-proxy/cache/shelf"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// Season calls f, which calls Keep for the keys of the season, as one round. If f returns
// true, it has called Keep for every key, and the season's entries of other keys leave the
// cache. A fill of the round may read data that is as old as the round: every purge since
// the start of the round applies to it.
func (c *Cache) Season(f func() (complete bool)) {
	c.mu.Lock()
	c.reads.BeginRound()
	c.shelves.BeginRound()
	c.mu.Unlock()
	complete := f()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads.EndRound()
	if complete {
		c.leave(c.shelves.EndRound()...)
	}
}

// Keep makes sure that the cache has a fresh entry of a key of the season, and keeps it in
// the part of the budget that Options.Season reserves, whether or not it is requested. It
// fills a missing or stale entry in the lane Idle, without joining the fill of a request.
// Where that part is full, it evicts entries that the round has not reached. The error is
// ErrNoRoom if that is not enough, and ErrMoved if the data is not of the published
// generation.
func (c *Cache) Keep(ctx context.Context, key string) (e *Entry, filled bool, err error) {
	if e, err = c.keepFresh(key); e != nil {
		return e, false, err
	}
	if err := c.outage.Era().Err(); err != nil {
		return nil, false, err
	}
	v, err := c.fill(ctx, fill.Beginner{Idle: true}, key)
	if err != nil {
		return nil, false, err
	}
	c.mu.Lock()
	c.put(v, func(s *slot.Slot, v *slot.Version) { err = c.keepInSeason(s, v) })
	c.mu.Unlock()
	c.end(v.Read)
	if err == nil {
		e, err = c.keepFresh(key) // or a newer entry, which a request has filled meanwhile
	}
	if e == nil && err == nil {
		err = ErrMoved
	}
	return &v.Entry, true, err
}

// keepFresh keeps the entry of a key in the season if it is fresh; it returns nil otherwise.
func (c *Cache) keepFresh(key string) (*Entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.index.Get(key); s != nil {
		c.shelves.Reach(s) // also if its fill fails: it serves the stale entry
		if v := s.Served(); v != nil && c.current.Load().Fresh(v) {
			return &v.Entry, c.keepInSeason(s, v)
		}
	}
	return nil, nil
}

// keepInSeason keeps a slot with the given version in the season, except a slot of the warm
// set, which stays there. Without room a slot that is on a shelf stays in the cache.
func (c *Cache) keepInSeason(s *slot.Slot, v *slot.Version) error {
	if s.Place() == shelf.Warm {
		c.keep(s, v)
		return nil
	}
	kept, out := c.shelves.PutSeason(s, v.Cost())
	c.leave(out...)
	switch {
	case kept:
		s.Serve(v)
		if c.index.Get(s.Key) == nil {
			c.index.Put(s)
		}
		return nil
	case s.Place() != shelf.Nowhere && v != s.Served():
		c.keep(s, v)
	}
	return ErrNoRoom
}

// Asked calls f for every entry with its request count, which each refresh and publish halves.
func (c *Cache) Asked(f func(e *Entry, asked uint32)) {
	c.each(func(s *slot.Slot, v *slot.Version) { f(&v.Entry, s.Asked.Load()) })
}
