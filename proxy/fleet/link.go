package fleet

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/fleet/patience"
	"github.com/lewistv/xcri-proxy/proxy/fleet/waits"
	"github.com/lewistv/xcri-proxy/proxy/fleet/wanted"
)

const (
	// beat is the interval of the heartbeat.
	beat = time.Second
	// firstPause is the pause before a new attempt to connect. It doubles with each failure
	// that follows a session shorter than steady, up to longest times.
	firstPause = 250 * time.Millisecond
	longest    = 20
	steady     = 10 * time.Second
	// firstWait bounds the wait of a new member for its first session, in budgets.
	firstWait = 10
	// connectTime bounds the first steps of a session.
	connectTime = 2 * time.Second
	// probes is the number of attempts in which a new session must answer one operation
	// within the time that a request waits for it, and of late answers in a row that end a
	// session.
	probes = 3
)

var (
	errSilent = errors.New("the shared level does not confirm the subscription")
	errClosed = errors.New("the subscription has ended")
	errSlow   = errors.New("the shared level is too slow")
)

// link is the circuit breaker before the engine. It is closed while there is a session.
type link struct {
	now   atomic.Pointer[session]
	mu    sync.Mutex
	state LinkState
	// logged holds a value once the log has another event. Its capacity is 1.
	logged chan struct{}
	// tried is closed once the first attempt to connect has ended.
	tried chan struct{}
}

// LinkState describes the link.
type LinkState struct {
	Up     bool
	Since  time.Time // of the last change; the zero time until the first attempt to connect has ended
	Reason string    // why it is down
	Opened int64     // how often the circuit breaker has opened
}

// session is a time in which the engine answers. Its context ends with it, for the cause
// that was given to end first.
type session struct {
	ctx   context.Context
	end   context.CancelCauseFunc
	begun time.Time
	// others reports whether there were other members before the session.
	others bool
}

// young reports whether members whose level was away, too, may still return.
func (s *session) young() bool { return time.Since(s.begun) < lasts }

// fail ends a session: the circuit breaker opens.
func (f *Fleet) fail(s *session, cause error) {
	s.end(cause)
	if !f.link.now.CompareAndSwap(s, nil) {
		return
	}
	if cause := context.Cause(s.ctx); cause != context.Canceled { // Run goes on
		f.note(false, cause)
	}
}

// note records that the link is up, or why it is down.
func (f *Fleet) note(up bool, cause error) {
	f.link.mu.Lock()
	defer f.link.mu.Unlock()
	was := &f.link.state
	if was.Since.IsZero() {
		close(f.link.tried)
	}
	reason := ""
	if cause != nil {
		reason = cause.Error()
	}
	switch {
	case up:
		f.opts.Logger.Info("shared level connected")
	case was.Up || was.Since.IsZero():
		f.opts.Logger.Warn("shared level away, answers come from the origin", "error", reason)
	}
	if was.Up && !up {
		was.Opened++
	}
	if was.Up != up || was.Since.IsZero() {
		was.Since = time.Now()
	}
	was.Up, was.Reason = up, reason
}

// Ready waits until the first attempt to connect has ended, but not for long: a new member
// would otherwise fill its warm set by itself.
func (f *Fleet) Ready(ctx context.Context) {
	timer := time.NewTimer(firstWait * f.opts.Budget)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-f.link.tried:
	}
}

// Run keeps the link up until ctx ends, and offers the warm entries to the level.
func (f *Fleet) Run(ctx context.Context) {
	defer f.ends.Close()
	defer f.leave()
	pause := f.opts.Pause
	for ctx.Err() == nil {
		begun := time.Now()
		err := f.session(ctx)
		if ctx.Err() != nil {
			return
		}
		f.note(false, err)
		if time.Since(begun) >= steady {
			pause = f.opts.Pause
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2)): // not all members at the same time
		}
		pause = min(2*pause, longest*f.opts.Pause)
	}
}

