package pool

import (
	"sync"
	"time"
)

// stock holds the connections that are open. It is safe for concurrent use.
type stock struct {
	mu     sync.Mutex
	idle   []*link // the most recently used last
	open   map[*link]bool
	dials  int // connections being opened for reads
	closed bool
}

// size returns how many connections are open.
func (s *stock) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// granted returns the number of connections that the server is known to grant: open
// connections and connections being opened.
func (s *stock) granted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) + s.dials
}

// pop returns an idle connection to reuse, or nil. With fresh it returns nil while fewer
// than limit connections are open, and then the oldest connection, to make room.
func (s *stock) pop(fresh bool, limit int) (l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.idle)
	switch {
	case n == 0, fresh && len(s.open)+s.dials < limit:
		return nil
	case fresh:
		l, s.idle = s.idle[0], s.idle[1:]
	default:
		l, s.idle = s.idle[n-1], s.idle[:n-1]
	}
	return l
}

// push makes l idle. It returns the connections to close: l itself if more than limit are
// open or the stock is closed, and a connection that has been idle for over connLifetime.
func (s *stock) push(l *link, limit int) (surplus []*link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open) > limit {
		surplus = append(surplus, l)
	} else {
		l.released = time.Now()
		s.idle = append(s.idle, l)
	}
	if len(s.idle) > 1 && time.Since(s.idle[0].released) > connLifetime {
		surplus = append(surplus, s.idle[0])
		s.idle = s.idle[1:]
	}
	return surplus
}

// dial counts a connection that is being opened.
func (s *stock) dial() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
}

// dialled ends a dial; l is nil if no connection was opened.
func (s *stock) dialled(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials--
	if l != nil {
		s.open[l] = true
	}
}

// remove removes a connection.
func (s *stock) remove(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, l)
}

// all returns the open connections.
func (s *stock) all() (links []*link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.open {
		links = append(links, l)
	}
	return links
}

// begin registers work with group, unless the stock is closed.
func (s *stock) begin(group *sync.WaitGroup) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		group.Add(1)
	}
	return !s.closed
}

// close refuses further work.
func (s *stock) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}
