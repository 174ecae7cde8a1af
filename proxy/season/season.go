// Package season fills the answers about every athlete and team of the live rankings ahead
// of requests, while no request needs the database. A Walker walks over the keys of a
// season in an order and at a pace: the cache fills each key as it would for a request, and
// keeps the entries that have room.
package season

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// checkEvery is the interval at which a walk that waits checks the reason of its wait.
	checkEvery = 500 * time.Millisecond
	// A fill that takes slowFill or longer is followed by a pause of rest times its
	// duration, at most longestRest: the database is busy.
	slowFill    = 250 * time.Millisecond
	rest        = 4
	longestRest = 10 * time.Second
	// After yieldAfter keys in a row that need no fill, and thus only the processor, the
	// walk leaves the processor to requests for yieldTime.
	yieldAfter, yieldTime = 64, time.Millisecond
	// mostFailures is the number of failures in a row that ends a walk. Keys that could
	// not be filled are tried again after a pause that doubles from firstRetry to maxRetry.
	mostFailures         = 20
	firstRetry, maxRetry = 30 * time.Second, 10 * time.Minute
)

// Store lists the subjects of a scope, such as *store.Store.
type Store interface {
	Subjects(context.Context, store.Scope) (*store.Subjects, error)
	// WithSeries returns a context that makes consecutive reads cheaper.
	WithSeries(context.Context) context.Context
}

// Cache keeps the answers, such as *cache.Cache.
type Cache interface {
	Season(f func() (complete bool))
	Keep(ctx context.Context, key string) (e *cache.Entry, filled bool, err error)
	Asked(func(e *cache.Entry, asked uint32))
}

// Options configure a Walker. Cache, Outage, Routes and Published are required.
type Options struct {
	// Store is the database; nil means no season.
	Store  Store
	Cache  Cache
	Outage *cache.Outage
	Routes *route.Router
	// Published returns the published generation, nil before the first, and the time of its
	// publish.
	Published func() (*store.Generation, time.Time)
	// Paused reports whether the database must not be used; nil means never.
	Paused func() bool
	// OnFilled is called after a walk that has filled answers; nil does nothing.
	OnFilled func()
	// Logger receives the results of walks; nil discards them.
	Logger *slog.Logger
}

// Walker walks over the keys of a season. It is safe for concurrent use.
type Walker struct {
	opts Options
	wake chan struct{} // capacity 1, holds a request to walk
	// known are the scopes of the last walk, and pause is the pause after the last walk;
	// for Run alone.
	known []*live
	pause time.Duration
	report
}

// New returns a Walker, which walks once Run is called.
func New(opts Options) *Walker {
	if opts.Paused == nil {
		opts.Paused = func() bool { return false }
	}
	if opts.OnFilled == nil {
		opts.OnFilled = func() {}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Walker{opts: opts, wake: make(chan struct{}, 1)}
}

// On reports whether there is a season.
func (w *Walker) On() bool { return w.opts.Store != nil }

// Wake requests a walk: answers may be missing or stale. A walk under way begins anew, and
// passes over the answers that are fresh.
func (w *Walker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // requested already
	}
}

// Run walks each time after Wake was called, and again after failures, until ctx ends.
func (w *Walker) Run(ctx context.Context) {
	if !w.On() {
		return
	}
	for {
		var retry <-chan time.Time
		if w.pause > 0 {
			retry = time.After(w.pause)
		}
		select {
		case <-ctx.Done():
			return
		case <-w.wake:
		case <-retry:
		}
		if w.walk(ctx) {
			w.pause = 0
			continue
		}
		w.pause = min(max(2*w.pause, firstRetry), maxRetry)
	}
}

// walk keeps all keys of the published generation, as long as there is room. It returns
// false if some should be tried again.
func (w *Walker) walk(ctx context.Context) (done bool) {
	g, _ := w.opts.Published()
	if g == nil || !w.calm(ctx) {
		return true // the next publish, or the request that has interrupted it, begins a walk
	}
	scopes, err := w.scopes(ctx, g)
	if err != nil {
		w.stop(Incomplete, err)
		return ctx.Err() != nil
	}
	p := newPlan(scopes, popularity(w.opts.Cache))
	w.begin(p, g.ID())
	reached := false
	w.opts.Cache.Season(func() bool {
		reached, done = w.keepAll(w.opts.Store.WithSeries(ctx), p)
		return reached
	})
	if reached {
		return w.end(w.opts.Logger, w.opts.OnFilled)
	}
	return done
}

// keepAll keeps the answers to all targets. It returns whether it has reached all of them,
// and if not, false if the walk should be tried again.
func (w *Walker) keepAll(ctx context.Context, p *plan) (reached, done bool) {
	fresh := 0
	for kind, target := range p.targets() {
		if fresh++; fresh%yieldAfter == 0 {
			w.sleep(ctx, yieldTime)
		}
		filled, err := w.keep(ctx, kind, target)
		switch {
		case ctx.Err() != nil || w.interrupted():
			return false, true
		case errors.Is(err, cache.ErrNoRoom):
			w.full(w.opts.Logger, w.opts.OnFilled)
			return false, true
		case w.row() >= mostFailures:
			w.stop(Incomplete, err)
			return false, false
		case filled:
			fresh = 0
		}
	}
	return true, true
}

// keep keeps the answer to one target, once the database may be asked.
func (w *Walker) keep(ctx context.Context, kind int, target string) (filled bool, err error) {
	q, err := w.opts.Routes.Resolve(target)
	if err != nil {
		w.kept(kind, nil, false, err)
		return false, err
	}
	for w.calm(ctx) {
		var e *cache.Entry
		e, filled, err = w.opts.Cache.Keep(ctx, q.Key)
		if _, outage := w.opts.Outage.Since(); err != nil && outage != nil {
			continue // the same key again, once the database is back
		}
		w.kept(kind, e, filled, err)
		if filled && e.Took >= slowFill {
			w.sleep(ctx, min(rest*e.Took, longestRest))
		}
		break
	}
	return filled, err
}

// calm waits until neither an outage nor maintenance mode keeps the walk from the database.
// It returns false if the walk has to end.
func (w *Walker) calm(ctx context.Context) bool {
	for ctx.Err() == nil && !w.interrupted() {
		_, outage := w.opts.Outage.Since()
		switch {
		case outage != nil:
			w.wait("the database is down")
		case w.opts.Paused():
			w.wait("maintenance mode is on")
		default:
			w.wait("")
			return true
		}
		w.sleep(ctx, checkEvery)
	}
	return false
}

// interrupted reports whether a walk is requested.
func (w *Walker) interrupted() bool { return len(w.wake) > 0 }

func (w *Walker) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
