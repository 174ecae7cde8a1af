package cache

import (
	"slices"
	"time"
)

// longestFill bounds, in fill timeouts, how long after its begin an entry may
// still be put in: one that Prepare has filled waits for all others.
const longestFill = 10

// purge is what was purged, and when.
type purge struct {
	match func(*Entry) bool
	at    time.Time
}

// filled returns the slot of an entry that was just filled: one that is stale
// already if a purge came after its fill began. c.writes is held.
func (c *Cache) filled(e *Entry) *slot {
	s := newSlot(e)
	for _, p := range c.purges {
		if e.began().Before(p.at) && p.match(e) {
			s.purged.Store(true)
		}
	}
	return s
}

// Purge makes the entries that match stale: each is served once more while it
// is refreshed. Hard, it drops them. It returns how many matched.
func (c *Cache) Purge(match func(*Entry) bool, hard bool) (n int) {
	c.writes.Lock()
	defer c.writes.Unlock()
	now := time.Now()
	c.purges = slices.DeleteFunc(c.purges, func(p purge) bool { return now.Sub(p.at) > longestFill*c.opts.FillTimeout })
	c.purges = append(c.purges, purge{match, now})
	c.purged.Add(1)
	var drop []*slot
	c.each(func(s *slot, _ string) {
		if !match(s.entry) {
			return
		}
		n++
		s.purged.Store(true)
		drop = append(drop, s)
	})
	if !hard {
		return n
	}
	c.set(c.current.Load().without(drop...))
	for _, s := range drop {
		for _, shelf := range c.shelves() {
			if shelf.get(s.entry.Key) != nil {
				shelf.remove(s.entry.Key)
			}
		}
	}
	return n
}

// Sight is what the cache would do with a key now.
type Sight struct {
	Entry   *Entry  // nil if there is none
	Where   string  // warm, or the name of a shelf
	Outcome Outcome // of a request for it; Miss if there is none
	Asked   uint32  // how often it was asked for, halved with each refresh
}

// Peek tells what the cache would do with a key, without doing it.
func (c *Cache) Peek(key string) Sight {
	now := c.current.Load()
	s := c.look(now, key)
	if s == nil {
		if c.outage.now() != nil && !c.opts.FillsWhileDown(key) {
			return Sight{Outcome: Error}
		}
		return Sight{Outcome: Miss}
	}
	sight := Sight{Entry: s.entry, Where: "warm", Outcome: c.outcome(now, s), Asked: s.asked.Load()}
	if s.shelf != nil {
		sight.Where = s.shelf.name
	}
	return sight
}
