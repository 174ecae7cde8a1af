// Package concurrent holds values that the goroutines of a pool of connections share: a time, and
// a call.
package concurrent

import (
	"sync/atomic"
	"time"
)

// Moment is a time that goroutines share. It keeps the reading of the monotonic clock, so
// that a change of the wall clock does not change its distance from other times. Its zero
// value holds the zero time.
type Moment struct{ at atomic.Pointer[time.Time] }

// Set sets the moment.
func (m *Moment) Set(at time.Time) { m.at.Store(&at) }

// Clear sets the moment to the zero time.
func (m *Moment) Clear() { m.at.Store(nil) }

// Get returns the time.
func (m *Moment) Get() time.Time {
	if at := m.at.Load(); at != nil {
		return *at
	}
	return time.Time{}
}
