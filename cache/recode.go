package cache

import (
	"runtime/debug"
	"weak"
)

// recodeQueue limits how many entries wait to be recoded. An entry that finds the
// queue full keeps its form.
const recodeQueue = 1024

// waiting is an entry in the queue. The queue holds no entry in memory: an entry
// that has left the cache is neither kept nor recoded.
type waiting = weak.Pointer[Entry]

// enqueue schedules an entry for recoding.
func (c *Cache) enqueue(e *Entry) {
	if c.opts.Recode == nil {
		return
	}
	select {
	case c.recodes <- weak.Make(e):
	default:
	}
}

// recodeAll recodes entries until Close.
func (c *Cache) recodeAll() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case next := <-c.recodes:
			if e := next.Value(); e != nil && c.serves(e) && e.hold() {
				c.recode(e)
				e.release()
			}
		}
	}
}

// serves reports whether the cache serves this very entry.
func (c *Cache) serves(e *Entry) bool {
	_, s := c.lookAgain(e.Key)
	return s != nil && s.entry == e
}

// recode replaces an entry by another form of the entry. A panic costs that form.
func (c *Cache) recode(e *Entry) {
	defer func() {
		if p := recover(); p != nil {
			c.counts.panics.Add(1)
			c.opts.Logger.Error("panic in a recoding", "key", e.Key, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	variants := c.opts.Recode(e)
	if variants == nil {
		return
	}
	content := e.Content
	content.Variants = variants
	better, err := c.newEntry(e.Key, content, e.Filled, e.Took)
	if err != nil {
		c.opts.Logger.Error("recoding failed", "key", e.Key, "error", err)
		return
	}
	c.replace(e, better)
	better.release()
}

// replace puts an entry in the place of another entry, if the cache still holds
// the other one.
func (c *Cache) replace(old, by *Entry) {
	c.writes.Lock()
	defer c.writes.Unlock()
	now := c.current.Load()
	s := c.look(now, old.Key)
	switch {
	case s == nil || s.entry != old:
	case now.warm[old.Key] == nil:
		s.shelf.put(s.moved(by))
	case now.bytes-s.cost+by.Cost() <= c.warmBudget():
		c.set(now.with(s.moved(by)))
	}
}
