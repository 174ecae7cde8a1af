package fill

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/cache/turns"
)

// Load describes a fill that has not ended.
type Load struct {
	Key     string
	Lane    turns.Lane
	Group   string    // see Options.Lane; empty for none
	Client  string    // of the request that began the fill; empty for a refresh or a warm-up
	Request string    // its ID; empty for none
	Queued  time.Time // when the fill began to wait for its turn
	Began   time.Time // when it got its turn; zero while it waits
	Waiting int       // requests that wait for the key
	Phase   phase.Phase
	Times   phase.Times // of the phases so far
}

// loads holds the fills that have not ended, for operators. It is safe for concurrent
// use.
type loads struct {
	mu      sync.Mutex
	of      map[*turn]*Load
	waiting map[string]int // requests by key
}

// Wait counts a request that waits for a key, until done is called.
func (f *Fills) Wait(key string) (done func()) {
	l := &f.loads
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting[key]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.waiting[key]--; l.waiting[key] == 0 {
			delete(l.waiting, key)
		}
	}
}

// add adds the fill of a turn that begins to wait.
func (l *loads) add(t *turn, key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of[t] = &Load{Key: key, Lane: t.Lane, Group: t.Group, Client: t.Client, Request: t.request, Queued: time.Now()}
}

// begin records that the fill of a turn has got its turn.
func (l *loads) begin(t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of[t].Began = time.Now()
}

func (l *loads) remove(t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, t)
}

// ClockOf returns the Clock of the latest fill of a key that has not ended; nil if there
// is none.
func (f *Fills) ClockOf(key string) (latest *phase.Clock) {
	l := &f.loads
	l.mu.Lock()
	defer l.mu.Unlock()
	for t, load := range l.of {
		if load.Key == key && t.clock.Started().After(latest.Started()) {
			latest = t.clock
		}
	}
	return latest
}

// Loading returns the fills that have not ended, the oldest first.
func (f *Fills) Loading() []Load {
	l := &f.loads
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Load, 0, len(l.of))
	for t, load := range l.of {
		now := *load
		now.Waiting, now.Phase, now.Times = l.waiting[now.Key], t.clock.Now(), t.clock.Times()
		all = append(all, now)
	}
	slices.SortFunc(all, func(a, b Load) int {
		return cmp.Or(a.Queued.Compare(b.Queued), cmp.Compare(a.Key, b.Key))
	})
	return all
}
