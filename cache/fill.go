package cache

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// fill waits for its turn and loads the answer that key names. A panic becomes
// an error: in a flight it would end the process.
func (c *Cache) fill(parent context.Context, key string) (entry *Entry, err error) {
	if !c.begin() {
		c.counts.failures.Add(1)
		return nil, c.ctx.Err()
	}
	defer c.running.Done()
	defer func() {
		if p := recover(); p != nil {
			c.counts.panics.Add(1)
			c.opts.Logger.Error("panic in a fill", "key", key, "panic", p, "stack", string(debug.Stack()))
			entry, err = nil, fmt.Errorf("fill of %s: panic: %v", key, p)
		}
		if err != nil {
			c.counts.failures.Add(1)
			if parent.Err() == nil && c.ctx.Err() == nil && c.opts.IsDown(err) {
				c.Down(err)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(parent, c.opts.FillTimeout)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)() // the parent may know nothing of Close
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
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

// origin remembers whether the origin is down, so that nobody waits for it in
// vain.
type origin struct {
	alarm atomic.Pointer[alarm]
	// confirmed is when the origin was last known to be well, in Unix
	// nanoseconds.
	confirmed atomic.Int64
}

// alarm is raised at most once, when the origin goes down. Its return begins
// with a new one.
type alarm struct {
	raised chan struct{}
	since  atomic.Pointer[outage]
}

// outage is what is known of an origin that is down.
type outage struct {
	cause error
	began time.Time
}

func newAlarm() *alarm { return &alarm{raised: make(chan struct{})} }

// cause returns why the origin is down, or nil while it is up.
func (a *alarm) cause() error {
	if o := a.since.Load(); o != nil {
		return o.cause
	}
	return nil
}

// outage returns what is known of the outage there is, or nil.
func (o *origin) outage() *outage { return o.alarm.Load().since.Load() }

func (o *origin) isDown() bool { return o.outage() != nil }

// Down tells the cache that the origin is down: until Up, what is there is
// served as it is, all who wait are told at once, and nothing is filled for a
// request but what Options.FillsWhileDown names.
func (c *Cache) Down(cause error) {
	a := c.origin.alarm.Load()
	if a.since.CompareAndSwap(nil, &outage{cause, time.Now()}) {
		close(a.raised)
		c.opts.Logger.Error("the origin is down, serving what is there", "error", cause)
	}
}

// Up tells the cache that the origin is well at this moment.
func (c *Cache) Up() {
	c.origin.confirmed.Store(time.Now().UnixNano())
	a := c.origin.alarm.Load()
	if o := a.since.Load(); o != nil && c.origin.alarm.CompareAndSwap(a, newAlarm()) {
		c.opts.Logger.Info("the origin is back", "down_for", time.Since(o.began).Round(time.Millisecond))
	}
}

// Outage returns since when the origin has been down, and why; the zero time
// and nil while it is up.
func (c *Cache) Outage() (since time.Time, cause error) {
	if o := c.origin.outage(); o != nil {
		return o.began, o.cause
	}
	return time.Time{}, nil
}

// WhileUp returns a context that also ends when the origin is told to be down.
// The caller must call cancel.
func (c *Cache) WhileUp(parent context.Context) (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancel = context.WithCancel(parent)
	raised := c.origin.alarm.Load().raised
	go func() {
		select {
		case <-raised:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// Confirmed returns when the current generation was last known to be that of
// the origin; the zero time if never.
func (c *Cache) Confirmed() time.Time {
	if ns := c.origin.confirmed.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}
