package cache

import (
	"context"
	"errors"
	"sync"
)

var (
	// ErrGone is returned to a request whose context ended while it waited.
	ErrGone = errors.New("the client has left")
	// ErrAbandoned is the cause of the end of a Costly fill that no request waits for
	// any more.
	ErrAbandoned = errors.New("no request waits for the answer any more")
)

// waiters counts the requests and refreshes that wait for each flight of a Costly key,
// so that the fill ends with the last of them. Other fills are worth keeping.
type waiters struct {
	mu sync.Mutex
	of map[string]*waited // by the name of the flight
}

// waited is a flight that count callers wait for. A fill in it ends with its context.
type waited struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	count  int
}

// join makes the caller one of those who wait for a flight, until leave. It must precede
// the call that joins or begins the flight, whose fill has to use the returned context.
func (c *Cache) join(key, flight string) (parent context.Context, leave func()) {
	if lane, _ := c.opts.Lane(key); lane != Costly {
		return c.life.ctx, func() {}
	}
	w := &c.flights.waiters
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.of[flight]
	if f == nil {
		f = &waited{}
		f.ctx, f.cancel = context.WithCancelCause(c.life.ctx)
		w.of[flight] = f
	}
	f.count++
	return f.ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if f.count--; f.count == 0 {
			delete(w.of, flight)
			f.cancel(ErrAbandoned)
			c.flights.group.Forget(flight) // so that the next request does not join a fill that ends
		}
	}
}
