package cache

import "github.com/lewistv/xcri-proxy/cache/shelf"

// wins reports whether a version takes the place of another version of its key, old, in
// a state. It is the one rule for that, wherever the two come from: a version that is
// fresh in the state wins over a version that is not; otherwise the version that was
// read later wins. During an outage only the order counts for keys that are filled from
// elsewhere, because the origin may have a newer generation than the published one.
func (c *Cache) wins(in *state, v, old *version) bool {
	if old == nil {
		return true
	}
	if c.outage.Now() == nil || !c.opts.FillsWhileDown(v.Key) {
		if a, b := in.holds(v), in.holds(old); a != b {
			return a
		}
	}
	return v.read.order > old.read.order
}

// store puts a version that was filled in the slot of its key, unless the served version
// wins or a hard purge came after the version was read.
func (c *Cache) store(v *version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reads.purged(v) {
		return
	}
	s := c.index.get(v.Key)
	if s == nil {
		s = newSlot(v.Key)
	}
	now := c.current.Load()
	if next := s.next.Load(); next != nil && c.wins(next.of, v, next.version) {
		s.prepare(v, next.of)
	}
	if !c.wins(now.state, v, s.served.Load()) {
		return
	}
	s.fade()
	s.failedUntil.Store(0)
	c.keep(s, v)
	c.enqueue(v)
}

// keep makes a version the served version of a slot, and keeps the slot where it is if
// the version belongs and fits there.
func (c *Cache) keep(s *slot, v *version) (kept bool) {
	if s.Place() != shelf.Warm {
		return c.shelve(s, v)
	}
	if c.shelves.Fits(s, v.cost) {
		kept = c.move(s, v, shelf.Warm)
	} else { // it has outgrown the warm set
		c.shelves.LeaveOut(1)
		kept = c.shelve(s, v)
	}
	c.share(c.shelves.Bytes(shelf.Warm))
	return kept
}

// shelve puts a slot with the given version where it belongs outside the warm set.
func (c *Cache) shelve(s *slot, v *version) (kept bool) {
	switch {
	case c.opts.Absent(&v.Content):
		return c.move(s, v, shelf.Absent)
	case s.Place() == shelf.Hot && c.shelves.Fits(s, v.cost):
		return c.move(s, v, shelf.Hot)
	}
	return c.move(s, v, shelf.Tail)
}

// move puts a slot with the given version on a shelf, from wherever it is. Readers find
// the slot all the time. It reports whether the slot stays there, and makes it leave the
// cache if it does not.
func (c *Cache) move(s *slot, v *version, to shelf.Place) (kept bool) {
	kept, out := c.shelves.Put(s, to, v.cost)
	if kept {
		s.serve(v)
		if c.index.get(s.Key) == nil {
			c.index.put(s)
		}
	} else {
		c.leave(s)
	}
	c.leave(out...)
	return kept
}

// leave removes the served versions of slots from the cache, and with it each slot for
// which no version is prepared.
func (c *Cache) leave(slots ...*slot) {
	for _, s := range slots {
		c.shelves.Remove(s)
		s.serve(nil)
		if s.next.Load() == nil && c.index.get(s.Key) == s {
			c.index.remove(s)
		}
	}
}

// promote moves a slot to the hot shelf if its requests earn it a place there.
func (c *Cache) promote(s *slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave(c.shelves.Promote(s)...)
}

// share gives the shelves the room that a warm set of the given size leaves.
func (c *Cache) share(warmBytes int64) { c.leave(c.shelves.Share(warmBytes)...) }
