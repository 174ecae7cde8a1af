package cache

import (
	"hash/maphash"
	"sync/atomic"
)

const (
	// nearPlaces is how many slots are near, a power of two.
	nearPlaces = 4096
	// nearTimes is how many requests for a slot come by its shelf once: ristretto
	// must go on hearing of what is asked for.
	nearTimes = 4
)

// near finds slots of the shelves without asking these: one place for each hash
// of a key, for the slot that was last found there. It is safe for concurrent
// use.
type near struct {
	seed   maphash.Seed
	places [nearPlaces]atomic.Pointer[slot]
}

func newNear() *near { return &near{seed: maphash.MakeSeed()} }

func (n *near) place(key string) *atomic.Pointer[slot] {
	return &n.places[maphash.String(n.seed, key)%nearPlaces]
}

// get returns the slot of key, or nil if it is not near, or its shelf is to hear
// of this request.
func (n *near) get(key string) *slot {
	s := n.place(key).Load()
	if s == nil || s.entry.Key != key || s.gone.Load() || s.asked.Load()%nearTimes == 0 {
		return nil
	}
	return s
}

// put makes a slot that was found on a shelf near.
func (n *near) put(s *slot) {
	place := n.place(s.entry.Key)
	place.Store(s)
	if s.gone.Load() { // meanwhile
		place.CompareAndSwap(s, nil)
	}
}

// leave forgets a slot that has left its shelf, or its bytes would be held beyond
// the budget.
func (n *near) leave(s *slot) {
	s.gone.Store(true)
	n.place(s.entry.Key).CompareAndSwap(s, nil)
}
