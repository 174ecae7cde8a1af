package cache

import (
	"context"
	"runtime/debug"
	"weak"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/shelf"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// recodeQueue limits how many entries wait to be recoded. An entry that finds the
// queue full keeps its form.
const recodeQueue = 1024

// weakVersion is a version in the queue. The queue holds no entry in memory: an entry
// that has left the cache is neither kept nor recoded.
type weakVersion = weak.Pointer[slot.Version]

// enqueue schedules a version for recoding.
func (c *Cache) enqueue(v *slot.Version) {
	if c.opts.Recode == nil {
		return
	}
	select {
	case c.recodes <- weak.Make(v):
	default:
	}
}

// recodeAll recodes versions until Close.
func (c *Cache) recodeAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-c.recodes:
			if v := next.Value(); v != nil && c.has(v) && v.Hold() {
				c.remake(v, c.opts.Recode)
				v.Release()
			}
		}
	}
}

// has reports whether the cache serves this very version, or will.
func (c *Cache) has(v *slot.Version) bool {
	s := c.index.Get(v.Key)
	if s == nil {
		return false
	}
	next := s.Next()
	return s.Served() == v || next != nil && next.Version == v
}

// remake replaces a version by a form of it with other variants. A panic costs that form.
func (c *Cache) remake(v *slot.Version, variantsOf func(*Entry) []Variant) {
	defer func() {
		if p := recover(); p != nil {
			c.counts.panics.Add(1)
			c.opts.Logger.Error("panic in a recoding", "key", v.Key, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	variants := variantsOf(&v.Entry)
	if variants == nil {
		return
	}
	content := v.Content
	content.Variants = variants
	better, err := entry.New(v.Key, content, v.Filled, v.Took, c.opts.Check)
	if err != nil {
		c.opts.Logger.Error("recoding failed", "key", v.Key, "error", err)
		return
	}
	c.replace(v, better)
	better.Release()
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
