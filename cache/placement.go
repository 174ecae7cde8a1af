package cache

import (
	"slices"

	"github.com/lewistv/xcri-proxy/cache/shelf"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// wins reports whether a version takes the place of another version of its key, old, in a
// state. It is the only rule for replacement, however the versions were made: a version
// that is fresh in the state wins over a version that is not; otherwise the version that
// was read later wins. During an outage only the order counts for keys that are filled
// from elsewhere, because the origin may be ahead of the published generation.
func (c *Cache) wins(in *slot.State, v, old *slot.Version) bool {
	if old == nil {
		return true
	}
	if c.outage.Now() == nil || !c.opts.FillsWhileDown(v.Key) {
		if a, b := in.Fresh(v), in.Fresh(old); a != b {
			return a
		}
	}
	return v.Read.Order > old.Read.Order
}

// store puts a version that was filled in the slot of its key, unless the served version
// wins or a hard purge came after the version was read.
func (c *Cache) store(v *slot.Version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(v, c.keep)
}

// put puts a version that was filled in the slot of its key, and calls place to keep the
// slot, unless the served version wins or a hard purge came after the version was read.
func (c *Cache) put(v *slot.Version, place func(*slot.Slot, *slot.Version)) {
	if c.purged(v) {
		return
	}
	s := c.index.Get(v.Key)
	if s == nil {
		s = slot.New(v.Key)
	}
	now := c.current.Load()
	if next := s.Next(); next != nil && c.wins(next.Of, v, next.Version) {
		s.Prepare(v, next.Of)
	}
	if !c.wins(now.State, v, s.Served()) {
		return
	}
	s.Fade()
	s.FailedUntil.Store(0)
	place(s, v)
	c.recoder.Add(v)
}

// keep makes a version the served version of a slot, and keeps the slot where it is if
// the version belongs and fits there.
func (c *Cache) keep(s *slot.Slot, v *slot.Version) {
	switch {
	case s.Place() != shelf.Warm:
		c.shelve(s, v)
		return
	case c.shelves.Fits(s, v.Cost()):
		c.move(s, v, shelf.Warm)
	default: // it has outgrown the warm set
		c.shelves.LeaveOut(1)
		c.shelve(s, v)
	}
	c.share(c.shelves.Bytes(shelf.Warm))
}

// shelve puts a slot with the given version where it belongs outside the warm set.
func (c *Cache) shelve(s *slot.Slot, v *slot.Version) (kept bool) {
	switch {
	case s.Place() == shelf.Season && c.shelves.Fits(s, v.Cost()):
		return c.move(s, v, shelf.Season)
	case c.opts.Absent(&v.Content):
		return c.move(s, v, shelf.Absent)
	case s.Place() == shelf.Hot && c.shelves.Fits(s, v.Cost()):
		return c.move(s, v, shelf.Hot)
	}
	return c.move(s, v, shelf.Tail)
}

// move puts a slot with the given version on a shelf, from any other place. A slot that was
// in the cache stays visible to readers during the move. It reports whether the slot stays
// on the shelf; otherwise the slot leaves the cache.
func (c *Cache) move(s *slot.Slot, v *slot.Version, to shelf.Place) (kept bool) {
	kept, out := c.shelves.Put(s, to, v.Cost())
	if kept {
		s.Serve(v)
		if c.index.Get(s.Key) == nil {
			c.index.Put(s)
		}
	} else {
		c.leave(s)
	}
	c.leave(out...)
	return kept
}

// leave removes the served versions of slots from the cache, and with it each slot for
// which no version is prepared.
func (c *Cache) leave(slots ...*slot.Slot) {
	for _, s := range slots {
		c.shelves.Remove(s)
		s.Serve(nil)
		if s.Next() == nil && c.index.Get(s.Key) == s {
			c.index.Remove(s)
		}
	}
}

// promote moves a slot to the hot shelf if its requests earn it a place there.
func (c *Cache) promote(s *slot.Slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave(c.shelves.Promote(s)...)
}

// share divides the room beside a warm set of the given size among the other shelves.
func (c *Cache) share(warmBytes int64) { c.leave(c.shelves.Share(warmBytes)...) }

// has reports whether the cache serves this very version, or will.
func (c *Cache) has(v *slot.Version) bool {
	s := c.index.Get(v.Key)
	return s != nil && slices.Contains(s.Versions(), v)
}

// replace puts another form of a version in its place, if the version is still there
// and the other form fits where the slot is kept.
func (c *Cache) replace(v *slot.Version, better *Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.index.Get(v.Key)
	if s == nil {
		return
	}
	by := v.Recoded(better)
	if s.Served() == v {
		at := s.Place()
		if !c.shelves.Fits(s, by.Cost()) {
			return
		}
		c.move(s, by, at)
		if at == shelf.Warm {
			c.share(c.shelves.Bytes(shelf.Warm))
		}
	}
	if next := s.Next(); next != nil && next.Version == v {
		s.Prepare(by, next.Of)
	}
}
