package entry

import (
	"cmp"
	"slices"
	"time"
)

// Saved is an entry as it is kept between two runs.
type Saved struct {
	Key string
	Content
	Filled time.Time
	Took   time.Duration
	Warm   bool   // from the warm set
	Season bool   // from the season; otherwise, unless it is Warm, from the hot shelf
	Purged bool   // stale in every generation
	Asked  uint32 // number of requests
}

// Cost returns the entry's size in a cache's budget, in bytes.
func (s *Saved) Cost() int64 {
	e := Entry{Key: s.Key, Content: s.Content}
	return e.Cost()
}

// SortSaved sorts entries by their shelves, the warm set first, and each shelf by requests,
// the most requested entries first.
func SortSaved(all []Saved) {
	slices.SortFunc(all, func(a, b Saved) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(b.Asked, a.Asked), cmp.Compare(a.Key, b.Key))
	})
}

// rank returns the place of an entry's shelf in the order of SortSaved.
func (s *Saved) rank() int {
	switch {
	case s.Warm:
		return 0
	case s.Season:
		return 2
	}
	return 1
}
