// Package shelf divides the budget of a cache among its shelves and decides which shelf
// keeps an item. The warm set, the hot shelf and the season keep their items; in the tail
// and among the absent answers, the admission policy decides which items stay. Each shelf
// has a budget of its own, so that an item never evicts items of another shelf.
package shelf

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/lewistv/xcri-proxy/cache/admission"
)

// Place is the shelf that keeps an item.
type Place uint32

// The places.
const (
	Nowhere Place = iota // on no shelf
	Warm                 // the warm set, which is published with a generation
	Hot                  // items that are requested again and again
	Tail                 // all others
	Absent               // answers without content
	Season               // items that were put there ahead of requests
	places
)

// String returns the name of the place in metrics and answers; empty for Nowhere.
func (p Place) String() string {
	return [places]string{"", "warm", "hot", "tail", "absent", "season"}[p]
}

// largestShare of the tail or of the absent shelf is the limit for a single item: a
// larger item would evict many and might then be refused itself. The same share of the
// hot shelf is the limit for an item there.
const largestShare = 4

// Item is a pointer to a struct that embeds a Label.
type Item interface {
	comparable
	label() *Label
}

// Label is the place of an item, and the count of its requests. Its owner sets the key
// before the first Put.
type Label struct {
	Key string
	// Asked counts the requests for the item. Count increases it; its owner halves it.
	Asked atomic.Uint32
	place atomic.Uint32
	// position is the item's index in shelf.items, and cost its size on the shelf.
	position int
	cost     int64
	round    uint32 // the season's last round that has reached the item
}

func (l *Label) label() *Label { return l }

// Place returns where the item is. It may be called at any time.
func (l *Label) Place() Place { return Place(l.place.Load()) }

// Shelves keep the items of a cache. Note may be called at any time; no other two calls may
// run concurrently.
type Shelves[T Item] struct {
	all   [places]*shelf[T]
	bytes int64 // the budget of all of them
	season
}

// shelf is a share of the cache with a budget of its own.
type shelf[T Item] struct {
	Stats
	items  []T
	policy *admission.Policy[T] // nil for a shelf that evicts nothing by itself
	touch  func(key string)     // of the policy, which may drop touches; tests record them
	hand   int                  // index at which the search for an item to displace continues
}

// Stats are figures of one shelf.
type Stats struct {
	Name     string
	Budget   int64 // bytes
	Bytes    int64
	Entries  int64
	Evicted  int64 // removed for other entries, for a smaller budget, or at the end of a round
	Rejected int64 // refused by the admission policy, or because the season is full
	TooLarge int64 // over the limit of a single entry, or of the warm set
	Dropped  int64 // not kept, because the policy's write buffer was full
}

// New returns empty shelves with a budget in bytes.
func New[T Item](bytes int64) (*Shelves[T], error) {
	sh := &Shelves[T]{bytes: bytes}
	for at := range places {
		sh.all[at] = &shelf[T]{Stats: Stats{Name: at.String()}}
	}
	sh.all[Warm].Budget = bytes * warmShare / 100
	hot, tail, absent := sh.shares(0)
	sh.all[Hot].Budget, sh.all[Tail].Budget, sh.all[Absent].Budget = hot, tail, absent
	for _, at := range [...]Place{Tail, Absent} {
		made, err := admission.New[T](sh.all[at].Budget)
		if err != nil {
			sh.Close()
			return nil, fmt.Errorf("the budget of %d bytes: %s shelf: %w", bytes, at, err)
		}
		sh.all[at].policy, sh.all[at].touch = made, made.Touch
	}
	return sh, nil
}

// Close ends the goroutines of the admission policies. Nothing may run concurrently, and
// the tail and the absent shelf take no item afterwards.
func (sh *Shelves[T]) Close() {
	for _, p := range sh.all {
		if p.policy != nil {
			p.policy.Close()
		}
	}
}

