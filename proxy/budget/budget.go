// Package budget limits memory that many requests share.
package budget

import "sync/atomic"

// small is the size up to which a Room may use the last quarter of its Budget: large
// requests can't take the room of small requests.
const small = 16 << 10

// Budget is an amount of memory. A nil Budget has no limit. It is safe for concurrent
// use.
type Budget struct {
	limit         int64
	used, refused atomic.Int64
}

// New returns a Budget of limit bytes.
func New(limit int64) *Budget { return &Budget{limit: limit} }

// Stats is a snapshot of a Budget.
type Stats struct {
	Limit, Used int64 // bytes
	Refused     int64 // requests for more room than was left, since the start
}

// Stats returns the figures of this moment; zero for a nil Budget.
func (b *Budget) Stats() Stats {
	if b == nil {
		return Stats{}
	}
	return Stats{b.limit, b.used.Load(), b.refused.Load()}
}

// Room returns room in the budget, which takes nothing yet.
func (b *Budget) Room() Room { return Room{budget: b} }

// Room is a part of a Budget. It is for one goroutine at a time.
type Room struct {
	budget *Budget
	taken  int64
}

// Grow takes n more bytes. It returns false, and takes nothing, if the budget has less
// left.
func (r *Room) Grow(n int) bool {
	b := r.budget
	if b == nil {
		return true
	}
	limit := b.limit
	if r.taken+int64(n) > small {
		limit -= limit / 4
	}
	if b.used.Add(int64(n)) > limit {
		b.used.Add(-int64(n))
		b.refused.Add(1)
		return false
	}
	r.taken += int64(n)
	return true
}

// Close gives everything back. It may be called more than once. The error is nil.
func (r *Room) Close() error {
	if r.taken > 0 {
		r.budget.used.Add(-r.taken)
		r.taken = 0
	}
	return nil
}
