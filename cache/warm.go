package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// ErrMoved is the error of a key whose fill found a newer generation than the
// one being prepared.
var ErrMoved = errors.New("the data moved on meanwhile")

// warmFills is the most fills at once that prepare a warm set: visitors need
// the others.
const warmFills = 4

// state is a generation, in a place of its own so that a slot can remember
// cheaply that it was found to be true in it. The generation is nil before the
// first.
type state struct{ Generation }

// published is all that changes in one step when a generation is published. It
// is immutable.
type published struct {
	*state
	at    time.Time
	warm  map[string]*slot
	bytes int64 // of the warm set
}

// holds reports whether a slot's entry is true in the current generation.
func (p *published) holds(s *slot) bool {
	if p.Generation == nil || s.purged.Load() {
		return false
	}
	if s.heldBy.Load() == p.state {
		return true
	}
	if !p.Generation.Holds(s.entry) {
		return false
	}
	s.heldBy.Store(p.state)
	return true
}

// flight names the fill of a key: a reader after a publish or a purge does not
// join a fill from before it.
func (c *Cache) flight(now *published, key string) string {
	id := ""
	if now.Generation != nil {
		id = now.ID()
	}
	return fmt.Sprint(key, " ", id, " ", c.purged.Load())
}

// with returns p with another slot for a key of its warm set.
func (p *published) with(s *slot) *published {
	next := *p
	next.warm = maps.Clone(p.warm)
	old := p.warm[s.entry.Key]
	s.asked.Store(old.asked.Load() / 2)
	next.bytes += s.cost - old.cost
	next.warm[s.entry.Key] = s
	return &next
}

// without returns p without those of the slots that are in its warm set.
func (p *published) without(gone ...*slot) *published {
	next := *p
	next.warm = maps.Clone(p.warm)
	for _, s := range gone {
		if next.warm[s.entry.Key] == s {
			delete(next.warm, s.entry.Key)
			next.bytes -= s.cost
		}
	}
	return &next
}

func (c *Cache) warmBudget() int64 { return c.opts.Bytes * warmShare / 100 }

// Warmed tells how one key of a warm set fared.
type Warmed struct {
	Key string
	// Entry is what will be published: of the new generation, or if Err is not
	// nil an older one that is there; may be nil then.
	Entry *Entry
	// Filled is whether it was loaded, rather than found to be true still.
	Filled bool
	Err    error
}

// Prepare makes the warm set of a generation on the side, while readers go on
// getting the current one: it keeps each entry that is true in g too and fills
// the others, a few at once. It calls each, one at a time, for every key done.
// Publish makes the result the current one.
func (c *Cache) Prepare(ctx context.Context, g Generation, keys []string, each func(Warmed)) []Warmed {
	var calls sync.Mutex
	done := make([]Warmed, len(keys))
	turns := make(chan struct{}, min(warmFills, c.opts.Fills))
	var all sync.WaitGroup
	for i, key := range keys {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			done[i] = c.prepare(ctx, g, key)
			calls.Lock()
			defer calls.Unlock()
			each(done[i])
		})
	}
	all.Wait()
	return done
}

func (c *Cache) prepare(ctx context.Context, g Generation, key string) Warmed {
	w := Warmed{Key: key}
	if _, s := c.lookAgain(key); s != nil {
		w.Entry = s.entry
		if !s.purged.Load() && g.Holds(s.entry) {
			return w
		}
	}
	if w.Err = c.outage.Era().err(); w.Err != nil {
		return w
	}
	e, err := c.fill(ctx, key)
	switch {
	case err != nil:
		w.Err = err
	case !g.Holds(e):
		w.Err = ErrMoved
	default:
		w.Entry, w.Filled = e, true
	}
	return w
}

// Publish makes g the current generation and set its warm set, in one step.
// Entries that find no room in the warm set's share of the budget, the last
// ones first, go on the shelves.
func (c *Cache) Publish(g Generation, set []Warmed) {
	c.writes.Lock()
	defer c.writes.Unlock()
	// What was popular once does not stay: the one place where counts halve by
	// the generation, for the warm set and the shelves alike.
	c.each(func(s *slot, _ string) { s.asked.Store(s.asked.Load() / 2) })
	before := c.current.Load()
	next := &published{state: &state{g}, at: time.Now(), warm: make(map[string]*slot, len(set))}
	var homeless []*slot
	for _, w := range set {
		if w.Entry == nil || next.warm[w.Key] != nil {
			continue
		}
		s := c.slotOf(before, w)
		if next.bytes+s.cost > c.warmBudget() {
			homeless = append(homeless, s)
			continue
		}
		next.warm[w.Key] = s
		next.bytes += s.cost
	}
	for key, s := range before.warm { // first, or a reader would find it nowhere
		if next.warm[key] == nil {
			c.shelve(s.moved(s.entry))
		}
	}
	c.set(next)
	c.tidy(next, homeless)
	for _, w := range set {
		if w.Filled {
			c.enqueue(w.Entry)
		}
	}
}

// slotOf returns the slot in which w is published. What was not filled may
// have been refreshed, recoded or purged since it was prepared.
func (c *Cache) slotOf(before *published, w Warmed) *slot {
	s := c.filled(w.Entry)
	if old := c.look(before, w.Key); old != nil {
		if !w.Filled {
			s = old.moved(old.entry)
		}
		s.asked.Store(old.asked.Load())
	}
	return s
}

// tidy takes off the shelves what is in the new warm set, and puts there what
// found no room in it.
func (c *Cache) tidy(next *published, homeless []*slot) {
	for key := range next.warm {
		for _, shelf := range c.shelves() {
			if shelf.get(key) != nil {
				shelf.remove(key)
			}
		}
	}
	for _, s := range homeless {
		c.shelve(s)
	}
	if len(homeless) > 0 {
		c.counts.tooLargeToWarm.Add(int64(len(homeless)))
		c.opts.Logger.Warn("the warm set finds no room; raise CACHE_BYTES", "left_out", len(homeless))
	}
}

// Published returns the current generation and since when it is; nil before
// the first.
func (c *Cache) Published() (Generation, time.Time) {
	p := c.current.Load()
	return p.Generation, p.at
}

// Warm returns how many entries the warm set has.
func (c *Cache) Warm() int { return len(c.current.Load().warm) }

// Popular returns the keys that were asked for most, most first, at most n.
// Counts halve with each generation, so what was popular once does not stay.
func (c *Cache) Popular(n int) []string {
	asked := map[string]uint32{}
	c.each(func(s *slot, _ string) {
		if s.entry.Status == 200 && s.asked.Load() >= promoteAfter {
			asked[s.entry.Key] = s.asked.Load()
		}
	})
	keys := slices.Collect(maps.Keys(asked))
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(asked[b], asked[a]), cmp.Compare(a, b))
	})
	return keys[:min(n, len(keys))]
}

// each calls f for every slot, with the name of where it is.
func (c *Cache) each(f func(s *slot, where string)) {
	for _, s := range c.current.Load().warm {
		f(s, "warm")
	}
	for _, shelf := range c.shelves() {
		shelf.slots.IterValues(func(s *slot) (stop bool) {
			f(s, shelf.name)
			return false
		})
	}
}

// EachStale calls f for every entry that is not true in the current generation,
// or purged.
func (c *Cache) EachStale(f func(*Entry)) {
	now := c.current.Load()
	c.each(func(s *slot, _ string) {
		if !now.holds(s) {
			f(s.entry)
		}
	})
}
