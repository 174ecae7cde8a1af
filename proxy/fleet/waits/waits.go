// Package waits wakes requests that wait for a message about a name, such as the message
// that another member of the fleet has filled an answer. Meanwhile that member renews its
// lease of the name: if it dies, the others wait no longer than the lease.
package waits

import (
	"context"
	"sync"
	"time"
)

// Waits are the names for which requests wait. It is safe for concurrent use.
type Waits struct {
	mu      sync.Mutex
	of      map[string]*wait
	blocked int
	begun   chan struct{} // capacity 1
}

// wait is a name that count requests wait for.
type wait struct {
	filled chan struct{}
	count  int
}

// New returns Waits without a request.
func New() *Waits { return &Waits{of: map[string]*wait{}, begun: make(chan struct{}, 1)} }

// Join returns a channel that is closed with the next message about a name. leave must
// follow.
func (w *Waits) Join(name string) (filled <-chan struct{}, leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.of[name]
	if one == nil {
		one = &wait{filled: make(chan struct{})}
		w.of[name] = one
	}
	one.count++
	return one.filled, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if one.count--; one.count == 0 && w.of[name] == one {
			delete(w.of, name)
		}
	}
}

// Await waits for the message that Join announces, for the end of another member's lease, which
// is left for some time, or for the end of ctx.
func Await(ctx context.Context, filled <-chan struct{}, left time.Duration) {
	timer := time.NewTimer(left + time.Millisecond)
	defer timer.Stop()
	select {
	case <-filled:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Renew calls extend four times in a lease until ctx ends.
func Renew(ctx context.Context, lease time.Duration, extend func()) { Repeat(ctx, lease/4, extend) }

// Repeat calls f in an interval until ctx ends.
func Repeat(ctx context.Context, interval time.Duration, f func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

// Filled wakes the requests that have joined a name.
func (w *Waits) Filled(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one := w.of[name]; one != nil {
		delete(w.of, name)
		close(one.filled)
	}
}

// Block counts a request that waits for a message, until done is called.
func (w *Waits) Block() (done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.blocked++; w.blocked == 1 {
		select {
		case w.begun <- struct{}{}:
		default:
		}
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.blocked--
	}
}

// Begun returns a channel that receives a value once a request begins to wait while no
// other waits.
func (w *Waits) Begun() <-chan struct{} { return w.begun }

// Any reports whether any request waits for a message.
func (w *Waits) Any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.blocked > 0
}
