// Package fill runs the loads of a cache. Requests for one answer share a load. A load
// waits for its turn, and has a deadline. It ends early when the origin goes down, unless it
// can do without the origin; when the last request for it has left, if it is Costly; and
// with Close. A panic in it becomes an error.
//
// The error of a fill is not kept: the next request for the key begins another fill. An
// outage, which would fail all fills, ends this for all keys; any other error may concern a
// single read, and a later request, which has its own deadline, must not fail because of it.
// The turns and the shares of clients bound the reads of a key that fails again and again.
package fill

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/lewistv/xcri-proxy/cache/outage"
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/cache/turns"
)

// Options configure Fills. All but Slow are required.
type Options struct {
	// Timeout bounds a fill, with its wait for a turn.
	Timeout time.Duration
	// Slots limits concurrent fills; at most half may be refreshes. InLanes reports whether
	// Lane returns different lanes.
	Slots   int
	InLanes bool
	// Lane returns how long the fill of a key keeps the origin busy, and the group of
	// keys that depend on the same part of the origin.
	Lane func(key string) (lane turns.Lane, group string)
	// IsDown reports whether the error of a fill means that the origin is down.
	IsDown func(error) bool
	Outage *outage.Outage
	// FillsWhileDown reports whether key can be filled without the origin.
	FillsWhileDown func(key string) bool
	// Slow is the duration from which on a fill is logged; zero means never.
	Slow   time.Duration
	Logger *slog.Logger
}

// Fills are the fills of a cache. They are safe for concurrent use.
type Fills struct {
	life
	opts    Options
	group   singleflight.Group
	turns   *turns.Turns
	waiters waiters
	loads   loads
	counts  counts
	// refreshes holds a value for each refresh under way.
	refreshes chan struct{}
}

// counts are the counters since the start.
type counts struct{ fills, failures, panics, abandoned atomic.Int64 }

// Stats are figures of Fills. Counts are since the start.
type Stats struct {
	Fills     int64 // loads from the origin
	Failures  int64 // fills that failed or got no turn
	Panics    int64 // failures by a panic
	Abandoned int64 // Costly fills that were cancelled because no request waited any more
	Lanes     [turns.Lanes]turns.Stats
}

// New returns Fills without a fill under way.
func New(opts Options) *Fills {
	f := &Fills{opts: opts, turns: turns.New(opts.Slots, opts.InLanes)}
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.refreshes = make(chan struct{}, max(1, opts.Slots/2))
	f.waiters.of = map[string]*waited{}
	f.loads.of, f.loads.waiting = map[*turn]*Load{}, map[string]int{}
	return f
}

// Stats returns the figures of this moment.
func (f *Fills) Stats() Stats {
	return Stats{
		Fills: f.counts.fills.Load(), Failures: f.counts.failures.Load(), Panics: f.counts.panics.Load(),
		Abandoned: f.counts.abandoned.Load(), Lanes: f.turns.Stats(),
	}
}

// Join begins work under a name, or joins the caller to work under that name that is
// under way. The work, which contains the fill of a key, gets the context that Run needs.
// leave must follow, whether or not the caller has waited for the result.
func (f *Fills) Join(key, name string, work func(parent context.Context) (any, error)) (result <-chan singleflight.Result, leave func()) {
	parent, leave := f.join(key, name)
	return f.group.DoChan(name, func() (any, error) { return work(parent) }), leave
}

// BeginRefresh reports whether a background fill may begin: at most half of the slots may
// be taken by refreshes. If so, EndRefresh must follow.
func (f *Fills) BeginRefresh() bool {
	select {
	case f.refreshes <- struct{}{}:
	default:
		return false
	}
	if !f.Begin() {
		<-f.refreshes
		return false
	}
	return true
}

// EndRefresh ends a refresh that BeginRefresh has allowed.
func (f *Fills) EndRefresh() {
	<-f.refreshes
	f.End()
}

