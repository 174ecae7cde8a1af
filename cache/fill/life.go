package fill

import (
	"context"
	"sync"
)

// life tracks the goroutines of a cache, so that Close can cancel them and wait for
// them.
type life struct {
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	// closing separates Close from Begin: a WaitGroup must not grow from zero while
	// it is waited for.
	closing sync.Mutex
}

// Begin reports whether work may begin that Close waits for. If so, End must follow.
func (l *life) Begin() bool {
	l.closing.Lock()
	defer l.closing.Unlock()
	if l.ctx.Err() != nil {
		return false
	}
	l.running.Add(1)
	return true
}

// End ends work that Begin has allowed.
func (l *life) End() { l.running.Done() }

// Go runs work in the background. Its context ends with Close, which waits for it.
func (l *life) Go(work func(context.Context)) {
	if l.Begin() {
		go func() {
			defer l.End()
			work(l.ctx)
		}()
	}
}

// Close cancels all work and waits for it. No work begins afterwards.
func (l *life) Close() {
	l.closing.Lock()
	l.stop()
	l.closing.Unlock()
	l.running.Wait()
}
