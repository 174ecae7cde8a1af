package shelf

// Shares of the budget, in percent: the limit of the warm set, and the room of absent
// answers. The season, if there is one, gets seasonShare of the remainder. The hot shelf
// gets hotShare of the rest, and the tail gets all that is left.
const (
	warmShare   = 45
	absentShare = 5
	seasonShare = 75
	hotShare    = 40
)

// shares divides the budget beside a warm set of the given size.
func (sh *Shelves[T]) shares(warmBytes int64) (hot, tail, absent int64) {
	absent = sh.bytes * absentShare / 100
	rest := sh.bytes - absent - warmBytes
	rest -= sh.seasonRoom(rest)
	hot = rest * hotShare / 100
	return hot, rest - hot, absent
}

// Share divides the room beside a warm set of the given size among the other shelves. Items
// that no longer fit on the hot shelf move to the tail; items that no longer fit in the
// season or in the tail leave, the least requested first. It returns the items that left.
func (sh *Shelves[T]) Share(warmBytes int64) (out []T) {
	hot, tail := sh.all[Hot], sh.all[Tail]
	hotBytes, tailBytes, _ := sh.shares(warmBytes)
	if hot.Budget == hotBytes && tail.Budget == tailBytes {
		return nil
	}
	hot.Budget, tail.Budget = hotBytes, tailBytes
	sh.all[Season].Budget = sh.seasonRoom(sh.bytes - sh.all[Absent].Budget - warmBytes)
	for _, item := range sh.all[Season].excess() {
		sh.all[Season].Evicted++
		sh.Remove(item)
		out = append(out, item)
	}
	tail.policy.Resize(tailBytes)
	for _, item := range tail.excess() {
		tail.Evicted++
		sh.Remove(item)
		out = append(out, item)
	}
	return append(out, sh.demote(hot.excess())...)
}

// excess returns the least requested items without which the shelf's budget holds.
func (p *shelf[T]) excess() (items []T) {
	over := p.Bytes - p.Budget
	if over <= 0 {
		return nil
	}
	for _, item := range leastAskedFirst(p.items) {
		if over <= 0 {
			break
		}
		items = append(items, item)
		over -= item.label().cost
	}
	return items
}
