package cache

import (
	"cmp"
	"slices"

	"github.com/lewistv/xcri-proxy/cache/admission"
)

const (
	// promoteAfter is how many requests an entry answers in the tail before it moves
	// to the hot shelf. A crawl requests each page once or twice.
	promoteAfter = 4
	// displaceAfter is how many requests it must have answered to displace others
	// there, and displaceFactor how many times as many as each of them.
	displaceAfter  = 64
	displaceFactor = 2
	// displaceSample is how many hot slots are considered for a displacement.
	displaceSample = 32
)

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
		s = &slot{key: v.Key}
	}
	now := c.current.Load()
	if next := s.next.Load(); next != nil && c.wins(next.of, v, next.version) {
		s.prepare(v, next.of)
	}
	if !c.wins(now.state, v, s.served.Load()) {
		return
	}
	s.asked.Store(s.asked.Load() / 2)
	s.failedUntil.Store(0)
	c.keep(s, v)
	c.enqueue(v)
}

// keep makes a version the served version of a slot, and keeps the slot where it is if
// the version belongs and fits there.
func (c *Cache) keep(s *slot, v *version) (kept bool) {
	if place(s.place.Load()) != warm {
		return c.shelve(s, v)
	}
	w, old := c.shelves.at(warm), s.served.Load()
	if w.fits(v.cost - old.cost) {
		kept = c.move(s, v, warm)
	} else { // it has outgrown the warm set
		w.tooLarge.Add(1)
		kept = c.shelve(s, v)
	}
	c.share(w.bytes)
	return kept
}

// shelve puts a slot with the given version where it belongs outside the warm set.
func (c *Cache) shelve(s *slot, v *version) (kept bool) {
	switch h := c.shelves.at(hot); {
	case c.opts.Absent(&v.Content):
		return c.move(s, v, absent)
	case place(s.place.Load()) == hot && h.fits(v.cost-s.served.Load().cost):
		return c.move(s, v, hot)
	}
	return c.move(s, v, tail)
}

// move puts a slot with the given version on a shelf, from wherever it is. Readers find
// the slot all the time. It reports whether the slot stays there, and makes it leave the
// cache if it does not.
func (c *Cache) move(s *slot, v *version, to place) (kept bool) {
	target := c.shelves.at(to)
	if target.policy != nil && v.cost > target.budget/largestShare {
		target.tooLarge.Add(1)
		c.leave(s)
		return false
	}
	if from, old := place(s.place.Load()), s.served.Load(); from != nowhere {
		source := c.shelves.at(from)
		source.remove(s, old.cost)
		if source.policy != nil && (from != to || v.cost > old.cost) {
			source.policy.Remove(s.key) // also before its cost rises
		}
	}
	target.add(s, to, v.cost)
	s.serve(v)
	if c.index.get(s.key) == nil {
		c.index.put(s)
	}
	if target.policy == nil {
		return true
	}
	verdict, victims := target.policy.Admit(s.key, s, v.cost)
	for _, victim := range victims {
		target.evicted.Add(1)
		c.leave(victim)
	}
	switch verdict {
	case admission.Kept:
		return true
	case admission.Refused:
		target.rejected.Add(1)
	case admission.Dropped:
		target.dropped.Add(1)
	}
	c.leave(s)
	return false
}

// leave removes the served version of a slot from the cache, and with it the slot unless
// a version is prepared.
func (c *Cache) leave(s *slot) {
	if at := place(s.place.Load()); at != nowhere {
		p := c.shelves.at(at)
		p.remove(s, s.served.Load().cost)
		if p.policy != nil {
			p.policy.Remove(s.key)
		}
	}
	s.serve(nil)
	if s.next.Load() == nil && c.index.get(s.key) == s {
		c.index.remove(s)
	}
}

// promote moves a slot from the tail to the hot shelf if there is room, or if it is
// requested much more than slots that are there.
func (c *Cache) promote(s *slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, h := s.served.Load(), c.shelves.at(hot)
	if v == nil || place(s.place.Load()) != tail || v.cost > h.budget/largestShare {
		return
	}
	var displaced []*slot
	if !h.fits(v.cost) {
		if displaced = h.displaceable(s, v.cost); displaced == nil {
			return
		}
	}
	c.move(s, v, hot)
	for _, d := range displaced {
		h.evicted.Add(1)
		c.move(d, d.served.Load(), tail)
	}
}

// displaceable returns slots of the shelf that give room for another slot and are
// requested much less than it, or nil if there are not enough among those considered.
func (p *shelf) displaceable(s *slot, cost int64) (slots []*slot) {
	asked := s.asked.Load()
	if asked < displaceAfter {
		return nil
	}
	sample := make([]*slot, 0, displaceSample)
	for range min(displaceSample, len(p.slots)) {
		p.hand = (p.hand + 1) % len(p.slots)
		sample = append(sample, p.slots[p.hand])
	}
	for _, d := range leastAskedFirst(sample) {
		if d.asked.Load() > asked/displaceFactor {
			return nil
		}
		slots = append(slots, d)
		if cost -= d.served.Load().cost; p.fits(cost) {
			return slots
		}
	}
	return nil
}

// leastAskedFirst returns the slots by their present counts of requests.
func leastAskedFirst(slots []*slot) []*slot {
	type count struct {
		*slot
		asked uint32
	}
	counts := make([]count, len(slots)) // which go on changing in the slots
	for i, s := range slots {
		counts[i] = count{s, s.asked.Load()}
	}
	slices.SortFunc(counts, func(a, b count) int { return cmp.Compare(a.asked, b.asked) })
	sorted := make([]*slot, len(counts))
	for i, c := range counts {
		sorted[i] = c.slot
	}
	return sorted
}

// share gives the shelves the room that a warm set of the given size leaves. Slots that no
// longer fit on the hot shelf move to the tail, and slots that no longer fit there leave the
// cache, the least requested first.
func (c *Cache) share(warmBytes int64) {
	h, t := c.shelves.at(hot), c.shelves.at(tail)
	hotBytes, tailBytes, _ := c.shelves.shares(warmBytes)
	if h.budget == hotBytes && t.budget == tailBytes {
		return
	}
	h.budget, t.budget = hotBytes, tailBytes
	t.policy.Resize(tailBytes)
	t.shrink(func(s *slot) {
		t.evicted.Add(1)
		c.leave(s)
	})
	h.shrink(func(s *slot) {
		h.evicted.Add(1)
		c.move(s, s.served.Load(), tail)
	})
}

// shrink takes the least requested slots off the shelf until its budget holds.
func (p *shelf) shrink(out func(*slot)) {
	if p.fits(0) {
		return
	}
	for _, s := range leastAskedFirst(p.slots) {
		if p.fits(0) {
			return
		}
		out(s)
	}
}
