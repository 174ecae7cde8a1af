package pool

import (
	"sync/atomic"
	"time"
)

// moment is a time that goroutines share. It keeps the reading of the monotonic clock, so
// that a change of the wall clock does not change its distance from other times. Its zero
// value holds the zero time.
type moment struct{ at atomic.Pointer[time.Time] }

// set sets the moment to now.
func (m *moment) set() {
	now := time.Now()
	m.at.Store(&now)
}

// clear sets the moment to the zero time.
func (m *moment) clear() { m.at.Store(nil) }

func (m *moment) get() time.Time {
	if at := m.at.Load(); at != nil {
		return *at
	}
	return time.Time{}
}
