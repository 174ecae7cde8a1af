// Package reads records which answers are being read from the origin, so that a purge also
// applies to an answer whose read began before the purge and ends after it.
package reads

import (
	"sync/atomic"

	"github.com/lewistv/xcri-proxy/cache/entry"
)

// Moment identifies the start of a read.
type Moment struct {
	Order  int64 // among all reads; zero for an entry of an earlier run
	purges int64 // number of purges before it
	id     int64 // of the read
}

// Reads are the reads under way, and the purges since the oldest of them began. Purges may
// be called at any time; no other two calls may run concurrently.
type Reads struct {
	begun    int64
	underway map[int64]Moment // by ID
	purges   atomic.Int64     // total number
	recent   []purge          // the oldest first
	dropped  bool             // a purge was hard
	round    Moment           // the start of the round under way; zero means no round
}

// purge is a recent purge. A read that started before it is affected by it.
type purge struct {
	number int64
	match  func(*entry.Entry) bool
	hard   bool
}

// Begin records that the read of an answer begins. End must follow, once the answer is
// stored or dropped.
func (r *Reads) Begin() Moment {
	return r.note(Moment{Order: r.begun + 1, purges: r.purges.Load()})
}

// BeginRound begins a round of reads, whose data may be as old as the round. EndRound must
// follow.
func (r *Reads) BeginRound() { r.round = r.Begin() }

// EndRound ends the round.
func (r *Reads) EndRound() {
	r.End(r.round)
	r.round = Moment{}
}

// BeginInRound is Begin for a read of the round under way: the read counts as begun with the
// round.
func (r *Reads) BeginInRound() Moment {
	if r.round.Order == 0 {
		return r.Begin()
	}
	return r.note(r.round)
}

func (r *Reads) note(m Moment) Moment {
	r.begun++
	if r.underway == nil {
		r.underway = map[int64]Moment{}
	}
	m.id = r.begun
	r.underway[m.id] = m
	return m
}

// End records that a read is no longer under way, and forgets the purges that are older
// than every read under way.
func (r *Reads) End(m Moment) {
	delete(r.underway, m.id)
	oldest := r.purges.Load()
	for _, m := range r.underway {
		oldest = min(oldest, m.purges)
	}
	n := 0
	for n < len(r.recent) && r.recent[n].number <= oldest {
		n++
	}
	r.recent = append([]purge(nil), r.recent[n:]...)
}

// Purge records a purge of all entries that match.
func (r *Reads) Purge(match func(*entry.Entry) bool, hard bool) {
	r.dropped = r.dropped || hard
	number := r.purges.Add(1)
	if len(r.underway) > 0 {
		r.recent = append(r.recent, purge{number, match, hard})
	}
}

// Purged reports whether a purge since a read began drops the entry that was read, or
// makes it stale.
func (r *Reads) Purged(m Moment, e *entry.Entry) (hard, soft bool) {
	for _, p := range r.recent {
		if m.purges < p.number && p.match(e) {
			hard, soft = hard || p.hard, soft || !p.hard
		}
	}
	return hard, soft
}

// Purges returns the number of purges.
func (r *Reads) Purges() int64 { return r.purges.Load() }

// Dropped reports whether there was a hard purge.
func (r *Reads) Dropped() bool { return r.dropped }
