package gate

import (
	"crypto/rand"
	"sync"
	"time"
)

const (
	// sessionCookie is the name of the cookie that holds a session's ID.
	sessionCookie = "xcri_admin"
	// sessionLife is the duration of a session after the login.
	sessionLife = 12 * time.Hour
	// maxSessions limits the open sessions. A further login ends the oldest.
	maxSessions = 32
)

// sessions holds the logins that have not ended, in memory only: a restart ends them.
// The zero value with now set is ready, and safe for concurrent use.
type sessions struct {
	now   func() time.Time
	mu    sync.Mutex
	until map[digest]time.Time
}

// start opens a session and returns its ID.
func (s *sessions) start() (id string) {
	id = rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = map[digest]time.Time{}
	}
	s.until[digestOf(id)] = s.now().Add(sessionLife)
	if len(s.until) > maxSessions {
		s.endOldest()
	}
	return id
}

func (s *sessions) endOldest() {
	var oldest digest
	var first time.Time
	for d, until := range s.until {
		if first.IsZero() || until.Before(first) {
			oldest, first = d, until
		}
	}
	delete(s.until, oldest)
}

// open reports whether any of the IDs belongs to an open session.
func (s *sessions) open(ids []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		d := digestOf(id)
		until, known := s.until[d]
		if known && s.now().Before(until) {
			return true
		}
		delete(s.until, d)
	}
	return false
}

// end closes the sessions with these IDs.
func (s *sessions) end(ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.until, digestOf(id))
	}
}
