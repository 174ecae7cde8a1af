package shelf

import (
	"cmp"
	"slices"
)

const (
	// PromoteAfter is the number of requests that an item answers in the tail before it
	// moves to the hot shelf. A crawl requests each page once or twice.
	PromoteAfter = 4
	// displaceAfter is the number of requests that an item must have answered to displace
	// others there, and displaceFactor the least ratio to the requests of each displaced
	// item.
	displaceAfter  = 64
	displaceFactor = 2
	// displaceSample is the number of hot items that are considered for a displacement.
	displaceSample = 32
	// touchEvery is the interval of the requests for an item that touch the admission
	// policy, after the first touchEvery requests, which all do; a request that finds no
	// item counts once its item is put on a shelf. More touches do not improve the hit
	// ratio of the cache's TestHitRatio. It is a power of two, so that promotions are tried
	// at such requests.
	touchEvery = 16
)

// Count counts a request for the item. It returns the request's number, and whether
// Shelves.Note must follow: it must for the first touchEvery requests, and for every
// touchEvery-th request after them.
func (l *Label) Count() (asked uint32, note bool) {
	asked = l.Asked.Add(1)
	return asked, touches(asked)
}

// Note reports a request that Count has counted to the admission policy. It returns true if
// Promote should be called: at growing intervals for an item that finds no room on the hot
// shelf.
func (sh *Shelves[T]) Note(l *Label, asked uint32) (promote bool) {
	at := l.Place()
	if by := touchedFrom(at); by != Nowhere {
		sh.all[by].touch(l.Key)
	}
	return at == Tail && asked >= PromoteAfter && asked&(asked-1) == 0
}

// touches reports whether the request with a number touches the admission policy.
func touches(asked uint32) bool { return asked < touchEvery || asked%touchEvery == 0 }

// touchedFrom returns the shelf whose policy is touched by requests for an item at a place:
// a hot item may return to the tail.
func touchedFrom(at Place) Place {
	switch at {
	case Hot, Tail:
		return Tail
	case Absent:
		return Absent
	}
	return Nowhere
}

// Promote moves an item from the tail to the hot shelf if there is room, or if it is
// requested much more than items that are there. It returns the items that had to leave.
func (sh *Shelves[T]) Promote(item T) (out []T) {
	l, hot := item.label(), sh.all[Hot]
	if l.Place() != Tail || l.cost > hot.Budget/largestShare {
		return nil
	}
	var displaced []T
	if !hot.fits(l.cost) {
		if displaced = hot.displaceable(l.Asked.Load(), l.cost); displaced == nil {
			return nil
		}
	}
	sh.Put(item, Hot, l.cost)
	return sh.demote(displaced)
}

// demote moves items from the hot shelf to the tail. It returns the items that had to leave
// the tail, which may be some of the moved items.
func (sh *Shelves[T]) demote(items []T) (out []T) {
	for _, d := range items {
		sh.all[Hot].Evicted++
		kept, victims := sh.Put(d, Tail, d.label().cost)
		out = append(out, victims...)
		if !kept {
			out = append(out, d)
		}
	}
	return out
}

// displaceable returns items of the shelf that make room for an item with the given number
// of requests and cost, and are requested much less; nil if the sample has not enough.
func (p *shelf[T]) displaceable(asked uint32, cost int64) (items []T) {
	if asked < displaceAfter {
		return nil
	}
	sample := make([]T, 0, displaceSample)
	for range min(displaceSample, len(p.items)) {
		p.hand = (p.hand + 1) % len(p.items)
		sample = append(sample, p.items[p.hand])
	}
	for _, d := range leastAskedFirst(sample) {
		if d.label().Asked.Load() > asked/displaceFactor {
			return nil
		}
		items = append(items, d)
		if cost -= d.label().cost; p.fits(cost) {
			return items
		}
	}
	return nil
}

// leastAskedFirst returns the items by their present counts of requests.
func leastAskedFirst[T Item](items []T) []T {
	type count struct {
		item  T
		asked uint32
	}
	counts := make([]count, len(items)) // which go on changing in the items
	for i, item := range items {
		counts[i] = count{item, item.label().Asked.Load()}
	}
	slices.SortFunc(counts, func(a, b count) int { return cmp.Compare(a.asked, b.asked) })
	sorted := make([]T, len(counts))
	for i, c := range counts {
		sorted[i] = c.item
	}
	return sorted
}
