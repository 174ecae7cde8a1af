package simulate

import "time"

// The times of the votes: see package proxy/fleet/agree.
const (
	readyTime = 2 * time.Second
	holdTime  = 250 * time.Millisecond
)

// round is the members' decision to publish the import.
type round struct {
	decided        bool
	ready, holding int // votes
}

// announce announces the import to all members, which then poll immediately.
func (m *member) announce() {
	m.Announces++
	m.level.request(m, announceIn, 0, func() (int, int, func()) {
		m.broadcast(func(o *member) { o.prepare() })
		return emptyOut, 0, func() {}
	})
}

// broadcast sends a message to all members, whose receivers call receive.
func (r *run) broadcast(receive func(*member)) {
	r.level.publish()
	at := r.level.network + r.Latency
	for _, o := range r.members {
		r.at(at, func() { receive(o) })
	}
}

// vote votes that a member has prepared the import. The vote decides if it is the last, or
// forced: readyTime after a member's first vote.
func (m *member) vote(force bool) {
	m.Votes++
	m.level.request(m, voteIn+m.Generation, 0, func() (int, int, func()) {
		r := &m.level.round
		if !force {
			r.ready++
		}
		if !r.decided && (force || r.ready == m.Members) {
			r.decided = true
			m.broadcast(func(o *member) { o.follow() })
		}
		return voteOut, 0, func() {
			if r.decided {
				m.hold()
			}
		}
	})
	if !force {
		m.at(m.now+readyTime, func() {
			if !m.level.round.decided {
				m.vote(true)
			}
		})
	}
}

// follow reads a decision that was announced, unless the member holds requests already, and
// then holds requests.
func (m *member) follow() {
	if m.holds {
		return
	}
	m.Decisions++
	m.level.request(m, decisionIn, 0, func() (int, int, func()) { return decisionOut + m.Generation, 0, m.hold })
}

// hold votes that a member holds requests. It publishes once all members do, or after holdTime.
func (m *member) hold() {
	if m.holds {
		return
	}
	m.holds = true
	m.Votes++
	m.level.request(m, voteIn, 0, func() (int, int, func()) {
		if m.level.round.holding++; m.level.round.holding == m.Members {
			m.broadcast(func(o *member) { o.publish() })
		}
		return voteOut, 0, func() {}
	})
	m.at(m.now+holdTime, m.publish)
}

// publish publishes the import.
func (m *member) publish() {
	if m.published {
		return
	}
	m.published = true
	if m.Published++; m.Published == 1 {
		m.First = m.now
	}
	m.Last = m.now
}

// want reports the keys that visitors want, and reads the fleet's.
func (m *member) want() {
	m.at(m.now+wantEvery, m.want)
	m.Wants++
	m.level.request(m, wantIn+m.Wanted*wantedBytes, 0, func() (int, int, func()) { return emptyOut + m.Wanted*wantedBytes, 0, func() {} })
}

// sum takes over the sums of the tables that the import has changed, or shares them: a claim
// of each, and another after the wait for the member that reads the table.
func (m *member) sum() {
	first := !m.summed
	m.summed = true
	for range m.Tables {
		for range 2 {
			m.Sums++
			m.level.request(m, claimIn, 0, func() (int, int, func()) { return sumBytes, 0, func() {} })
			if first {
				m.Sums++
				m.level.request(m, putIn+sumBytes, 0, func() (int, int, func()) { return emptyOut, 0, func() {} })
				break
			}
		}
	}
}
