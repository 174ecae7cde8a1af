package slot

import (
	"cmp"
	"slices"
)

// Popular returns the keys of the at most n slots that were requested most, most first, of
// slots that serve a version and that count allows.
func Popular(slots []*Slot, n int, count func(*Slot, *Version) bool) []string {
	type popular struct {
		key   string
		asked uint32
	}
	var all []popular
	for _, s := range slots {
		if v := s.Served(); v != nil && count(s, v) {
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
