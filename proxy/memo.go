package proxy

import (
	"hash/maphash"
	"sync/atomic"
)

// How many request targets and Accept-Encoding headers are known at once. A site
// has a few thousand pages that are asked for again and again, and browsers send
// a dozen headers.
const (
	knownTargets = 16 << 10
	knownAccepts = 64
)

// longestMemo is the longest text that a memo keeps, in bytes.
const longestMemo = 256

// memo remembers what was worked out from a text that requests bring again and
// again. Each text has one place, found by its hash, and shares it with others:
// it forgets, and nothing may depend on that it remembers. It is safe for
// concurrent use, and a lookup takes no lock and allocates nothing.
type memo[V any] struct {
	seed  maphash.Seed
	slots []atomic.Pointer[memorized[V]]
}

type memorized[V any] struct {
	text  string
	value V
	// asked is set by a lookup, and spares it once from being replaced.
	asked atomic.Bool
}

// newMemo returns a memo with room for so many texts, a power of two.
func newMemo[V any](room int) memo[V] {
	return memo[V]{maphash.MakeSeed(), make([]atomic.Pointer[memorized[V]], room)}
}

func (m *memo[V]) slot(text []byte) *atomic.Pointer[memorized[V]] {
	return &m.slots[maphash.Bytes(m.seed, text)&uint64(len(m.slots)-1)]
}

// get returns what was put for text, or nil. It must not be changed.
func (m *memo[V]) get(text []byte) *V {
	found := m.slot(text).Load()
	if found == nil || found.text != string(text) {
		return nil
	}
	if !found.asked.Load() {
		found.asked.Store(true)
	}
	return &found.value
}

// put remembers value for text, unless what is in its place was asked for since
// the last put there: what is asked for all the time stays.
func (m *memo[V]) put(text []byte, value V) {
	if len(text) > longestMemo {
		return
	}
	slot := m.slot(text)
	if old := slot.Load(); old != nil && old.asked.CompareAndSwap(true, false) {
		return
	}
	slot.Store(&memorized[V]{text: string(text), value: value})
}
