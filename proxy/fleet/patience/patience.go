// Package patience ends operations once their server has been silent for a budget.
package patience

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// steps are the parts into which a budget is divided.
	steps = 10
	// rate is the number of bytes that a working server moves in a second.
	rate = 4 << 20
)

// ErrSilent is the cause of a context whose server has been silent for the budget.
var ErrSilent = errors.New("the shared level is silent")

// Patience is the patience with a server in an operation. Bytes that move meanwhile, of this
// or another operation, extend it by the time that a working server needs for them: a server
// is not away while a large answer is under way, but it is too slow if an answer is late and
// only small messages move. The time is counted in steps; a step begins when this process
// has noticed the end of the step before. A step counts as silence only if the server owes
// a reply at its end: the time for which the process waits for a processor, to send the
// operation or to read the reply, is no silence of the server.
type Patience struct {
	// Moved returns the number of bytes that have moved so far.
	Moved func() int64
	// Owed returns for how long the server has owed a reply: see engine.Engine.
	Owed func() time.Duration
	// Budget bounds the silence. Most bounds the time in all, in budgets.
	Budget time.Duration
	Most   int
}

// Account is a Patience that consecutive operations share: they wait no longer in all than
// one operation would. It is not safe for concurrent use.
type Account struct {
	Patience
	left, most time.Duration
}

// Account returns an Account of which nothing is used.
func (p Patience) Account() *Account {
	return &Account{Patience: p, left: p.Budget, most: time.Duration(p.Most) * p.Budget}
}

// Within returns a context that ends with the cause ErrSilent once the patience is used up.
// The caller must call end.
func (p Patience) Within(ctx context.Context) (_ context.Context, end func()) {
	return p.Account().Within(ctx)
}

// Within is like Patience.Within, with the patience that earlier operations have left. The
// next call must follow end.
func (a *Account) Within(ctx context.Context) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &running{Account: a, cancel: cancel, last: a.Moved(), begun: time.Now()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(r.step(), r.tick)
	return ctx, r.end
}

// running is an operation that has begun.
type running struct {
	*Account
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer // nil once the operation has ended
	last  int64       // bytes moved until the last step
	begun time.Time   // the present step
}

// step returns the time of the present step.
func (r *running) step() time.Duration {
	return max(1, min(r.Budget/steps, r.left, r.most))
}

// tick runs after each step.
func (r *running) tick() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil {
		return
	}
	step := r.step()
	r.most -= step
	if r.Owed() >= step/2 {
		r.left -= step
	}
	now := r.Moved()
	r.left = min(r.Budget, r.left+time.Duration(now-r.last)*time.Second/rate)
	r.last = now
	if r.left <= 0 || r.most <= 0 {
		r.cancel(ErrSilent)
		return
	}
	r.begun = time.Now()
	r.timer.Reset(r.step())
}

func (r *running) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer.Stop()
	r.timer = nil
	took := min(time.Since(r.begun), r.step())
	r.left -= took
	r.most -= took
	r.cancel(nil)
}
