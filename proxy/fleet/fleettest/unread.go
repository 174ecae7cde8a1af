package fleettest

import (
	"context"
	"slices"
	"time"
)

// unread are the answers that the members have not read.
type unread struct {
	pending []time.Time   // begins of the operations without an answer
	changed chan struct{} // closed with the next change of the state
}

// change ends the waits of read.
func (u *unread) change() {
	if u.changed != nil {
		close(u.changed)
	}
	u.changed = make(chan struct{})
}

// wait notes that an operation waits for an answer, until done is called. The caller of both
// holds mu.
func (s *Server) wait() (done func()) {
	began := time.Now()
	s.counts.pending = append(s.counts.pending, began)
	return func() {
		i := slices.Index(s.counts.pending, began)
		s.counts.pending = slices.Delete(s.counts.pending, i, i+1)
	}
}

// read waits until the members read the answers. The caller holds mu.
func (s *Server) read(ctx context.Context) {
	for s.state == Unread && ctx.Err() == nil {
		changed := s.counts.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
}

func (e *engine) Owed() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == Unread || len(e.counts.pending) == 0 {
		return 0
	}
	return time.Since(slices.MinFunc(e.counts.pending, time.Time.Compare))
}
