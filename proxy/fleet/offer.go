package fleet

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet/waits"
)

const (
	// offerEvery is the interval at which the warm entries are compared with the values
	// that this member knows to be in the level.
	offerEvery = 2 * time.Second
	// forgetEvery is the interval after which a member asks for each value again: the level
	// may have evicted it.
	forgetEvery = 10 * time.Minute
)

// offered are the values that the level is known to have, by key. offerAll alone changes
// them.
type offered struct {
	mu sync.Mutex
	of map[string]offer
	at time.Time
}

// reset forgets the values.
func (o *offered) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.of, o.at = map[string]offer{}, time.Now()
}

// set notes that the level has a value.
func (o *offered) set(key string, value offer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.of[key] = value
}

// offer is a value by its name, and its rank or a higher rank.
type offer struct {
	name string
	rank byte
}

// offerAll offers the warm entries to the level until the session ends: entries that became
// better by another form of the body, that are still fresh after their table has changed,
// and that the level has lost.
func (f *Fleet) offerAll(s *session) {
	f.offered.reset()
	waits.Repeat(s.ctx, offerEvery, func() { f.offerWarm(s) })
}

// offerWarm offers all warm entries once. Each member begins at another entry: after the
// return of an empty level the members offer different entries, and find the others there.
func (f *Fleet) offerWarm(s *session) {
	if time.Since(f.offered.at) >= forgetEvery {
		f.offered.reset()
	}
	keys := f.opts.Warm()
	if len(keys) == 0 {
		return
	}
	first := rand.IntN(len(keys))
	for _, key := range slices.Concat(keys[first:], keys[:first]) {
		if s.ctx.Err() == nil {
			f.offer(s, key)
		}
	}
}

// offer stores the entry of a key in the level, unless the level has a value that is as
// good. The state is read before the entry: see State.Settled.
func (f *Fleet) offer(s *session, key string) {
	names, g := f.actions.Series(), f.opts.Published()
	if names == nil || g == nil {
		return
	}
	state := f.opts.State(g, key)
	if state.Generation == "" || !state.Sure || !state.Settled {
		return
	}
	e := f.opts.Fresh(key)
	if e == nil || e.Generation != state.Generation || !e.Hold() {
		return
	}
	defer e.Release()
	name, first := f.name(names, key, state.Generation, state.Data), head(true, f.opts.Rank(&e.Content))
	if known, ok := f.offered.of[key]; ok && known.name == name && known.rank >= first[1] {
		return
	}
	var there []byte
	err := f.do(s.ctx, s, slowly*f.opts.Budget, func(ctx context.Context) (err error) {
		there, err = f.opts.Engine.Head(ctx, name, headBytes)
		return err
	})
	if err != nil {
		return
	}
	answer := &cache.Saved{Key: key, Content: e.Content, Filled: e.Filled, Took: e.Took}
	if (len(there) < headBytes || string(there) < string(first)) && !f.put(s.ctx, s, put{name, "", answer, state}) {
		return
	}
	f.offered.set(key, offer{name, first[1]})
}

// Has reports whether this member knows that the level has the answer of a key in its
// present state.
func (f *Fleet) Has(g cache.Generation, key string) bool {
	names, state := f.actions.Series(), f.opts.State(g, key)
	f.offered.mu.Lock()
	defer f.offered.mu.Unlock()
	return names != nil && f.offered.of[key].name == f.name(names, key, state.Generation, state.Data)
}
