package simulate

import "time"

// The ranks of an answer's forms.
const (
	filled  = 1
	recoded = 2
)

// member is a proxy of the fleet. It had the warm set of the generation before the import.
type member struct {
	*run
	next, done int           // answers that its workers have begun and ended
	rank       []int         // of each answer in its memory; zero means stale
	known      []int         // rank of each answer that it has last seen in the level
	rest       int           // heartbeats until the next list
	heard      time.Duration // when the last bytes arrived
	votes
}

// votes are a member's steps to the publish.
type votes struct{ begun, holds, published bool }

// start begins a member's polls, heartbeats and offers, each at a time of its own.
func (m *member) start() {
	for i := m.Changed; i < m.Warm; i++ {
		m.rank[i] = recoded
		if m.Recode == 0 {
			m.rank[i] = filled
		}
	}
	m.at(m.within(m.Poll), m.poll)
	m.at(m.within(wantEvery), m.want)
	m.at(settle+m.within(m.Poll), m.sum)
	m.at(m.within(beat), m.beat)
	m.at(m.within(offerEvery), m.offer)
	m.rest = m.random.IntN(1 + (m.Members-1)/listed)
}

// beat compares the log, sends the heartbeat, and lists the members if that is due.
func (m *member) beat() {
	m.at(m.now+beat, m.beat)
	m.Beats += 2
	m.Requests -= 2
	m.level.request(m, syncIn, 0, func() (int, int, func()) { return syncOut, 0, func() {} })
	out := emptyOut
	if m.rest--; m.rest < 0 {
		m.rest = (m.Members - 1) / listed
		out += memberOut * m.Members
	}
	m.level.request(m, beatIn, 0, func() (int, int, func()) { return out, out, func() {} })
}

// poll finds the import, and announces it to the other members.
func (m *member) poll() {
	if !m.begun {
		m.announce()
		m.prepare()
	}
}

// prepare begins to fill the changed answers.
func (m *member) prepare() {
	if m.begun {
		return
	}
	m.begun = true
	for range min(workers, m.Changed) {
		m.work()
	}
}

// work claims the next answer, until all are prepared.
func (m *member) work() {
	if m.next == m.Changed {
		return
	}
	i := m.next
	m.next++
	var claim func()
	claim = func() {
		m.level.claim(m, i, m.ended, func() {
			m.fill(func() {
				m.rank[i] = filled
				m.level.put(m, i, filled, true)
				m.known[i] = 0 // the claim does not note the value: see proxy/fleet.offer
				m.ended()
			})
		}, claim)
	}
	claim()
}

// ended ends the preparation of an answer. After the last, the member votes for the publish,
// and compresses the answers better.
func (m *member) ended() {
	m.done++
	m.work()
	if m.done < m.Changed {
		return
	}
	m.vote(false)
	if m.Recode == 0 {
		return
	}
	at := m.now
	for i := range m.Changed {
		if m.rank[i] == filled {
			at += m.Recode
			m.run.at(at, func() { m.rank[i] = recoded })
		}
	}
}

// offer compares the member's warm answers with the level's, one after the other, and
// stores the answers that it has in a better form.
func (m *member) offer() {
	due := m.now + offerEvery
	if m.done < m.Changed { // the published generation is not the level's
		m.at(due, m.offer)
		return
	}
	m.offerFrom(0, due)
}

func (m *member) offerFrom(i int, due time.Duration) {
	for i < m.Warm && m.known[i] >= m.rank[i] {
		i++
	}
	if i == m.Warm {
		m.at(max(due, m.now+time.Millisecond), m.offer)
		return
	}
	rank := m.rank[i]
	m.level.request(m, headIn, 0, func() (int, int, func()) {
		there := m.level.answers[i].rank
		return headOut, 0, func() {
			if there < rank {
				m.level.put(m, i, rank, false)
			}
			m.known[i] = rank
			m.offerFrom(i+1, due)
		}
	})
}
