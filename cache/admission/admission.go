// Package admission decides which entries stay in a part of a cache that is too small for
// all of them: by ristretto's TinyLFU policy, which compares how often keys are requested.
// It works synchronously: Admit returns the decision and the evictions that it causes.
package admission

import (
	"sync"

	"github.com/dgraph-io/ristretto/v2"
)

// smallest is the assumed cost of an entry, by which New chooses the number of counters.
const smallest = 2 << 10

// Verdict is the admission policy's decision about an entry.
type Verdict uint8

const (
	Kept    Verdict = iota // admitted
	Refused                // requested less often than the entries that it would displace
	Dropped                // not considered, because a write buffer was full
)

// Policy holds the key and the cost of each entry in one part of a cache. Its owner removes
// the entries that Admit reports as evicted. Touch may be called at any time; no other two
// calls may run concurrently.
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

// Touch counts a request for a key, which need not have an entry.
func (p *Policy[V]) Touch(key string) { p.entries.Get(key) }

// Has reports whether a key has this very entry.
func (p *Policy[V]) Has(key string, v V) bool {
	now, ok := p.entries.Get(key)
	return ok && now == v
}

// Admit considers an entry for a key, or a lower cost of an entry that is there; before
// its cost rises, an entry must be removed, because ristretto evicts nothing for an update.
// It returns the evicted entries; there can be some although the entry itself is refused.
// Admit counts as a request for the key, so that a key that is refused again and again is
// admitted in the end.
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

// Resize changes the budget. It evicts nothing: the owner removes the entries that no longer
// fit.
func (p *Policy[V]) Resize(budget int64) { p.entries.UpdateMaxCost(budget) }

// Room waits for pending removals, and returns the free part of the budget.
func (p *Policy[V]) Room() int64 {
	p.entries.Wait()
	return p.entries.RemainingCost()
}

// Close ends the policy's goroutine. No other call may run concurrently, and the policy
// admits nothing afterwards.
func (p *Policy[V]) Close() { p.entries.Close() }
