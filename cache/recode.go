package cache

import "runtime/debug"

// recodeQueue is how many entries may wait to be recoded. One that finds no
// place keeps the form that it has.
const recodeQueue = 256

// enqueue asks for another form of an entry, some time.
func (c *Cache) enqueue(e *Entry) {
	if c.opts.Recode == nil {
		return
	}
	select {
	case c.recodes <- e:
	default:
	}
}

// recodeAll recodes entries until Close.
func (c *Cache) recodeAll() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case e := <-c.recodes:
			c.recode(e)
		}
	}
}

// recode replaces an entry by another form of it. A panic costs that form.
func (c *Cache) recode(e *Entry) {
	defer func() {
		if p := recover(); p != nil {
			c.counts.panics.Add(1)
			c.opts.Logger.Error("panic in a recoding", "key", e.Key, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	if better := c.opts.Recode(e); better != nil {
		c.replace(e, better)
	}
}

// replace puts one entry in the place of another, if that is still there.
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
