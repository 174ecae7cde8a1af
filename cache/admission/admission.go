// Package admission decides which entries stay in a part of a cache that is too small for
// all of them: by ristretto's TinyLFU policy, which weighs how often each key is requested.
// It works synchronously: a decision is known when Admit returns, with all that follows
// from it.
package admission

import (
	"sync"

	"github.com/dgraph-io/ristretto/v2"
)

// smallest is used to guess how many entries a budget may hold.
const smallest = 2 << 10

// Verdict is the admission policy's decision about an entry.
type Verdict uint8

const (
	Kept    Verdict = iota
	Refused         // thought less worth than the entries that it would displace
	Dropped         // not considered, because a buffer was full
)

// Policy knows the entries of one part of a cache, by key and cost. That an entry has left
// is for the owner to carry out. Admit, Remove and Resize must not run concurrently.
type Policy[V comparable] struct {
	entries *ristretto.Cache[string, V]
	mu      sync.Mutex // guards victims, which ristretto's goroutine appends to
	victims []V
}

// New returns a policy without entries that keeps the given sum of costs.
func New[V comparable](budget int64) (*Policy[V], error) {
	p := &Policy[V]{}
	entries, err := ristretto.NewCache(&ristretto.Config[string, V]{
		NumCounters:        max(1000, 10*budget/smallest),
		MaxCost:            budget,
		BufferItems:        64,
		IgnoreInternalCost: true,
		OnEvict: func(item *ristretto.Item[V]) {
			var removed V // the value of an entry that Remove has removed meanwhile
			if item.Value != removed {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.victims = append(p.victims, item.Value)
			}
		},
	})
	p.entries = entries
	return p, err
}

// Touch notes a request for a key, which need not have an entry.
func (p *Policy[V]) Touch(key string) { p.entries.Get(key) }

// Has reports whether a key has this very entry.
func (p *Policy[V]) Has(key string, v V) bool {
	now, ok := p.entries.Get(key)
	return ok && now == v
}

// Admit considers an entry for a key, or a lower cost of an entry that is there; before
// its cost rises, an entry must be removed, because ristretto evicts nothing for an update.
// It returns the entries that were evicted, which may be some although the entry itself was
// refused. It counts as a request for the key, so that a key that is refused again and
// again is kept in the end.
func (p *Policy[V]) Admit(key string, v V, cost int64) (verdict Verdict, victims []V) {
	if !p.entries.Set(key, v, cost) {
		return Dropped, nil
	}
	p.entries.Wait()
	if !p.Has(key, v) { // which counts a request
		verdict = Refused
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	victims, p.victims = p.victims, nil
	return verdict, victims
}

// Remove removes the entry of a key, if there is one.
func (p *Policy[V]) Remove(key string) { p.entries.Del(key) }

// Resize changes the budget. It evicts nothing: the owner removes entries that no
// longer fit.
func (p *Policy[V]) Resize(budget int64) { p.entries.UpdateMaxCost(budget) }

// Room returns how much of the budget is left, once all that was removed is settled.
func (p *Policy[V]) Room() int64 {
	p.entries.Wait()
	return p.entries.RemainingCost()
}

// Close ends the policy's goroutine. Nothing may run concurrently, and the policy admits
// nothing afterwards.
func (p *Policy[V]) Close() { p.entries.Close() }
