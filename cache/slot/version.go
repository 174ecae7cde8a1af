package slot

import (
	"sync/atomic"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/reads"
)

// Version is an entry in the cache, and its history since it was read.
type Version struct {
	entry.Entry
	// Read is when the read of the entry began.
	Read reads.Moment
	// Doubtful marks an answer that was read during an outage, from elsewhere than the
	// origin. It is stale once the origin is back.
	Doubtful bool

	// Shrunk is set once a smaller form of the entry was tried.
	Shrunk atomic.Bool

	cost int64
	// purged makes the version stale in every generation.
	purged atomic.Bool
	// users counts the references of slots to the version, as served or next. The entry's
	// files are held while there is one. It is guarded by the lock of the slots.
	users int
	// heldBy is the last state in which the entry was found to be fresh.
	heldBy atomic.Pointer[State]
}

// NewVersion returns a version of an entry that was read at the given moment.
func NewVersion(e *entry.Entry, read reads.Moment) *Version {
	return &Version{Entry: *e, cost: e.Cost(), Read: read}
}

// Recoded returns the version with other variants of its entry, e.
func (v *Version) Recoded(e *entry.Entry) *Version {
	next := NewVersion(e, v.Read)
	next.Doubtful = v.Doubtful
	next.purged.Store(v.purged.Load())
	next.heldBy.Store(v.heldBy.Load())
	return next
}

// Cost returns the size of the entry in the budget, in bytes.
func (v *Version) Cost() int64 { return v.cost }

// Purge makes the version stale in every generation.
func (v *Version) Purge() { v.purged.Store(true) }

// Purged reports whether the version was purged.
func (v *Version) Purged() bool { return v.purged.Load() }

// use records that a slot serves the version, or will. The first use holds the entry's files.
func (v *Version) use() {
	if v.users++; v.users == 1 {
		v.Hold() // can't fail: the caller holds the version or has just made it
	}
}

// drop ends a use. The last drop releases the entry's files.
func (v *Version) drop() {
	if v.users--; v.users == 0 {
		v.Release()
	}
}

// Generation is one state of all data that answers come from.
type Generation interface {
	// Holds reports whether an entry is fresh in this generation: filled from this
	// generation, or from an earlier generation in which the entry's data was the same.
	// True is remembered for the entry, so the result must not depend on time.
	Holds(*entry.Entry) bool
	// ID names the generation; two generations with one name are the same.
	ID() string
}

// State is a generation at an address of its own, so that a version remembers cheaply
// that it was fresh in it. The generation is nil before the first publish.
type State struct{ Generation }

// Fresh reports whether a version is fresh in the state.
func (s *State) Fresh(v *Version) bool {
	if s.Generation == nil || v.Doubtful || v.purged.Load() {
		return false
	}
	if v.heldBy.Load() == s {
		return true
	}
	if !s.Generation.Holds(&v.Entry) {
		return false
	}
	v.heldBy.Store(s)
	return true
}
