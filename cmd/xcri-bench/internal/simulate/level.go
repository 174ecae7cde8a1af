package simulate

import "time"

// server is the server of the shared level: one processor and one network, each of which
// serves requests in their order.
type server struct {
	*run
	processor, network time.Duration // when each is free
	answers            []answer
	round              round
}

// answer is the state of a name in the level, for the data after the import.
type answer struct {
	rank    int // of the value; zero means none
	locked  bool
	waiting map[*member]func() // callers that wait for a message
	order   []*member          // of waiting
}

// request sends a member's request of in bytes, of which value bytes are an answer, and calls
// serve when it is served. serve returns the bytes of the reply, of which value bytes are
// an answer, and the function that the member calls with it.
func (l *server) request(m *member, in, value int, serve func() (out, value int, reply func())) {
	sent := l.now
	l.Requests++
	l.network = max(l.network, l.now) + l.transfer(in)
	l.at(l.network, func() {
		l.processor = max(l.processor, l.now) + l.work(value)
		l.at(l.processor, func() {
			out, value, reply := serve()
			l.processor += l.work(value) - l.Request
			l.network = max(l.network, l.processor)
			l.Silence = max(l.Silence, l.network+l.Latency-max(sent, m.heard))
			l.network += l.transfer(out)
			m.heard = l.network
			l.at(l.network+l.Latency, reply)
		})
	})
}

// work counts a request with an answer of a number of bytes as work of the processor.
func (l *server) work(value int) time.Duration {
	took := l.Request + l.PerKB*time.Duration(value)/1024
	l.Busy += took
	return took
}

// transfer counts bytes as traffic of the network.
func (l *server) transfer(bytes int) time.Duration {
	l.Bytes += float64(bytes)
	return time.Duration(float64(bytes) / l.Network * float64(time.Second))
}

// claim looks up an answer for a member, or takes its lock.
func (l *server) claim(m *member, i int, found, locked func(), again func()) {
	a := &l.answers[i]
	l.request(m, claimIn, 0, func() (int, int, func()) {
		switch {
		case a.rank > 0:
			rank := a.rank
			return l.Value, l.Value, func() { m.rank[i] = rank; found() }
		case !a.locked:
			a.locked = true
			return emptyOut, 0, locked
		}
		l.Waits++
		if a.waiting[m] == nil {
			a.order = append(a.order, m)
		}
		a.waiting[m] = again
		return emptyOut, 0, func() {}
	})
}

// put stores an answer, and wakes the members that wait for it.
func (l *server) put(m *member, i, rank int, unlock bool) {
	a := &l.answers[i]
	l.request(m, putIn+l.Value, l.Value, func() (int, int, func()) {
		a.rank = max(a.rank, rank)
		if unlock {
			a.locked = false
		}
		if len(a.order) > 0 {
			l.publish() // to all members, but only callers that wait act
			for _, w := range a.order {
				l.at(l.network+l.Latency, a.waiting[w])
			}
			clear(a.waiting)
			a.order = nil
		}
		return emptyOut, 0, func() {}
	})
}

// publish sends a message to all members.
func (l *server) publish() {
	for range l.Members {
		l.Messages++
		l.Busy += l.Message
		l.processor += l.Message
		l.network = max(l.network, l.processor) + l.transfer(messageOut)
	}
}
