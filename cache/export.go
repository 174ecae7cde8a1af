package cache

import (
	"time"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/reads"
	"github.com/lewistv/xcri-proxy/cache/shelf"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// Export returns the warm set, then the hot shelf and the season, each with the most
// requested entries first. The caller releases each of them.
func (c *Cache) Export() (all []Saved) {
	for _, s := range c.index.All() {
		if at := s.Place(); at == shelf.Warm || at == shelf.Hot || at == shelf.Season {
			if v := s.Hold(); v != nil {
				all = append(all, Saved{Key: v.Key, Content: v.Content, Filled: v.Filled, Took: v.Took, Warm: at == shelf.Warm,
					Season: at == shelf.Season, Purged: v.Purged() || v.Doubtful, Asked: s.Asked.Load()})
			}
		}
	}
	entry.SortSaved(all)
	return all
}

// Adopt puts entries of an earlier run where they were, as far as there is room. It is for
// a new cache: keys that are cached already are left alone, and after the first purge it
// does nothing, because the entries may be from before. Before a generation is published
// they are stale. Entries that may not be stored are left out.
func (c *Cache) Adopt(entries []Saved) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reads.Purges() > 0 {
		return
	}
	now := time.Now()
	for _, e := range entries {
		// The age, not the time, is kept: the clock may have been ahead, or be set back.
		age := max(0, now.Sub(e.Filled))
		made, err := entry.New(e.Key, e.Content, now.Add(-age), max(0, e.Took), c.opts.Check)
		if err != nil {
			c.opts.Logger.Warn("saved entry left out", "key", e.Key, "error", err)
			continue
		}
		if c.index.Get(e.Key) == nil {
			c.adopt(made, e)
		}
	}
	c.share(c.shelves.Bytes(shelf.Warm))
}

func (c *Cache) adopt(made *Entry, e Saved) {
	v, s := slot.NewVersion(made, reads.Moment{}), slot.New(e.Key)
	if e.Purged {
		v.Purge()
	}
	s.Asked.Store(e.Asked)
	var kept bool
	switch {
	case e.Warm && c.shelves.HasRoom(shelf.Warm, v.Cost()):
		kept = c.move(s, v, shelf.Warm)
	case e.Season && c.shelves.HasRoom(shelf.Season, v.Cost()):
		kept = c.move(s, v, shelf.Season)
	case !c.opts.Absent(&v.Content) && c.shelves.HasRoom(shelf.Hot, v.Cost()):
		kept = c.move(s, v, shelf.Hot)
	default:
		kept = c.shelve(s, v)
	}
	if kept {
		c.recoder.Add(v)
	}
}
