// Package current holds the published state of a cache. Readers load it with every request,
// and can wait for the next state.
package current

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/slot"
)

// HoldTime is the longest wait of a reader for a generation on hold.
const HoldTime = time.Second

// Current is the published state. Readers may load it, and wait, at any time. No other two
// calls may run concurrently.
type Current struct {
	now   atomic.Pointer[State]
	holds struct{ now, total, time atomic.Int64 }
}

// Holds counts the waits of readers for a publish.
type Holds struct {
	Now   int64 // waits under way
	Total int64
	Time  time.Duration // of the waits that have ended
}

// Holds returns the counts of this moment.
func (c *Current) Holds() Holds {
	return Holds{Now: c.holds.now.Load(), Total: c.holds.total.Load(), Time: time.Duration(c.holds.time.Load())}
}

// New returns a Current without a generation.
func New() *Current {
	c := &Current{}
	c.now.Store(&State{State: &slot.State{}, over: make(chan struct{})})
	return c
}

// State decides whether a version is fresh for readers. It is immutable.
type State struct {
	*slot.State
	// Published is the generation that is published, and At the time of its publish.
	Published slot.Generation
	At        time.Time
	next      slot.Generation // whose publish readers wait for; nil if there is none
	over      chan struct{}   // closed once another state is current
}

// Held reports whether readers wait for the next generation.
func (s *State) Held() bool { return s.next != nil }

// Coming returns the generation that readers wait for, or else the published generation.
func (s *State) Coming() slot.Generation {
	if s.next != nil {
		return s.next
	}
	return s.Published
}

// Name returns the name of the coming generation; empty before the first.
func (s *State) Name() string {
	if s.Generation == nil {
		return ""
	}
	return s.Generation.ID()
}

// Load returns the state of this moment.
func (c *Current) Load() *State { return c.now.Load() }

// Publish makes a state current.
func (c *Current) Publish(s *slot.State) {
	c.replace(&State{State: s, Published: s.Generation, At: time.Now()})
}

// Hold has readers wait for the publish of a generation: until then an entry is fresh only if
// both the published and the next generation hold it. It does nothing before the first
// publish.
func (c *Current) Hold(next slot.Generation) {
	if now := c.Load(); now.Published != nil {
		c.replace(&State{State: &slot.State{Generation: both{next, now.Published}}, Published: now.Published, At: now.At, next: next})
	}
}

func (c *Current) replace(s *State) {
	s.over = make(chan struct{})
	close(c.now.Swap(s).over)
}

// both are two generations, with the name of the next.
type both struct {
	slot.Generation
	published slot.Generation
}

// Holds reports whether both generations hold an entry.
func (b both) Holds(e *entry.Entry) bool { return b.Generation.Holds(e) && b.published.Holds(e) }

// Open waits until no generation is on hold, at most for HoldTime.
func (c *Current) Open(ctx context.Context) {
	c.wait(ctx, HoldTime, func(now *State) bool { return !now.Held() })
}

// Follow waits, at most for the given time, until the published generation holds e and no
// generation is on hold; before is the state that was current when the read of e began. It
// returns true if a later generation was published that does not hold e.
func (c *Current) Follow(ctx context.Context, most time.Duration, before *State, e *entry.Entry) (overtaken bool) {
	c.wait(ctx, most, func(now *State) bool {
		holds := now.Published == nil || now.Published.Holds(e)
		overtaken = !holds && now.Name() != before.Name()
		return !now.Held() && (holds || overtaken)
	})
	return overtaken
}

// wait waits until done returns true for the current state, ctx ends or the time has passed.
func (c *Current) wait(ctx context.Context, most time.Duration, done func(*State) bool) {
	now := c.Load()
	if done(now) {
		return
	}
	defer c.count()()
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-now.over:
		}
		if now = c.Load(); done(now) {
			return
		}
	}
}

// count counts a wait, until ended is called.
func (c *Current) count() (ended func()) {
	begun := time.Now()
	c.holds.now.Add(1)
	c.holds.total.Add(1)
	return func() {
		c.holds.now.Add(-1)
		c.holds.time.Add(int64(time.Since(begun)))
	}
}
