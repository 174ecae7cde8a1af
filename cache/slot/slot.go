// Package slot keeps the versions of an answer. A key has one slot for as long as it is
// cached. The slot holds the version that is served and, while a generation is being
// prepared, the version that will be served in that generation.
//
// Readers may read slots and the index at any time. No other two calls may run
// concurrently: their callers share one lock.
package slot

import (
	"sync/atomic"

	"github.com/lewistv/xcri-proxy/cache/shelf"
)

// Slot holds the versions of a key, from the first version until the key leaves the cache.
type Slot struct {
	shelf.Label // where the slot is kept, and how often its key was requested
	// served is the version that readers get. It is nil before the first publish of a
	// slot that was made by Prepare, and once the slot has left the cache.
	served atomic.Pointer[Version]
	// next replaces served for readers from the moment at which its state is
	// published; nil if nothing is prepared.
	next atomic.Pointer[Next]
	// Refreshing is set while a refresh of the key is under way.
	Refreshing atomic.Bool
	// FailedUntil is when a refresh may next be tried after a failed refresh, in
	// nanoseconds of a clock of the caller.
	FailedUntil atomic.Int64
}

// New returns a slot without versions.
func New(key string) *Slot { return &Slot{Label: shelf.Label{Key: key}} }

// Fade halves the count of requests: with each refresh and each publish.
func (s *Slot) Fade() { s.Asked.Store(s.Asked.Load() / 2) }

// Next is a version that is served once a state is published.
type Next struct {
	*Version
	Of *State
}

// Served returns the version that readers get unless the state of Next is published; nil if
// there is none.
func (s *Slot) Served() *Version { return s.served.Load() }

// Hold returns the version that readers get, whose files are open until the caller releases
// the version; nil if there is none.
func (s *Slot) Hold() *Version {
	for {
		// Hold fails if another version has taken the place of v since.
		if v := s.served.Load(); v == nil || v.Hold() {
			return v
		}
	}
}

// Next returns the version that will be served; nil if there is none.
func (s *Slot) Next() *Next { return s.next.Load() }

// In returns the version that readers get while a state is the published state; nil if
// there is none. The caller holds the lock of the slots.
func (s *Slot) In(state *State) *Version {
	if next := s.next.Load(); next != nil && next.Of == state {
		return next.Version
	}
	return s.served.Load()
}

// Serve makes v the served version; nil means no version.
func (s *Slot) Serve(v *Version) {
	if v != nil {
		v.use()
	}
	if old := s.served.Swap(v); old != nil {
		old.drop()
	}
}

// Prepare makes v the version that is served once a state is published; nil means no next
// version.
func (s *Slot) Prepare(v *Version, of *State) {
	var next *Next
	if v != nil {
		v.use()
		next = &Next{v, of}
	}
	if old := s.next.Swap(next); old != nil {
		old.drop()
	}
}

// Versions returns the slot's versions that are or will be served: none, one or two.
func (s *Slot) Versions() (all []*Version) {
	served, next := s.served.Load(), s.next.Load()
	if served != nil {
		all = append(all, served)
	}
	if next != nil && next.Version != served {
		all = append(all, next.Version)
	}
	return all
}
