package proxy

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// How many Accept-Encoding headers are known at once, and how many request targets:
// a large cache has room for one for each bytesPerTarget. A site has a few thousand
// pages that are asked for again and again, and browsers send a dozen headers.
const (
	knownAccepts   = 64
	knownTargets   = 16 << 10
	bytesPerTarget = 4 << 10
)

// longestMemo is the longest text that a memo keeps, in bytes.
const longestMemo = 256

// memo remembers what was worked out from a text that requests bring again and
// again. Each text has two places, found by its hash, and shares them with others:
// it forgets, and nothing may depend on that it remembers. It is safe for
// concurrent use, and a lookup takes no lock and allocates nothing.
type memo[V any] struct {
	seed  maphash.Seed
	pairs []pair[V]
}

type pair[V any] [2]atomic.Pointer[memorized[V]]

type memorized[V any] struct {
	text  string
	value *V
	// asked is set by a lookup, and spares it once from being replaced.
	asked atomic.Bool
}

// newMemo returns a memo with room for that many texts, two or more; it may have
// twice as much.
func newMemo[V any](room int) memo[V] {
	return memo[V]{maphash.MakeSeed(), make([]pair[V], 1<<bits.Len(uint(room-1)/2))}
}

func (m *memo[V]) pair(text []byte) *pair[V] {
	return &m.pairs[maphash.Bytes(m.seed, text)&uint64(len(m.pairs)-1)]
}

// get returns what was put for text, or nil.
func (m *memo[V]) get(text []byte) *V {
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

// put remembers value for text: in an empty place, or in that of a text that was not
// asked for since the last put that found no place. What is asked for all the time
// stays.
func (m *memo[V]) put(text []byte, value *V) {
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
