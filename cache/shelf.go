package cache

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// slot is what the cache holds: an entry, and what happened to it since.
type slot struct {
	entry *Entry
	cost  int64
	shelf *shelf // where it is; nil for the warm set
	// asked counts the requests that the slot has answered.
	asked atomic.Uint32
	// heldBy is the last state in which the entry was found to be true.
	heldBy atomic.Pointer[state]
	// purged makes the entry stale whatever its generation.
	purged atomic.Bool
	// ref is the ref that finds the slot; nil for none.
	ref atomic.Pointer[Ref]
	// gone is set once the slot has left the warm set or its shelf.
	gone atomic.Bool
	// refreshing is set while a refresh of the entry is under way.
	refreshing atomic.Bool
	// failedUntil is when a refresh may next be tried, in Unix nanoseconds,
	// after one has failed; zero before that.
	failedUntil atomic.Int64
}

func newSlot(e *Entry) *slot { return &slot{entry: e, cost: e.Cost()} }

// moved returns a slot for another place or form of the entry, e, with the same
// history.
func (s *slot) moved(e *Entry) *slot {
	m := newSlot(e)
	m.asked.Store(s.asked.Load())
	m.heldBy.Store(s.heldBy.Load())
	m.purged.Store(s.purged.Load())
	m.failedUntil.Store(s.failedUntil.Load())
	return m
}

// failing reports whether the entry's last refresh failed a short while ago.
func (s *slot) failing(now time.Time) bool { return now.UnixNano() < s.failedUntil.Load() }

// failed leaves the entry alone for a while.
func (s *slot) failed(now time.Time) { s.failedUntil.Store(now.Add(retryAfter).UnixNano()) }

// shelf is a part of the cache with a budget of its own, so that what belongs
// on one shelf can never push out what is on another.
type shelf struct {
	name     string
	budget   atomic.Int64
	slots    *ristretto.Cache[string, *slot]
	bytes    atomic.Int64
	entries  atomic.Int64
	evicted  atomic.Int64 // pushed out by other entries
	rejected atomic.Int64 // thought less worth than what is there
	tooLarge atomic.Int64 // over the share of the shelf that one entry may take
	dropped  atomic.Int64 // lost in a rush of writes
}

const (
	// largestShare of a shelf is the most that one entry may take: a larger one
	// would push out many and might then be refused itself.
	largestShare = 4
	// smallestEntry is used to guess how many entries a shelf may hold.
	smallestEntry = 2 << 10
)

func newShelf(name string, budget int64) (*shelf, error) {
	s := &shelf{name: name}
	s.budget.Store(budget)
	slots, err := ristretto.NewCache(&ristretto.Config[string, *slot]{
		NumCounters:        max(1000, 10*budget/smallestEntry),
		MaxCost:            budget,
		BufferItems:        64,
		IgnoreInternalCost: true,
		OnEvict:            func(*ristretto.Item[*slot]) { s.evicted.Add(1) },
		OnReject:           func(*ristretto.Item[*slot]) { s.rejected.Add(1) },
		OnExit: func(gone *slot) {
			if gone != nil { // nil for the deletion of a key that is not there
				s.bytes.Add(-gone.cost)
				s.entries.Add(-1)
				gone.leave()
				gone.entry.release()
			}
		},
	})
	s.slots = slots
	return s, err
}

func (s *shelf) get(key string) *slot {
	found, ok := s.slots.Get(key)
	if !ok || found.entry.Key != key { // two keys with one hash
		return nil
	}
	return found
}

// put stores a slot and returns once readers see it. It must not run twice at
// once for one key: of two writes of a new key, ristretto keeps the first. It
// reports whether the shelf kept the slot.
func (s *shelf) put(in *slot) bool {
	key := in.entry.Key
	in.shelf = s
	in.gone.Store(false) // it may come from a shelf that had no room
	if in.cost > s.budget.Load()/largestShare {
		s.tooLarge.Add(1)
		s.remove(key)
		return false
	}
	if old := s.get(key); old != nil {
		// Half of it, so that what a crawler asks for now and then never adds
		// up to a visitor's page.
		in.asked.Store(old.asked.Load() / 2)
		if in.cost > old.cost {
			// ristretto lets an entry outgrow the budget in place.
			s.remove(key)
		}
	}
	if !in.entry.hold() { // its place was taken meanwhile
		s.remove(key)
		return false
	}
	s.bytes.Add(in.cost)
	s.entries.Add(1)
	if !s.slots.Set(key, in, in.cost) {
		in.entry.release()
		s.bytes.Add(-in.cost)
		s.entries.Add(-1)
		s.dropped.Add(1)
		return false
	}
	s.slots.Wait()
	return s.get(key) == in
}

// fits reports whether there is room for a slot that pushes out none.
func (s *shelf) fits(in *slot) bool { return s.bytes.Load()+in.cost <= s.budget.Load() }

// resize changes the shelf's budget, and takes off it what no longer fits: what
// was asked for least, first. It must not run while something is put in.
func (s *shelf) resize(budget int64) {
	if s.budget.Swap(budget) == budget {
		return
	}
	s.slots.UpdateMaxCost(budget)
	if s.bytes.Load() <= budget {
		return
	}
	var held []*slot
	s.slots.IterValues(func(in *slot) (stop bool) {
		held = append(held, in)
		return false
	})
	slices.SortFunc(held, func(a, b *slot) int { return cmp.Compare(a.asked.Load(), b.asked.Load()) })
	for _, in := range held {
		if s.bytes.Load() <= budget {
			return
		}
		s.remove(in.entry.Key)
		s.evicted.Add(1)
	}
}

// remove takes a key off the shelf.
func (s *shelf) remove(key string) {
	s.slots.Del(key)
}
