package cache

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache/current"
	"github.com/lewistv/xcri-proxy/cache/outage"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// Ref is a key that remembers its slot, for a key that is requested again and again. It
// is safe for concurrent use and must not be copied. It keeps no entry in memory that
// has left the cache.
type Ref struct {
	Key  string
	near atomic.Pointer[slot.Slot]
}

// found is a version that a lookup found, and the generation in which it is served.
type found struct {
	slot    *slot.Slot
	version *slot.Version
	now     *current.State
	outcome Outcome
}

// Get returns the answer for the ref's key: from the cache if possible, otherwise by a
// fill that all requests for the key share. The outcome distinguishes the two.
func (c *Cache) Get(r *Ref) (*Entry, Outcome, error) {
	if e, outcome := c.Lookup(r); e != nil {
		return e, outcome, nil
	}
	return c.Await(context.Background(), r, "")
}

// Lookup returns the entry for the ref's key, or nil if Await has to fill it. If it returns
// an entry, it counts the request, and begins the refresh of a stale entry.
func (c *Cache) Lookup(r *Ref) (*Entry, Outcome) {
	f := c.find(r)
	if f.version == nil || c.outdated(f) {
		return nil, Miss
	}
	c.count(f.slot)
	if f.outcome == Stale {
		c.refresh(f.now, f.slot)
	}
	return &f.version.Entry, f.outcome
}

// Await returns the answer for a key that Lookup did not find. It returns ErrGone once
// ctx ends; a Costly fill is cancelled when no request waits for it any more. The fills that
// began for one client can't take all slots of the Costly lane; an empty client has no limit.
func (c *Cache) Await(ctx context.Context, r *Ref, client string) (*Entry, Outcome, error) {
	if c.current.Load().Held() {
		c.current.Open(ctx)
		if e, outcome := c.Lookup(r); e != nil {
			return e, outcome, nil
		}
	}
	f := c.find(r) // outdated, if there is a version
	e, outcome, err := c.wait(ctx, f.now, r.Key, client)
	if err != nil && f.version != nil && !errors.Is(err, ErrGone) {
		c.refreshed(f.slot, err)
		return &f.version.Entry, StaleError, nil
	}
	return e, outcome, err
}

// outdated reports whether a version must not be served before a fill of its key has
// failed, because another cache may have served a newer version.
func (c *Cache) outdated(f found) bool {
	return f.outcome == Stale && f.now.Generation != nil && !f.now.Generation.Holds(&f.version.Entry) && (f.now.Held() || c.opts.Strict() > 0)
}

// Peek returns the answer that Get would return. It has no side effects.
func (c *Cache) Peek(r *Ref) Sight {
	f := c.find(r)
	if f.version == nil {
		if c.outage.Now() != nil && !c.opts.FillsWhileDown(r.Key) {
			return Sight{Outcome: Error}
		}
		return Sight{Outcome: Miss}
	}
	return Sight{Entry: &f.version.Entry, Where: f.slot.Place().String(), Outcome: f.outcome, Asked: f.slot.Asked.Load()}
}

// Count counts a request that was answered with the entry which Peek returned.
func (c *Cache) Count(r *Ref) {
	if s := r.near.Load(); s != nil {
		c.count(s)
	}
}

// find looks up the version that is served for the ref's key. A version that is not
// fresh may have been read just before a publish, and is looked up again then.
func (c *Cache) find(r *Ref) found {
	s := r.near.Load()
	for {
		if s != nil {
			// In this order: a slot gives up its next version after the publish.
			next, served := s.Next(), s.Served()
			f := found{slot: s, version: served, now: c.current.Load()}
			if next != nil && next.Of == f.now.State {
				f.version = next.Version
			}
			if f.version != nil {
				f.outcome = c.outcome(f.now, f.slot, f.version)
				if f.outcome == Hit || next == s.Next() && served == s.Served() {
					return f
				}
				continue
			}
		}
		indexed := c.index.Get(r.Key)
		if indexed == nil || indexed == s {
			return found{now: c.current.Load()}
		}
		s = indexed
		r.near.Store(s)
	}
}

// outcome returns how a request is answered with a version.
func (c *Cache) outcome(now *current.State, s *slot.Slot, v *slot.Version) Outcome {
	down := c.outage.Now()
	switch {
	case down == nil:
		if now.Fresh(v) {
			return Hit
		}
	case !c.opts.FillsWhileDown(s.Key):
		return StaleError
	case c.recent(now.State, v, down):
		return Hit
	}
	if c.failing(s) {
		return StaleError
	}
	return Stale
}

// fresh reports whether a version need not be filled again.
func (c *Cache) fresh(now *slot.State, v *slot.Version) bool {
	if down := c.outage.Now(); down != nil && c.opts.FillsWhileDown(v.Key) {
		return c.recent(now, v, down)
	}
	return now.Fresh(v)
}

// recent reports whether a version that can be refreshed during an outage is younger
// than Options.DownAge, and was either filled in the outage or fresh when it began.
func (c *Cache) recent(now *slot.State, v *slot.Version, down *outage.Cause) bool {
	if v.Purged() || time.Since(v.Filled) >= c.opts.DownAge {
		return false
	}
	return !v.Filled.Before(down.At) || now.Fresh(v)
}

// count counts a request for a slot, and promotes a slot that is requested often.
func (c *Cache) count(s *slot.Slot) {
	if asked, note := s.Count(); note && c.shelves.Note(&s.Label, asked) {
		c.promote(s)
	}
}
