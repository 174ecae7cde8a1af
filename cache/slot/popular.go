package slot

import (
	"cmp"
	"slices"
)

// Popular returns the keys of at most n slots, the most requested first. It considers the
// slots that serve a version for which include returns true.
func Popular(slots []*Slot, n int, include func(*Slot, *Version) bool) []string {
	type popular struct {
		key   string
		asked uint32
	}
	var all []popular
	for _, s := range slots {
		if v := s.Served(); v != nil && include(s, v) {
			all = append(all, popular{s.Key, s.Asked.Load()})
		}
	}
	slices.SortFunc(all, func(a, b popular) int {
		return cmp.Or(cmp.Compare(b.asked, a.asked), cmp.Compare(a.key, b.key))
	})
	keys := make([]string, 0, n)
	for _, p := range all[:min(n, len(all))] {
		keys = append(keys, p.key)
	}
	return keys
}
