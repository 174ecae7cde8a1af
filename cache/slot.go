package cache

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache/shelf"
)

// version is an entry in the cache, and its history since it was read.
type version struct {
	Entry
	cost int64
	read moment
	// doubtful marks an answer that was read during an outage, from elsewhere than the
	// origin. It is stale once the origin is back.
	doubtful bool
	// purged makes the version stale in every generation.
	purged atomic.Bool
	// users counts the places of the version in slots, whose files are held as long as
	// there are any. It is guarded by Cache.mu.
	users int
	// heldBy is the last state in which the entry was found to be fresh.
	heldBy atomic.Pointer[state]
}

// newVersion returns a version of an entry that was read at the given moment.
func newVersion(e *Entry, read moment) *version {
	return &version{Entry: *e, cost: e.Cost(), read: read}
}

// recoded returns the version with other variants of its entry, e.
func (v *version) recoded(e *Entry) *version {
	next := newVersion(e, v.read)
	next.doubtful = v.doubtful
	next.purged.Store(v.purged.Load())
	next.heldBy.Store(v.heldBy.Load())
	return next
}

// use notes that a slot serves the version, or will: it holds the entry's files.
func (v *version) use() {
	if v.users++; v.users == 1 {
		v.Hold() // can't fail: the caller holds the version or has just made it
	}
}

// drop ends a use.
func (v *version) drop() {
	if v.users--; v.users == 0 {
		v.Release()
	}
}

// state is a generation at an address of its own, so that a version remembers cheaply
// that it was fresh in it. The generation is nil before the first publish.
type state struct{ Generation }

// holds reports whether a version is fresh in the state.
func (s *state) holds(v *version) bool {
	if s.Generation == nil || v.doubtful || v.purged.Load() {
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

// slot is the place of a key, from its first version until it leaves the cache.
type slot struct {
	shelf.Label // where the slot is kept, and how often its key was requested
	// served is the version that readers get. It is nil before the first publish of a
	// slot that was made by Prepare, and once the slot has left the cache.
	served atomic.Pointer[version]
	// next replaces served for readers from the moment at which its state is
	// published; nil if nothing is prepared.
	next atomic.Pointer[nextVersion]
	// refreshing is set while a refresh of the key is under way.
	refreshing atomic.Bool
	// failedUntil is when a refresh may next be tried after a failed one, in
	// nanoseconds of Cache.clock.
	failedUntil atomic.Int64
}

func newSlot(key string) *slot { return &slot{Label: shelf.Label{Key: key}} }

// fade halves the count of requests: with each refresh and each publish.
func (s *slot) fade() { s.Asked.Store(s.Asked.Load() / 2) }

// nextVersion is a version that is served once a state is published.
type nextVersion struct {
	*version
	of *state
}

// serve makes a version the served version; nil for none.
func (s *slot) serve(v *version) {
	if v != nil {
		v.use()
	}
	if old := s.served.Swap(v); old != nil {
		old.drop()
	}
}

// prepare makes a version the next version, from the publish of a state on; nil for none.
func (s *slot) prepare(v *version, of *state) {
	var next *nextVersion
	if v != nil {
		v.use()
		next = &nextVersion{v, of}
	}
	if old := s.next.Swap(next); old != nil {
		old.drop()
	}
}

// versions returns the slot's versions that are or will be served: none, one or two.
func (s *slot) versions() (all []*version) {
	served, next := s.served.Load(), s.next.Load()
	if served != nil {
		all = append(all, served)
	}
	if next != nil && next.version != served {
		all = append(all, next.version)
	}
	return all
}

// index finds the slot of a key.
type index struct {
	mu    sync.RWMutex
	slots map[string]*slot
}

// get returns the slot of key, or nil.
func (i *index) get(key string) *slot {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.slots[key]
}

func (i *index) put(s *slot) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.slots[s.Key] = s
}

func (i *index) remove(s *slot) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.slots, s.Key)
}

// all returns every slot.
func (i *index) all() []*slot {
	i.mu.RLock()
	defer i.mu.RUnlock()
	all := make([]*slot, 0, len(i.slots))
	for _, s := range i.slots {
		all = append(all, s)
	}
	return all
}

// clock returns the monotonic time since the cache was made.
func (c *Cache) clock() time.Duration { return time.Since(c.created) }

// retryAfter is how long a key is left alone after a refresh that failed.
const retryAfter = 5 * time.Second

// failing reports whether the key's last refresh failed a short while ago.
func (c *Cache) failing(s *slot) bool {
	return int64(c.clock()) < s.failedUntil.Load()
}
