package content

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// longestMemo is the longest text that a memo keeps, in bytes.
const longestMemo = 256

// Memo maps texts that requests repeat to values that depend on the text alone. A text has
// two places, found by its hash, which it shares with other texts: any text may be replaced
// at any time. Memo is safe for concurrent use, and a lookup takes no lock and allocates
// nothing.
type Memo[V any] struct {
	seed  maphash.Seed
	pairs []pair[V]
}

type pair[V any] [2]atomic.Pointer[memorized[V]]

type memorized[V any] struct {
	text  string
	value *V
	// asked is set by a lookup, and spares the text once from being replaced.
	asked atomic.Bool
}

// NewMemo returns a Memo with room for at least two texts and at least room; it may
// have twice as much.
func NewMemo[V any](room int) Memo[V] {
	return Memo[V]{maphash.MakeSeed(), make([]pair[V], 1<<bits.Len(uint(max(room, 2)-1)/2))}
}

func (m *Memo[V]) pair(text []byte) *pair[V] {
	return &m.pairs[maphash.Bytes(m.seed, text)&uint64(len(m.pairs)-1)]
}

// Get returns the value of a text, or nil.
func (m *Memo[V]) Get(text []byte) *V {
	pair := m.pair(text)
	for i := range pair {
		if found := pair[i].Load(); found != nil && found.text == string(text) {
			if !found.asked.Load() {
				found.asked.Store(true)
			}
			return found.value
		}
	}
	return nil
}

// Put remembers the value of a text: in an empty place, or in the place of a text that was
// not looked up since the last Put that found no place. Texts that are looked up often
// stay.
func (m *Memo[V]) Put(text []byte, value *V) {
	if len(text) > longestMemo {
		return
	}
	in, pair := &memorized[V]{text: string(text), value: value}, m.pair(text)
	for i := range pair {
		if pair[i].CompareAndSwap(nil, in) {
			return
		}
	}
	for i := range pair {
		if !pair[i].Load().asked.Load() {
			pair[i].Store(in)
			return
		}
	}
	for i := range pair {
		pair[i].Load().asked.Store(false)
	}
}

// Clear forgets all texts. It must not run beside other calls.
func (m *Memo[V]) Clear() { clear(m.pairs) }
