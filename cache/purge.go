package cache

import (
	"github.com/lewistv/xcri-proxy/cache/reads"
	"github.com/lewistv/xcri-proxy/cache/shelf"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// begin records that the read of an answer begins, or with inRound a read for the season's
// round. end must follow, once the answer is stored or dropped.
func (c *Cache) begin(inRound bool) reads.Moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	if inRound {
		return c.reads.BeginInRound()
	}
	return c.reads.Begin()
}

// end records that a read is no longer under way.
func (c *Cache) end(m reads.Moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads.End(m)
}

// purged applies the purges since a version was read. It reports whether one of them
// was hard, so that the version must not be stored. A soft purge makes the version stale.
func (c *Cache) purged(v *slot.Version) (hard bool) {
	hard, soft := c.reads.Purged(v.Read, &v.Entry)
	if soft {
		v.Purge()
	}
	return hard
}

// Dropped reports whether there was a hard purge, so that entries which were exported
// before it must not be adopted by another cache.
func (c *Cache) Dropped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads.Dropped()
}

// Purge makes the entries that match stale: each is served until a refresh has replaced it.
// With hard it drops the entries. Both apply to answers whose read is under way, too. It
// returns the number of keys that matched.
func (c *Cache) Purge(match func(*Entry) bool, hard bool) (n int) {
	defer c.opts.OnPurge()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads.Purge(match, hard)
	for _, s := range c.index.All() {
		served, next := s.Served(), s.Next()
		dropNext := next != nil && match(&next.Entry)
		dropServed := served != nil && match(&served.Entry)
		if !dropNext && !dropServed {
			continue
		}
		n++
		if !hard {
			for _, v := range s.Versions() {
				if match(&v.Entry) {
					v.Purge()
				}
			}
			continue
		}
		if dropNext {
			s.Prepare(nil, nil)
		}
		if dropServed || served == nil {
			c.leave(s)
		}
	}
	for key, v := range c.prepared.Ahead {
		if match(&v.Entry) {
			delete(c.prepared.Ahead, key)
		}
	}
	if hard {
		c.share(c.shelves.Bytes(shelf.Warm))
	}
	return n
}
