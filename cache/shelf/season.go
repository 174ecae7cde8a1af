package shelf

// season is the state of the shelf of items that are put there ahead of requests. Its owner
// walks over all items that belong there, round after round. If the shelf is full, an item
// that the present round has reached evicts items that it has not reached.
type season struct {
	on    bool
	round uint32 // number of the present round
}

// KeepSeason reserves room for the season. It must be called before the first Put.
func (sh *Shelves[T]) KeepSeason() {
	sh.season.on = true
	sh.Share(0)
}

// seasonRoom returns the season's part of the room that the warm set and the absent answers
// leave.
func (sh *Shelves[T]) seasonRoom(rest int64) int64 {
	if !sh.season.on {
		return 0
	}
	return rest * seasonShare / 100
}

// BeginRound begins a round of the season: no item of it has been reached.
func (sh *Shelves[T]) BeginRound() { sh.round++ }

// Reach records that the round has reached an item, so that EndRound keeps it.
func (sh *Shelves[T]) Reach(item T) { item.label().round = sh.round }

// PutSeason puts an item that the round has reached on the season's shelf, from any other
// place, if there is room. It returns the items that had to leave for it. An item that is
// not kept stays where it is.
func (sh *Shelves[T]) PutSeason(item T, cost int64) (kept bool, out []T) {
	l, p := item.label(), sh.all[Season]
	more := cost
	if l.Place() == Season {
		more -= l.cost
	}
	sh.Reach(item)
	for range p.items {
		if p.fits(more) || cost > p.Budget {
			break
		}
		p.hand %= len(p.items)
		old := p.items[p.hand]
		if old.label().round == sh.round {
			p.hand++
			continue
		}
		p.Evicted++
		sh.Remove(old)
		out = append(out, old)
	}
	if !p.fits(more) {
		p.Rejected++
		return false, out
	}
	sh.Put(item, Season, cost)
	return true, out
}

// EndRound ends a round that has reached all items of the season. It removes the other items
// from the season's shelf, and returns them.
func (sh *Shelves[T]) EndRound() (out []T) {
	for _, item := range sh.Items(Season) {
		if item.label().round != sh.round {
			sh.all[Season].Evicted++
			sh.Remove(item)
			out = append(out, item)
		}
	}
	return out
}
