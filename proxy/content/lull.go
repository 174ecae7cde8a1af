package content

import (
	"sync/atomic"
	"time"
)

const (
	// lullAfter is the time without a fill after which no further fill is expected: a
	// program that reads page after page sends its next request sooner.
	lullAfter = 20 * time.Millisecond
	// lullMost limits a wait for a lull, so that work goes on beside fills that never end.
	lullMost = 100 * time.Millisecond
)

// Lull lets work in the background wait for a pause between fills: it would take a
// processor from fills, for which requests wait. The zero Lull is ready. It is safe for
// concurrent use.
type Lull struct {
	fills atomic.Int64 // under way
	ended atomic.Pointer[time.Time]
}

// Begin notes the begin of a fill. done must follow at its end.
func (l *Lull) Begin() (done func()) {
	l.fills.Add(1)
	return func() {
		now := time.Now()
		l.ended.Store(&now)
		l.fills.Add(-1)
	}
}

// Wait returns once no fill has been under way for lullAfter, or after lullMost. A nil Lull
// has no fills.
func (l *Lull) Wait() {
	if l == nil {
		return
	}
	for end := time.Now().Add(lullMost); ; {
		rest := min(l.rest(), time.Until(end))
		if rest <= 0 {
			return
		}
		time.Sleep(rest)
	}
}

// rest returns the time until a lull if no other fill begins; zero in a lull.
func (l *Lull) rest() time.Duration {
	switch ended := l.ended.Load(); {
	case l.fills.Load() > 0:
		return lullAfter
	case ended != nil:
		return lullAfter - time.Since(*ended)
	}
	return 0
}
