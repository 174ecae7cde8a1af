// Package rarely limits how often an event is logged.
package rarely

import (
	"sync/atomic"
	"time"
)

// Event is an event that may occur often. The zero Event is ready. It is safe for concurrent
// use.
type Event struct {
	last atomic.Pointer[time.Time] // when it was logged, on the monotonic clock
}

// Now reports whether the event should be logged now: once in an interval.
func (e *Event) Now(interval time.Duration) bool {
	now, last := time.Now(), e.last.Load()
	return (last == nil || now.Sub(*last) >= interval) && e.last.CompareAndSwap(last, &now)
}
