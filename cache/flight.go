package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cache/current"
	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/fill"
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// flight names the fill of a key. A request after a publish or a purge does not join a
// fill from before it.
func (c *Cache) flight(now *current.State, key string) string {
	return fmt.Sprint(key, " ", now.Name(), " ", c.reads.Purges())
}

// wait joins or begins the fill of key in the generation of now, for a request that
// ends with ctx.
func (c *Cache) wait(ctx context.Context, now *current.State, key, client string) (e *Entry, outcome Outcome, err error) {
	era := c.outage.Era()
	down := era.Done()
	if c.opts.FillsWhileDown(key) {
		down = nil // the fill does not need the origin
	} else if err := era.Err(); err != nil {
		return nil, Error, err
	}
	c.counts.waiting.Add(1)
	defer c.counts.waiting.Add(-1)
	defer c.fills.Wait(key)()
	request := fill.RequestOf(ctx)
	began, by := false, fill.Beginner{Client: client, Request: request.ID}
	result, leave := c.fills.Join(key, c.flight(now, key), func(parent context.Context) (any, error) {
		return c.fly(parent, by, key, func() { began = true })
	})
	defer leave()
	timer := time.NewTimer(c.opts.WaitTimeout)
	defer timer.Stop()
	select {
	case r := <-result:
		flown := r.Val.(flown)
		request.Fill = flown.clock
		switch {
		case r.Err != nil:
			return nil, Error, r.Err
		case began:
			return flown.entry, Miss, nil
		}
		return flown.entry, Coalesced, nil
	case <-down:
		err = era.Err()
	case <-timer.C:
		err = ErrWait
	case <-ctx.Done():
		err = ErrGone
	}
	request.Fill = c.fills.ClockOf(key)
	return nil, Error, err
}

// refresh starts a background fill of a slot's key, unless a fill is under way or the
// limit of refreshes is reached.
func (c *Cache) refresh(now *current.State, s *slot.Slot) {
	if !s.Refreshing.CompareAndSwap(false, true) {
		return
	}
	if !c.fills.BeginRefresh() {
		s.Refreshing.Store(false)
		return
	}
	go func() {
		defer c.fills.EndRefresh()
		defer s.Refreshing.Store(false)
		result, leave := c.fills.Join(s.Key, c.flight(now, s.Key), func(parent context.Context) (any, error) {
			return c.fly(parent, fill.Beginner{}, s.Key, func() { c.counts.refreshed.Add(1) })
		})
		defer leave()
		c.refreshed(s, (<-result).Err)
	}()
}

// refreshed records the result of the fill of a key that has a stale entry.
func (c *Cache) refreshed(s *slot.Slot, err error) {
	if err != nil && !errors.Is(err, ErrDown) { // an outage does not count as a failure of the key
		s.FailedUntil.Store(int64(c.clock() + retryAfter))
		c.opts.Logger.Warn("refresh failed, serving the stale entry", "key", s.Key, "error", err)
	}
}

// flown is the result of a flight: an entry, unless it failed, and the Clock of the fill
// in it; nil if there was none.
type flown struct {
	entry *Entry
	clock *phase.Clock
}

// fly runs inside the flight of key. With Options.Strict it waits for the publish of the
// answer's generation, and loads the answer again after the publish of a later generation.
func (c *Cache) fly(parent context.Context, by fill.Beginner, key string, began func()) (f flown, err error) {
	for range mostLoads {
		before := c.current.Load()
		f.entry, err = c.load(parent, by, key, func() *phase.Clock {
			began()
			f.clock = phase.Start(phase.Queue)
			return f.clock
		})
		if most := c.opts.Strict(); err != nil || most == 0 || !c.current.Follow(parent, most, before, f.entry) {
			break
		}
	}
	return f, err
}

// load calls begin, which returns the Clock of the fill, and obtains the answer, unless
// another flight ended with a fresh entry after the lookup that led here.
func (c *Cache) load(parent context.Context, by fill.Beginner, key string, begin func() *phase.Clock) (*Entry, error) {
	f := c.find(&Ref{Key: key})
	if f.version != nil && c.fresh(f.now.State, f.version) {
		return &f.version.Entry, nil
	}
	if c.fills.Begin() { // Close waits for the store, too; after Close, fill refuses
		defer c.fills.End()
	}
	by.Clock = begin()
	v, done, err := c.obtain(parent, f.now.Coming(), by, key)
	if err != nil {
		return nil, err
	}
	c.store(v)
	c.conclude(v, done)
	return &v.Entry, nil
}

// fill loads the answer that key names in its turn. After a fill without error, conclude
// must follow, once its version is stored.
func (c *Cache) fill(parent context.Context, by fill.Beginner, key string) (v *slot.Version, err error) {
	doubtful, err := c.fills.Run(parent, by, key, func(ctx context.Context) (err error) {
		v, err = c.read(ctx, key, by.Idle)
		return err
	})
	if err != nil {
		return nil, err
	}
	v.Doubtful = doubtful
	return v, nil
}

// read calls Options.Fill and makes a version of its answer, in the season's round if inRound.
func (c *Cache) read(ctx context.Context, key string, inRound bool) (v *slot.Version, err error) {
	began := c.begin(inRound)
	defer func() {
		if v == nil { // an error, or a panic
			c.end(began)
		}
	}()
	start := time.Now()
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

// retryAfter is the time without refreshes of a key after a failed refresh. mostLoads limits
// the loads in a flight: a publish during a load makes another load necessary.
const retryAfter, mostLoads = 5 * time.Second, 3

// clock returns the monotonic time since the cache was made.
func (c *Cache) clock() time.Duration { return time.Since(c.created) }

// failing reports whether the key's last refresh failed a short while ago.
func (c *Cache) failing(s *slot.Slot) bool {
	return int64(c.clock()) < s.FailedUntil.Load()
}
