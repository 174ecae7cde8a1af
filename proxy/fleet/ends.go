package fleet

import "sync"

// ends runs the ends of claims until it is closed. A claim may end after the fleet has
// stopped, for the fill that it belongs to ends by itself: its lease then expires. It is
// safe for concurrent use.
type ends struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// Go runs f in the background, unless ends is closed.
func (e *ends) Go(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.running.Go(f)
	}
}

// Close waits for the running ends. Later ends are not run.
func (e *ends) Close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.running.Wait()
}
