package fleet

import "sync"

// waits are the names for whose values or locks requests wait.
type waits struct {
	mu      sync.Mutex
	of      map[string]*wait
	blocked int           // requests that wait for a message
	begun   chan struct{} // capacity 1: the first of them has begun to wait
}

// wait is a name that count requests wait for.
type wait struct {
	filled chan struct{}
	count  int
}

// join returns a channel that is closed with the next message about a name. leave must
// follow.
func (w *waits) join(name string) (filled <-chan struct{}, leave func()) {
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

// filled wakes the requests that wait for a name.
func (w *waits) filled(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one := w.of[name]; one != nil {
		delete(w.of, name)
		close(one.filled)
	}
}

// block counts a request that waits for a message, until done is called.
func (w *waits) block() (done func()) {
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

// any reports whether any request waits for a message.
func (w *waits) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.blocked > 0
}
