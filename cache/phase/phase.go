// Package phase measures the phases of a fill. The fill's context carries a Clock through
// layers that do not import each other, and each layer reports its own phases.
package phase

import (
	"context"
	"sync"
	"time"
)

// Phase is a part of a fill. Fills skip phases, and come back to some.
type Phase uint8

// The phases, in the order in which a fill first reaches them.
const (
	Queue      Phase = iota // waits for its turn
	Shared                  // looks the answer up in the shared level, or waits for another proxy's fill
	Load                    // any work that no other phase counts
	Connection              // waits for a connection to the database, or opens one
	Query                   // from sending a statement to the first row of its result
	Rows                    // receives the rows
	Encode                  // writes the answer from the rows
	Legacy                  // waits for the old API
	Compress                // makes the content codings of the body
	Phases                  // the number of phases
)

var names = [Phases]string{"queue", "shared", "load", "connection", "query", "rows", "encode", "legacy", "compress"}

// String returns the name of the phase in logs, metrics and Server-Timing.
func (p Phase) String() string { return names[p] }

// Times holds the time that each phase took.
type Times [Phases]time.Duration

// Total returns the sum of all phases.
func (t *Times) Total() (sum time.Duration) {
	for _, took := range t {
		sum += took
	}
	return sum
}

// Attrs returns the phases from first on that took any time, as the attributes of a log
// line.
func (t *Times) Attrs(first Phase) (attrs []any) {
	for p := first; p < Phases; p++ {
		if t[p] > 0 {
			attrs = append(attrs, p.String(), t[p])
		}
	}
	return attrs
}

// Clock measures the phases of one fill. All methods may be called on a nil Clock, which
// measures nothing. It is safe for concurrent use.
type Clock struct {
	started time.Time

	mu    sync.Mutex
	times Times
	now   Phase
	since time.Duration // from started to the start of the present phase
	ended bool
}

// Start returns a Clock of a fill that begins with the phase first.
func Start(first Phase) *Clock { return &Clock{started: time.Now(), now: first} }

// Started returns when the fill began; the zero time of a nil Clock.
func (c *Clock) Started() time.Time {
	if c == nil {
		return time.Time{}
	}
	return c.started
}

// Begin ends the present phase and begins the next. It does nothing after End.
func (c *Clock) Begin(next Phase) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.charge()
	c.now = next
}

// Move counts time that was measured in the phase from for the phase to: a layer whose
// work alternates between two phases need not report each change.
func (c *Clock) Move(from, to Phase, took time.Duration) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.charge()
	took = min(took, c.times[from])
	c.times[from] -= took
	c.times[to] += took
}

// End ends the present phase and the fill.
func (c *Clock) End() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.charge()
	c.ended = true
}

// charge adds the time since the last call to the present phase. The caller holds mu.
func (c *Clock) charge() {
	if c.ended {
		return
	}
	now := time.Since(c.started)
	c.times[c.now] += now - c.since
	c.since = now
}

// Times returns the time that each phase has taken so far.
func (c *Clock) Times() Times {
	if c == nil {
		return Times{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.charge()
	return c.times
}

// Now returns the present phase, after End the last phase, and Load for a nil Clock.
func (c *Clock) Now() Phase {
	if c == nil {
		return Load
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// clockKey is the key of the value that With adds to a context.
type clockKey struct{}

// With returns a context that carries the Clock of a fill.
func With(ctx context.Context, c *Clock) context.Context {
	return context.WithValue(ctx, clockKey{}, c)
}

// Of returns the Clock of the fill that ctx belongs to; nil if there is none.
func Of(ctx context.Context) *Clock {
	c, _ := ctx.Value(clockKey{}).(*Clock)
	return c
}