// session connects, and returns the error that ends the session.
func (f *Fleet) session(ctx context.Context) error {
	s := &session{begun: time.Now(), others: f.members.others}
	s.ctx, s.end = context.WithCancelCause(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer s.end(nil)
	ready := make(chan struct{})
	background.Go(func() {
		err := f.opts.Engine.Listen(s.ctx, func() { close(ready) }, f.receive)
		if err == nil {
			err = errClosed
		}
		f.fail(s, err)
	})
	if err := f.begin(ctx, s, ready); err != nil {
		return err
	}
	f.link.now.Store(s)
	if s.ctx.Err() != nil { // it had ended before it was stored
		f.link.now.CompareAndSwap(s, nil)
		return context.Cause(s.ctx)
	}
	f.Want(ctx)
	f.note(true, nil)
	f.beat(ctx, s)
	background.Go(func() { f.offerAll(s) })
	background.Go(func() { f.guard(s) })
	background.Go(func() { f.rounds.Run(s.ctx) })
	background.Go(func() { waits.Repeat(s.ctx, wanted.Every, func() { f.Want(s.ctx) }) })
	f.keep(ctx, s)
	f.fail(s, nil)
	return context.Cause(s.ctx)
}

// begin waits for the subscription and finds this member's place in the log.
func (f *Fleet) begin(ctx context.Context, s *session, ready <-chan struct{}) error {
	timer := time.NewTimer(connectTime)
	defer timer.Stop()
	select {
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	case <-timer.C:
		return errSilent
	case <-ready:
	}
	within, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	if err := f.opts.Engine.Ping(within); err != nil {
		return err
	}
	if err := f.probe(ctx); err != nil {
		return err
	}
	if err := f.actions.Enter(f.run(ctx, s)); err != nil {
		return err
	}
	return f.do(ctx, s, slowly*f.opts.Budget, func(ctx context.Context) error {
		d, err := f.opts.Engine.Decision(ctx)
		if err == nil {
			f.rounds.Enter(d.Name)
		}
		return err
	})
}

// probe returns an error if the level takes longer for an answer than a request waits for
// it: the circuit breaker then stays open, and no request pays for the discovery.
func (f *Fleet) probe(ctx context.Context) (err error) {
	for range probes {
		within, end := f.stopwatch(ctx)
		err = f.opts.Engine.Ping(within)
		late := within.Err() != nil
		end()
		if err == nil || !late {
			return err
		}
	}
	return errSlow
}

// stopwatch returns a context that ends once the level has owed replies for the time of a
// lookup, although bytes of other operations move.
func (f *Fleet) stopwatch(ctx context.Context) (within context.Context, end func()) {
	return patience.Patience{Moved: func() int64 { return 0 }, Owed: f.opts.Engine.Owed, Budget: f.opts.Budget, Most: slowly}.Within(ctx)
}

// keep sends the heartbeat, and follows the log, until the session ends. It ends the session
// of a level whose answers come, but late: each lookup would wait for them.
func (f *Fleet) keep(ctx context.Context, s *session) {
	late := 0
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-f.link.logged:
			f.actions.Follow(f.run(ctx, s))
		case <-tick.C:
			within, end := f.stopwatch(ctx)
			f.actions.Compare(f.run(ctx, s))
			if within.Err() == nil {
				late = 0
			} else if late++; late == probes {
				f.fail(s, errSlow)
			}
			end()
			f.beat(ctx, s)
		}
	}
}

// guard probes the level while requests wait for the fills of other members, unless bytes
// arrive anyway. The pause and the probe fit in the budget, so that the requests learn within
// the budget that the level is away.
func (f *Fleet) guard(s *session) {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-f.waits.Begun():
		}
		pause := f.opts.Budget * 3 / 10
		for f.waits.Any() {
			moved := f.opts.Engine.Moved()
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(pause):
			}
			if f.opts.Engine.Moved() == moved {
				f.do(s.ctx, s, f.opts.Budget-pause, f.opts.Engine.Ping)
			}
		}
	}
}

// receive handles a message of the level.
func (f *Fleet) receive(m Message) {
	switch m.Kind {
	case Filled:
		f.waits.Filled(m.Text)
	case Logged:
		select {
		case f.link.logged <- struct{}{}:
		default: // an event waits already
		}
	case Seen:
		f.rounds.Announced(m.Text)
	case Decided:
		f.rounds.Decided(m.Text)
	case Held:
		f.rounds.AllHold(m.Text)
	}
}
