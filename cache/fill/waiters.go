package fill

import (
	"context"
	"errors"
	"sync"

	"github.com/lewistv/xcri-proxy/cache/turns"
)

// ErrAbandoned is the cause of the end of a Costly fill that no request waits for any
// more.
var ErrAbandoned = errors.New("no request waits for the answer any more")

// waiters counts the requests and refreshes that wait for each flight of a Costly key,
// so that the fill ends with the last waiter. Fills of other lanes go on without a waiter,
// and their answers are stored.
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

// join counts the caller among the requests that wait for a flight, until leave. It must
// precede the call that joins or begins the flight, whose fill has to use the returned
// context.
func (f *Fills) join(key, name string) (parent context.Context, leave func()) {
	if lane, _ := f.opts.Lane(key); lane != turns.Costly {
		return f.ctx, func() {}
	}
	w := &f.waiters
	w.mu.Lock()
	defer w.mu.Unlock()
	flight := w.of[name]
	if flight == nil {
		flight = &waited{}
		flight.ctx, flight.cancel = context.WithCancelCause(f.ctx)
		w.of[name] = flight
	}
	flight.count++
	return flight.ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if flight.count--; flight.count == 0 {
			delete(w.of, name)
			flight.cancel(ErrAbandoned)
			f.group.Forget(name) // so that the next request does not join the cancelled fill
		}
	}
}
