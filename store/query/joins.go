package query

// maxJoined limits the rows of joined tables that Totals keeps. They are about 200 bytes
// each, and the live scopes of production have 3,000.
const maxJoined = 4096

// joined are the rows that a list joins, and the state of the data in which they were read.
type joined struct {
	key               key // of the statement that selects them, in any state
	generation, stamp string
	with              partners // nil if the server has to join
	isNew             bool     // just read
}

// joins are the joined rows by their statements.
type joins struct {
	of   map[key]joined
	rows int
}

// keep caches joined rows that this read has found. As with a total, the stamp must be quiet.
// A page that shows the end of its list has read no stamp, and keeps nothing.
func (r *Read) keep(found joined) {
	if r.State.Totals == nil || !found.isNew || r.now == nil || !r.now.Quiet {
		return
	}
	found.isNew, found.generation, found.stamp = false, r.State.Generation, r.now.Text
	r.State.Totals.putJoined(found)
}

// joined returns the cached rows of a statement, which may be of another state of the data.
func (t *Totals) joined(of key) (known joined, ok bool) {
	if t == nil {
		return joined{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok = t.joins.of[of]
	return known, ok
}

// putJoined caches the rows of a statement in place of its rows in an earlier state. If they
// find no room, all others are removed.
func (t *Totals) putJoined(found joined) {
	t.mu.Lock()
	defer t.mu.Unlock()
	j := &t.joins
	j.rows -= len(j.of[found.key].with)
	if j.of == nil || j.rows+len(found.with) > maxJoined || len(j.of) >= maxJoined {
		*j = joins{of: map[key]joined{}}
	}
	if len(found.with) <= maxJoined {
		j.of[found.key] = found
		j.rows += len(found.with)
	}
}
