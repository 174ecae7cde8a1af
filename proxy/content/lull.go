package content

import (
	"slices"
	"sync"
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
	mu       sync.Mutex
	fills    int       // under way
	ended    time.Time // the last end of a fill
	watchers []*func(fills bool)
}

// Begin notes the begin of a fill. done must follow at its end.
func (l *Lull) Begin() (done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fills++; l.fills == 1 {
		l.report(true)
	}
	return l.end
}

func (l *Lull) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = time.Now()
	if l.fills--; l.fills == 0 {
		l.report(false)
	}
}

// report calls the watchers. The caller holds l.mu, so that they see the changes in order.
func (l *Lull) report(fills bool) {
	for _, changed := range l.watchers {
		(*changed)(fills)
	}
}

// Watch calls changed with true when fills are under way, first immediately if there are
// any, and with false when the last of them ends, until stop is called. Fills wait for
// changed: it must not block, nor call l.
func (l *Lull) Watch(changed func(fills bool)) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	watcher := &changed
	l.watchers = append(l.watchers, watcher)
	if l.fills > 0 {
		changed(true)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.watchers = slices.DeleteFunc(l.watchers, func(other *func(bool)) bool { return other == watcher })
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

// rest returns the time until a lull if no other fill begins; zero or less in a lull.
func (l *Lull) rest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fills > 0 {
		return lullAfter
	}
	return lullAfter - time.Since(l.ended)
}
