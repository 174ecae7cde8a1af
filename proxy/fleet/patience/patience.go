// Package patience ends an operation once its server has been silent for a budget.
package patience

import (
	"context"
	"errors"
	"sync"
	"time"
)

// steps are the parts into which a budget is divided.
const steps = 10

// ErrSilent is the cause of a context whose server has been silent for the budget.
var ErrSilent = errors.New("the shared level is silent")

// Patience is the patience of an operation. Bytes that move meanwhile, of this or another
// operation, begin the budget anew: the server is not away while a large answer is under
// way. The budget is counted in steps of which each begins when this process has noticed
// the end of the last, so that it grows with the time for which the process waits for a
// processor, and an answer that has arrived is not missed.
type Patience struct {
	// Moved returns the number of bytes that have moved so far.
	Moved func() int64
	// Budget bounds the silence. Most bounds the time in all, in budgets.
	Budget time.Duration
	Most   int
}

// running is the patience of an operation that has begun.
type running struct {
	moved  func() int64
	step   time.Duration
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer // nil once the operation has ended
	last  int64       // bytes moved until the last step
	left  int         // steps of silence
	most  int         // steps in all
}

// Within returns a context that ends, with the cause ErrSilent, with the patience. The
// caller must call end.
func (p Patience) Within(ctx context.Context) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &running{moved: p.Moved, step: max(1, p.Budget/steps), cancel: cancel, last: p.Moved(), left: steps, most: p.Most * steps}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(r.step, r.tick)
	return ctx, r.end
}

// tick runs after each step.
func (r *running) tick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil {
		return
	}
	r.most--
	r.left--
	if now := r.moved(); now != r.last {
		r.last, r.left = now, steps
	}
	if r.left <= 0 || r.most <= 0 {
		r.cancel(ErrSilent)
		return
	}
	r.timer.Reset(r.step)
}

func (r *running) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer.Stop()
	r.timer = nil
	r.cancel(nil)
}
