// Package limit bounds operations on the database by the time for which this process runs.
package limit

import (
	"context"
	"sync"
	"time"
)

// steps are the parts into which a limit is divided.
const steps = 10

// Within is like context.WithTimeout, except that the time for which the process waits for a
// processor, or is suspended, does not count: a server is not away because its answer is
// read late. The limit is counted in steps, and a step begins when the process has noticed
// the end of the step before. The context has no deadline, but ends with
// context.DeadlineExceeded.
func Within(parent context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	c := &limited{Context: parent, done: make(chan struct{}), left: limit, step: max(1, limit/steps)}
	c.mu.Lock()
	c.unlink = context.AfterFunc(parent, func() { c.end(parent.Err()) })
	c.timer = time.AfterFunc(min(c.step, c.left), c.tick)
	c.mu.Unlock()
	if err := parent.Err(); err != nil { // AfterFunc may end c later
		c.end(err)
	}
	return c, func() { c.end(context.Canceled) }
}

// limited is the context of an operation.
type limited struct {
	context.Context
	done   chan struct{}
	step   time.Duration
	unlink func() bool // from the parent

	mu    sync.Mutex
	left  time.Duration // with the present step
	timer *time.Timer
	err   error
}

// Deadline reports that no deadline is known.
func (c *limited) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *limited) Done() <-chan struct{} { return c.done }

func (c *limited) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// tick runs after each step.
func (c *limited) tick() {
	c.mu.Lock()
	c.left -= c.step
	goesOn := c.left > 0
	if goesOn && c.err == nil {
		c.timer.Reset(min(c.step, c.left))
	}
	c.mu.Unlock()
	if !goesOn {
		c.end(context.DeadlineExceeded)
	}
}

// end ends the context, unless it has ended.
func (c *limited) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	c.timer.Stop()
	c.unlink()
	close(c.done)
}
