package cache

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// fill waits for its turn and loads the answer that key names. A panic becomes
// an error: in a flight it would end the process. A fill that needs the origin ends
// with the era that it began in, so that it does not keep its turn beyond an outage.
func (c *Cache) fill(parent context.Context, key string) (entry *Entry, err error) {
	if !c.begin() {
		c.counts.failures.Add(1)
		return nil, c.ctx.Err()
	}
	defer c.running.Done()
	era := c.outage.Era()
	needed := !c.opts.FillsWhileDown(key)
	defer func() {
		if p := recover(); p != nil {
			c.counts.panics.Add(1)
			c.opts.Logger.Error("panic in a fill", "key", key, "panic", p, "stack", string(debug.Stack()))
			entry, err = nil, fmt.Errorf("fill of %s: panic: %v", key, p)
		}
		if err == nil {
			return
		}
		c.counts.failures.Add(1)
		switch down := era.err(); {
		case parent.Err() != nil || c.ctx.Err() != nil:
		case needed && down != nil:
			err = down
		case c.opts.IsDown(err):
			era.Down(err)
		}
	}()
	ctx, cancel := context.WithTimeout(parent, c.opts.FillTimeout)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)() // the parent may know nothing of Close
	if needed {
		var end context.CancelFunc
		ctx, end = era.WhileUp(ctx)
		defer end()
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil { // also if the turn came at the same moment
		return nil, err
	}
	if err := era.err(); needed && err != nil { // ctx is about to end
		return nil, err
	}
	start := time.Now()
	c.counts.fills.Add(1)
	content, err := c.opts.Fill(ctx, key)
	if err != nil {
		return nil, err
	}
	filled := time.Now()
	return c.newEntry(key, content, filled, filled.Sub(start))
}
