package cache

import (
	"sync/atomic"

	"github.com/lewistv/xcri-proxy/cache/shelf"
)

// moment identifies the start of a read.
type moment struct {
	order  int64 // among all reads of the cache; zero for an entry of an earlier run
	purges int64 // number of purges before it
}

// reads are the reads under way, and the purges which any of them may have begun
// before. All but purges is guarded by Cache.mu.
type reads struct {
	begun    int64
	underway map[int64]moment // by order
	purges   atomic.Int64     // total number
	recent   []purge          // in their order
	dropped  bool             // whether any purge ever was hard
}

// purge is a recent purge. A fill that started before it is affected by it.
type purge struct {
	number int64
	match  func(*Entry) bool
	hard   bool
}

// began notes that the read of an answer begins. ended must follow, once the answer is
// stored or dropped.
func (c *Cache) began() moment {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.reads
	r.begun++
	if r.underway == nil {
		r.underway = map[int64]moment{}
	}
	m := moment{r.begun, r.purges.Load()}
	r.underway[m.order] = m
	return m
}

// ended notes that a read is no longer under way, and forgets purges which no read
// under way began before.
func (c *Cache) ended(m moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.reads
	delete(r.underway, m.order)
	oldest := r.purges.Load()
	for _, m := range r.underway {
		oldest = min(oldest, m.purges)
	}
	n := 0
	for n < len(r.recent) && r.recent[n].number <= oldest {
		n++
	}
	r.recent = append([]purge(nil), r.recent[n:]...)
}

// purged applies the purges since a version was read. It reports whether one of them
// was hard, so that the version must not be stored, and marks it otherwise.
func (r *reads) purged(v *version) (hard bool) {
	for _, p := range r.recent {
		if v.read.purges < p.number && p.match(&v.Entry) {
			if p.hard {
				return true
			}
			v.purged.Store(true)
		}
	}
	return false
}

// Dropped reports whether there was a hard purge, so that entries which were exported
// before it must not be adopted by another cache.
func (c *Cache) Dropped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads.dropped
}

// Purge makes the entries that match stale: each is served once more while it is
// refreshed. Hard, it drops them. Both apply to answers whose read is under way, too.
// It returns how many keys matched.
func (c *Cache) Purge(match func(*Entry) bool, hard bool) (n int) {
	defer c.opts.OnPurge()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads.dropped = c.reads.dropped || hard
	number := c.reads.purges.Add(1)
	if len(c.reads.underway) > 0 {
		c.reads.recent = append(c.reads.recent, purge{number, match, hard})
	}
	for _, s := range c.index.all() {
		served, next := s.served.Load(), s.next.Load()
		dropNext := next != nil && match(&next.Entry)
		dropServed := served != nil && match(&served.Entry)
		if !dropNext && !dropServed {
			continue
		}
		n++
		if !hard {
			for _, v := range s.versions() {
				if match(&v.Entry) {
					v.purged.Store(true)
				}
			}
			continue
		}
		if dropNext {
			s.prepare(nil, nil)
		}
		if dropServed || served == nil {
			c.leave(s)
		}
	}
	for key, v := range c.prepared.ahead {
		if match(&v.Entry) {
			delete(c.prepared.ahead, key)
		}
	}
	if hard {
		c.share(c.shelves.Bytes(shelf.Warm))
	}
	return n
}
