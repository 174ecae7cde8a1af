package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/fill"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

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
	defer c.fills.Wait(key)()
	began, by := false, fill.Beginner{Client: client, Request: requestOf(ctx)}
	result, leave := c.fills.Join(key, c.flight(now, key), func(parent context.Context) (any, error) {
		return c.load(parent, by, key, func() { began = true })
	})
	defer leave()
	timer := time.NewTimer(c.opts.WaitTimeout)
	defer timer.Stop()
	select {
	case r := <-result:
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
	if !c.fills.BeginRefresh() {
		s.Refreshing.Store(false)
		return
	}
	go func() {
		defer c.fills.EndRefresh()
		defer s.Refreshing.Store(false)
		result, leave := c.fills.Join(s.Key, c.flight(now, s.Key), func(parent context.Context) (any, error) {
			return c.load(parent, fill.Beginner{}, s.Key, func() { c.counts.refreshed.Add(1) })
		})
		defer leave()
		err := (<-result).Err
		if err != nil && !errors.Is(err, ErrDown) { // an outage does not count as a failure of the key
			s.FailedUntil.Store(int64(c.clock() + retryAfter))
			c.opts.Logger.Warn("refresh failed, serving the stale entry", "key", s.Key, "error", err)
		}
	}()
}

// load runs inside the flight of key: it calls began and fills, unless another flight
// ended with a fresh entry after the lookup that led here.
func (c *Cache) load(parent context.Context, by fill.Beginner, key string, began func()) (*Entry, error) {
	if f := c.find(&Ref{Key: key}); f.version != nil && c.fresh(f.now.State, f.version) {
		return &f.version.Entry, nil
	}
	if c.fills.Begin() { // Close waits for the store, too; after Close, fill refuses
		defer c.fills.End()
	}
	began()
	v, err := c.fill(parent, by, key)
	if err != nil {
		return nil, err
	}
	c.store(v)
	c.end(v.Read)
	return &v.Entry, nil
}

// fill loads the answer that key names in its turn. After a fill without error, end must
// follow, once its version is stored.
func (c *Cache) fill(parent context.Context, by fill.Beginner, key string) (v *slot.Version, err error) {
	doubtful, err := c.fills.Run(parent, by, key, func(ctx context.Context) (err error) {
		v, err = c.read(ctx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	v.Doubtful = doubtful
	return v, nil
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

// requestKey is the key of the value that WithRequest adds to a context.
type requestKey struct{}

// WithRequest returns a context for Await that carries the ID of a request. A slow fill
// that the request begins is logged with the ID.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// requestOf returns the ID of the request that ctx carries; empty for none.
func requestOf(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}
