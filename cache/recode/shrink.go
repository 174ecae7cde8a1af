package recode

import (
	"context"
	"time"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

const (
	// shrinkEvery is the interval at which the cache checks for idle time.
	shrinkEvery = time.Second
	// shrinkRest is the pause after all entries have their smallest form.
	shrinkRest = 15 * time.Second
)

// Shrink makes the smallest forms of entries while the processor has nothing else to
// do. It works on one entry at a time, the most requested first. It does nothing if
// Make is nil.
type Shrink struct {
	// Idle reports whether there is time and memory for the work now.
	Idle func() bool
	// Can reports whether an entry may have a smaller form.
	Can func(*entry.Entry) bool
	// Make returns the variants of an entry with a smaller form among them, or nil if
	// there is none. It calls next between pieces of the work, and stops when next
	// returns false; next waits while the processor is busy. As with Options.Recode, the
	// caller holds the entry, and releases the variants.
	Make func(e *entry.Entry, next func() bool) []entry.Variant
}

// RunShrink shrinks entries in idle time until ctx ends.
func (r *Recoder) RunShrink(ctx context.Context) {
	for rest(ctx, shrinkEvery) {
		if !r.opts.Shrink.Idle() {
			continue
		}
		v := r.mostRequested()
		if v == nil {
			if !rest(ctx, shrinkRest) {
				return
			}
			continue
		}
		r.remake(v, func(e *entry.Entry) []entry.Variant {
			return r.opts.Shrink.Make(e, func() bool { return r.idleFor(ctx, v) })
		})
		v.Shrunk.Store(true) // no effect if the version was replaced
		v.Release()
	}
}

// rest waits, and returns false if ctx ends meanwhile.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// idleFor waits for idle time. It returns false once the cache no longer serves the version,
// or is closed.
func (r *Recoder) idleFor(ctx context.Context, v *slot.Version) bool {
	for ctx.Err() == nil && r.opts.Has(v) {
		if r.opts.Shrink.Idle() {
			return true
		}
		if !rest(ctx, shrinkEvery) {
			return false
		}
	}
	return false
}

// mostRequested returns the version of the most requested entry that may have a smaller
// form and has not been tried yet, and holds it; nil if there is none.
func (r *Recoder) mostRequested() *slot.Version {
	for {
		var most *slot.Slot
		var found *slot.Version
		for _, s := range r.opts.Slots() {
			v := s.Served()
			if v == nil || most != nil && s.Asked.Load() <= most.Asked.Load() {
				continue
			}
			if r.opts.Shrink.Can(&v.Entry) && !v.Shrunk.Load() {
				most, found = s, v
			}
		}
		if found == nil || found.Hold() {
			return found
		}
		// The version has left the cache meanwhile.
	}
}
