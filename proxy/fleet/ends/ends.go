// Package ends runs the ends of a member's claims in the background.
package ends

import "sync"

// Ends runs the ends of claims until it is closed. A claim may end after the fleet has
// stopped, when its fill ends: then nothing is run, and its lease expires. It is safe for
// concurrent use.
type Ends struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// Go runs f in the background, unless it is closed.
func (e *Ends) Go(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.running.Go(f)
	}
}

// Close waits for the running ends. Later ends are not run.
func (e *Ends) Close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.running.Wait()
}
