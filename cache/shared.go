package cache

import (
	"context"
	"time"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/fill"
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// Shared is a second level between the memory and the origin, which several caches share.
// Its methods return no errors: while the level is away, each cache loads from the origin.
// It is safe for concurrent use.
type Shared interface {
	// Claim looks up the answer of key in a generation. If another cache is filling it,
	// Claim waits for the answer. If found is nil, the caller fills, and then calls done
	// with the answer, or with nil if there is none to share. done does not block.
	Claim(ctx context.Context, g Generation, key string) (found *Saved, done func(*Saved))
}

// obtain returns a version of the answer that key names in a generation: from the shared
// level, in which case done is nil, or filled. Without an error, conclude must follow.
func (c *Cache) obtain(parent context.Context, g Generation, by fill.Beginner, key string) (v *slot.Version, done func(*Saved), err error) {
	done = func(*Saved) {}
	if c.opts.Shared != nil && g != nil {
		if v, done = c.claim(parent, g, by.Clock, key); v != nil {
			by.Clock.End()
			return v, nil, nil
		}
	}
	defer func() {
		if v == nil { // an error, or a panic
			done(nil)
		}
	}()
	v, err = c.fill(parent, by, key)
	return v, done, err
}

// claim looks up an answer in the shared level, and returns a version of it, or how to end
// the claim after the fill. The version counts as read when the lookup began, because the
// level finds it by the state of the data at that moment.
func (c *Cache) claim(parent context.Context, g Generation, clock *phase.Clock, key string) (v *slot.Version, done func(*Saved)) {
	clock.Begin(phase.Shared)
	defer clock.Begin(phase.Queue)
	ctx, cancel := c.fills.Bound(parent)
	defer cancel()
	began, start := c.begin(false), time.Now()
	found, done := c.opts.Shared.Claim(ctx, g, key)
	if found != nil {
		e, err := entry.New(key, found.Content, start, found.Took, c.opts.Check)
		if err == nil && g.Holds(e) {
			return slot.NewVersion(e, began), nil
		}
		done = func(*Saved) {}
	}
	c.end(began)
	return nil, done
}

// conclude ends the read of a version that is stored by now, and with it the claim. The
// version is not shared if a purge applies to it, or if it was not read from the origin.
func (c *Cache) conclude(v *slot.Version, done func(*Saved)) {
	c.mu.Lock()
	hard, soft := c.reads.Purged(v.Read, &v.Entry)
	c.reads.End(v.Read)
	c.mu.Unlock()
	switch {
	case done == nil: // found in the level
	case hard, soft, v.Doubtful:
		done(nil)
	default:
		done(&Saved{Key: v.Key, Content: v.Content, Filled: v.Filled, Took: v.Took})
	}
}