// Beginner describes the caller that begins a fill. Client and Request are empty for a fill
// that no request began.
type Beginner struct {
	Client  string // the client whose limit the fill counts for
	Request string // the ID of the request
	// Idle marks a fill that waits while any other fill waits. Its deadline counts from its
	// turn.
	Idle bool
	// Warm marks a fill that prepares a warm set. A few of them run concurrently for keys of
	// the same part of the origin, so they count for no group.
	Warm bool
	// Clock measures the fill's phases; nil means a new Clock.
	Clock *phase.Clock
}

// Run waits for a turn and loads the answer that key names. It reports whether the load
// succeeded without the origin during an outage, so that its answer is doubtful.
func (f *Fills) Run(parent context.Context, by Beginner, key string, load func(context.Context) error) (doubtful bool, err error) {
	if !f.Begin() {
		f.counts.failures.Add(1)
		return false, f.ctx.Err()
	}
	defer f.End()
	t := &turn{Turn: turns.Turn{Client: by.Client}, request: by.Request, clock: by.Clock}
	if t.clock == nil {
		t.clock = phase.Start(phase.Queue)
	}
	era, needed := f.opts.Outage.Era(), true
	defer func() {
		t.clock.End()
		f.logSlow(t, key, err)
	}()
	defer func() {
		if p := recover(); p != nil { // in a function of the owner; it must not end the process
			f.counts.panics.Add(1)
			f.opts.Logger.Error("panic in a fill", "key", key, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("fill of %s: panic: %v", key, p)
		}
		if err == nil {
			doubtful = !needed && era.Err() != nil
			return
		}
		err = f.failed(parent, err, era, needed)
	}()
	needed = !f.opts.FillsWhileDown(key)
	ctx, cancel := f.within(phase.With(parent, t.clock), by.Idle)
	defer cancel()
	if needed {
		var end context.CancelFunc
		ctx, end = era.WhileUp(ctx)
		defer end()
	}
	t.Lane, t.Group = f.laneOf(key, by)
	f.loads.add(t, key)
	defer f.loads.remove(t)
	if err := f.turns.Enter(ctx, &t.Turn); err != nil {
		return false, err
	}
	defer f.turns.Leave(&t.Turn)
	t.clock.Begin(phase.Load)
	f.loads.begin(t)
	if by.Idle { // its wait may have been of any length
		ctx, cancel = context.WithTimeout(ctx, f.opts.Timeout)
		defer cancel()
	}
	if err := era.Err(); needed && err != nil { // ctx is about to end
		return false, err
	}
	f.counts.fills.Add(1)
	return false, load(ctx)
}

// Bound returns a context that ends with parent, after Options.Timeout, or with Close, which
// may not end the parent.
func (f *Fills) Bound(parent context.Context) (ctx context.Context, cancel context.CancelFunc) {
	ctx, end := context.WithTimeout(parent, f.opts.Timeout)
	stop := context.AfterFunc(f.ctx, end)
	return ctx, func() { stop(); end() }
}

// within returns the context of a fill from the beginning of its wait for a turn.
func (f *Fills) within(parent context.Context, idle bool) (context.Context, context.CancelFunc) {
	if !idle {
		return f.Bound(parent)
	}
	ctx, end := context.WithCancel(parent)
	stop := context.AfterFunc(f.ctx, end)
	return ctx, func() { stop(); end() }
}

// laneOf returns the lane and the group of a fill. An idle fill counts for no group: it must
// not delay the fills of requests from the same table.
func (f *Fills) laneOf(key string, by Beginner) (turns.Lane, string) {
	if by.Idle {
		return turns.Idle, ""
	}
	lane, group := f.opts.Lane(key)
	if by.Warm {
		group = ""
	}
	return lane, group
}

// failed counts a fill that failed, reports the outage that its error may show, and
// returns the error that its caller gets.
func (f *Fills) failed(parent context.Context, err error, era *outage.Era, needed bool) error {
	if context.Cause(parent) == ErrAbandoned {
		f.counts.abandoned.Add(1)
		return err
	}
	f.counts.failures.Add(1)
	switch down := era.Err(); {
	case parent.Err() != nil || f.ctx.Err() != nil:
	case needed && down != nil:
		return down
	case f.opts.IsDown(err):
		era.Down(err)
	}
	return err
}