// Put puts an item on a shelf, from any other place, or changes its cost. It reports
// whether the item stays there, and returns the items that had to leave for it. These
// items, and an item that is not kept, are nowhere.
func (sh *Shelves[T]) Put(item T, at Place, cost int64) (kept bool, out []T) {
	l, target := item.label(), sh.all[at]
	if target.policy != nil && cost > target.Budget/largestShare {
		target.TooLarge++
		sh.Remove(item)
		return false, nil
	}
	if from := l.Place(); from != Nowhere {
		grows := cost > l.cost
		source := sh.all[from]
		source.remove(item)
		if source.policy != nil && (from != at || grows) {
			source.policy.Remove(l.Key) // also before its cost rises
		}
	}
	target.add(item, at, cost)
	if target.policy == nil {
		return true, nil
	}
	verdict, out := target.policy.Admit(l.Key, item, cost)
	for _, victim := range out {
		target.Evicted++
		sh.Remove(victim)
	}
	switch verdict {
	case admission.Kept:
		return true, out
	case admission.Refused:
		target.Rejected++
	case admission.Dropped:
		target.Dropped++
	}
	sh.Remove(item)
	return false, out
}

// Remove takes an item off its shelf, if it is on any.
func (sh *Shelves[T]) Remove(item T) {
	l := item.label()
	p := sh.all[l.Place()]
	if l.Place() == Nowhere {
		return
	}
	p.remove(item)
	l.place.Store(uint32(Nowhere))
	if p.policy != nil {
		p.policy.Remove(l.Key)
	}
}

// add puts an item that is on no shelf on the shelf, and its place on the label.
func (p *shelf[T]) add(item T, at Place, cost int64) {
	l := item.label()
	l.place.Store(uint32(at))
	l.position, l.cost = len(p.items), cost
	p.items = append(p.items, item)
	p.Bytes += cost
}

// remove takes an item off the shelf. The caller must update the policy and the label's place
// separately: readers of the label must not see an item that moves as nowhere.
func (p *shelf[T]) remove(item T) {
	l, last := item.label(), len(p.items)-1
	moved := p.items[last]
	p.items[l.position], moved.label().position = moved, l.position
	var none T
	p.items[last] = none
	p.items = p.items[:last]
	p.Bytes -= l.cost
}

// fits reports whether the shelf has room for more bytes without evicting anything.
func (p *shelf[T]) fits(bytes int64) bool { return p.Bytes+bytes <= p.Budget }

// Fits reports whether the shelf of an item has room for it at another cost.
func (sh *Shelves[T]) Fits(item T, cost int64) bool {
	l := item.label()
	return sh.all[l.Place()].fits(cost - l.cost)
}

// HasRoom reports whether the warm set, the hot shelf or the season has room for one more
// item.
func (sh *Shelves[T]) HasRoom(at Place, cost int64) bool {
	p := sh.all[at]
	return p.fits(cost) && (at != Hot || cost <= p.Budget/largestShare)
}

// LeaveOut counts items that find no room in the warm set.
func (sh *Shelves[T]) LeaveOut(n int64) { sh.all[Warm].TooLarge += n }

// Items returns the items of a shelf.
func (sh *Shelves[T]) Items(at Place) []T { return slices.Clone(sh.all[at].items) }

// Bytes returns the cost of a shelf's items.
func (sh *Shelves[T]) Bytes(at Place) int64 { return sh.all[at].Bytes }

// Budget returns the most bytes that a shelf may hold.
func (sh *Shelves[T]) Budget(at Place) int64 { return sh.all[at].Budget }

// Stats returns the figures of each shelf, the warm set first. The warm set's budget is
// the remainder of the others.
func (sh *Shelves[T]) Stats() (all []Stats) {
	rest := sh.bytes
	for _, p := range sh.all[Warm:] {
		s := p.Stats
		s.Entries = int64(len(p.items))
		all = append(all, s)
		if s.Name != Warm.String() {
			rest -= s.Budget
		}
	}
	all[0].Budget = rest
	return all
}
