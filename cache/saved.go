package cache

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// Saved is an entry as a file keeps it.
type Saved struct {
	*Entry
	Warm   bool   // from the warm set; otherwise from the hot shelf
	Purged bool   // not true, whatever its generation
	Asked  uint32 // how often it was asked for
}

// File is what was saved by an earlier run.
type File struct {
	By      string    // the program that saved it
	At      time.Time // when
	Size    int64     // bytes
	Entries []Saved   // the warm set first, and in that the most wanted
}

// Save writes the warm set and the hot shelf to a file, which appears whole or
// not at all. By names the program, for File.By. It returns how many entries it
// wrote: none, and no file, if there is no warm set. Requests do not wait for
// it.
func (c *Cache) Save(path, by string) (entries int, err error) {
	c.saving.Lock()
	defer c.saving.Unlock()
	all := c.worthSaving()
	defer func() {
		for _, s := range all {
			s.release()
		}
	}()
	if len(all) == 0 || !all[0].Warm {
		return 0, nil
	}
	if err := replaceFile(path, func(w io.Writer) error { return writeEntries(w, by, all) }); err != nil {
		return 0, fmt.Errorf("save the cache: %w", err)
	}
	return len(all), nil
}

// worthSaving returns the warm set and the hot shelf, each with the entries that are
// asked for most first. The caller releases them.
func (c *Cache) worthSaving() (all []Saved) {
	c.each(func(s *slot, where string) {
		if (where == "warm" || s.shelf == c.hot) && s.entry.hold() {
			all = append(all, Saved{s.entry, where == "warm", s.purged.Load(), s.asked.Load()})
		}
	})
	slices.SortFunc(all, func(a, b Saved) int {
		switch {
		case a.Warm != b.Warm && a.Warm:
			return -1
		case a.Warm != b.Warm:
			return 1
		}
		return cmp.Or(cmp.Compare(b.Asked, a.Asked), cmp.Compare(a.Key, b.Key))
	})
	return all
}

// Adopt puts entries of an earlier run where they were, as far as there is room.
// It is for a cache without generation: until PublishFirst all are stale. Entries
// that may not be stored are left out.
func (c *Cache) Adopt(entries []Saved) {
	entries = c.fit(entries)
	c.writes.Lock()
	defer c.writes.Unlock()
	next := *c.current.Load()
	next.warm = maps.Clone(next.warm)
	if next.warm == nil {
		next.warm = map[string]*slot{}
	}
	for _, e := range entries {
		s := newSlot(e.Entry)
		s.purged.Store(e.Purged)
		s.asked.Store(e.Asked)
		switch {
		case next.warm[e.Key] != nil:
		case e.Warm && next.bytes+s.cost <= c.warmBudget():
			next.warm[e.Key] = s
			next.bytes += s.cost
		case e.Status != 200 || !c.hot.put(s):
			c.shelve(s)
		}
	}
	c.set(&next)
	for _, e := range entries {
		c.enqueue(e.Entry)
	}
}

// fit returns those of the entries that may be stored.
func (c *Cache) fit(entries []Saved) []Saved {
	fit := make([]Saved, 0, len(entries))
	for _, e := range entries {
		made, err := c.newEntry(e.Key, e.Content, e.Filled, e.Took)
		if err != nil {
			c.opts.Logger.Warn("saved entry left out", "key", e.Key, "error", err)
			continue
		}
		e.Entry = made
		fit = append(fit, e)
	}
	return fit
}

// PublishFirst makes g the current generation with the warm set that there is:
// from now on entries that g holds are true.
func (c *Cache) PublishFirst(g Generation) {
	c.writes.Lock()
	defer c.writes.Unlock()
	next := *c.current.Load()
	next.state, next.at = &state{g}, time.Now()
	c.set(&next)
}
