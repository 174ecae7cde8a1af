package cache

import "sync/atomic"

// nearTimes is how many requests for a slot on a shelf are one that the shelf
// hears of: ristretto must know what is asked for. With all of them TestHitRatio
// comes no nearer to the optimum.
const nearTimes = 16

// Ref is a key that remembers where its entry was last found, for one that is
// asked for again and again. It is safe for concurrent use, and must not be
// copied. It holds on to no entry that the cache has let go of.
type Ref struct {
	Key  string
	near atomic.Pointer[slot]
}

// slot returns the slot of the key, or nil if it must be looked up.
func (r *Ref) slot() *slot {
	s := r.near.Load()
	if s == nil || s.gone.Load() {
		return nil
	}
	if s.shelf != nil && s.asked.Load()%nearTimes == 0 && s.shelf.get(r.Key) != s {
		return nil
	}
	return s
}

// remember makes s what the ref finds. A slot has one ref that does: the last.
func (r *Ref) remember(s *slot) {
	if old := s.ref.Swap(r); old != nil && old != r {
		old.near.CompareAndSwap(s, nil)
	}
	r.near.Store(s)
	if s.gone.Load() || s.ref.Load() != r { // meanwhile
		r.near.CompareAndSwap(s, nil)
	}
}

// leave marks a slot that is no longer where it was, so that no ref finds it, or
// holds its bytes beyond the budget.
func (s *slot) leave() {
	s.gone.Store(true)
	if r := s.ref.Load(); r != nil {
		r.near.CompareAndSwap(s, nil)
	}
}
