package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/slot"
	"github.com/lewistv/xcri-proxy/cache/turns"
)

// flights limits the fills and lets requests for a key share one.
type flights struct {
	group     singleflight.Group
	turns     *turns.Turns
	refreshes chan struct{} // holds a value for each running fill that is a refresh
	waiters   waiters
	loads     loads
}

// flight names the fill of a key. A request after a publish or a purge does not join a
// fill from before it.
func (c *Cache) flight(now *published, key string) string {
	id := ""
	if now.Generation != nil {
		id = now.ID()
	}
	return fmt.Sprint(key, " ", id, " ", c.reads.Purges())
}

// wait joins or begins the fill of key in the generation of now, for a request that
// ends with ctx.
func (c *Cache) wait(ctx context.Context, now *published, key, client string) (*Entry, Outcome, error) {
	era := c.outage.Era()
	down := era.Done()
	if c.opts.FillsWhileDown(key) {
		down = nil // the fill does not need the origin
	} else if err := era.Err(); err != nil {
		return nil, Error, err
	}
	c.counts.waiting.Add(1)
	defer c.counts.waiting.Add(-1)
	defer c.flights.loads.wait(key)()
	began, name := false, c.flight(now, key)
	parent, leave := c.join(key, name)
	defer leave()
	flight := c.flights.group.DoChan(name, func() (any, error) {
		id, _ := ctx.Value(requestKey{}).(string)
		return c.load(parent, &turn{Turn: turns.Turn{Client: client}, request: id}, key, func() { began = true })
	})
	timer := time.NewTimer(c.opts.WaitTimeout)
	defer timer.Stop()
	select {
	case r := <-flight:
		switch {
		case r.Err != nil:
			return nil, Error, r.Err
		case began:
			return r.Val.(*Entry), Miss, nil
		}
		return r.Val.(*Entry), Coalesced, nil
	case <-down:
		return nil, Error, era.Err()
	case <-timer.C:
		return nil, Error, ErrWait
	case <-ctx.Done():
		return nil, Error, ErrGone
	}
}

// refresh starts a background fill of a slot's key, unless a fill is under way or the
// limit of refreshes is reached.
func (c *Cache) refresh(now *published, s *slot.Slot) {
	if !s.Refreshing.CompareAndSwap(false, true) {
		return
	}
	select {
	case c.flights.refreshes <- struct{}{}:
	default:
		s.Refreshing.Store(false)
		return
	}
	done := func() {
		<-c.flights.refreshes
		s.Refreshing.Store(false)
	}
	if !c.life.begin() {
		done()
		return
	}
	go func() {
		defer c.life.running.Done()
		defer done()
		name := c.flight(now, s.Key)
		parent, leave := c.join(s.Key, name)
		defer leave()
		_, err, _ := c.flights.group.Do(name, func() (any, error) {
			return c.load(parent, &turn{}, s.Key, func() { c.counts.refreshed.Add(1) })
		})
		if err != nil && !errors.Is(err, ErrDown) { // an outage does not count as a failure of the key
			s.FailedUntil.Store(int64(c.clock() + retryAfter))
			c.opts.Logger.Warn("refresh failed, serving the stale entry", "key", s.Key, "error", err)
		}
	}()
}

// load runs inside the flight of key: it calls began and fills, unless another flight
// ended with a fresh entry after the lookup that led here.
func (c *Cache) load(parent context.Context, t *turn, key string, began func()) (*Entry, error) {
	if f := c.find(&Ref{Key: key}); f.version != nil && c.fresh(f.now.State, f.version) {
		return &f.version.Entry, nil
	}
	if c.life.begin() { // Close waits for the store, too; after Close, fill refuses
		defer c.life.running.Done()
	}
	began()
	v, err := c.fill(parent, t, key)
	if err != nil {
		return nil, err
	}
	c.store(v)
	c.end(v.Read)
	return &v.Entry, nil
}

// fill waits for its turn and loads the answer that key names. A panic becomes an
// error: in a flight it would end the process. A fill that needs the origin ends with
// the era that it began in, so that it does not keep its turn beyond an outage. After a
// fill without error, ended must follow, once its version is stored.
func (c *Cache) fill(parent context.Context, t *turn, key string) (v *slot.Version, err error) {
	if !c.life.begin() {
		c.counts.failures.Add(1)
		return nil, c.life.ctx.Err()
	}
	defer c.life.running.Done()
	era, needed := c.outage.Era(), true
	defer func() { c.logSlow(t, key, err) }()
	defer func() {
		if p := recover(); p != nil { // in a function of the owner; it must not end the process
			c.counts.panics.Add(1)
			c.opts.Logger.Error("panic in a fill", "key", key, "panic", p, "stack", string(debug.Stack()))
			v, err = nil, fmt.Errorf("fill of %s: panic: %v", key, p)
		}
		if err == nil {
			v.Doubtful = !needed && era.Err() != nil
			return
		}
		if context.Cause(parent) == ErrAbandoned {
			c.counts.abandoned.Add(1)
			return
		}
		c.counts.failures.Add(1)
		switch down := era.Err(); {
		case parent.Err() != nil || c.life.ctx.Err() != nil:
		case needed && down != nil:
			err = down
		case c.opts.IsDown(err):
			era.Down(err)
		}
	}()
	needed = !c.opts.FillsWhileDown(key)
	ctx, cancel := context.WithTimeout(parent, c.opts.FillTimeout)
	defer cancel()
	defer context.AfterFunc(c.life.ctx, cancel)() // Close may not end the parent
	if needed {
		var end context.CancelFunc
		ctx, end = era.WhileUp(ctx)
		defer end()
	}
	t.Lane, t.Group = c.opts.Lane(key)
	t.queued = time.Now()
	c.flights.loads.add(t, key)
	defer c.flights.loads.remove(t)
	if err := c.flights.turns.Enter(ctx, &t.Turn); err != nil {
		return nil, err
	}
	defer c.flights.turns.Leave(&t.Turn)
	t.began = time.Now()
	c.flights.loads.begin(t)
	if err := era.Err(); needed && err != nil { // ctx is about to end
		return nil, err
	}
	return c.read(ctx, key)
}

// read calls Options.Fill and makes a version of its answer.
func (c *Cache) read(ctx context.Context, key string) (v *slot.Version, err error) {
	began := c.begin()
	defer func() {
		if v == nil { // an error, or a panic
			c.end(began)
		}
	}()
	start := time.Now()
	c.counts.fills.Add(1)
	content, err := c.opts.Fill(ctx, key)
	if err != nil {
		return nil, err
	}
	filled := time.Now()
	e, err := entry.New(key, content, filled, filled.Sub(start), c.opts.Check)
	if err != nil {
		return nil, err
	}
	return slot.NewVersion(e, began), nil
}

// retryAfter is how long a key is left alone after a refresh that failed.
const retryAfter = 5 * time.Second

// clock returns the monotonic time since the cache was made.
func (c *Cache) clock() time.Duration { return time.Since(c.created) }

// failing reports whether the key's last refresh failed a short while ago.
func (c *Cache) failing(s *slot.Slot) bool {
	return int64(c.clock()) < s.FailedUntil.Load()
}
