// Package generation keeps the cache at the database's generation: it polls the
// database, fills the warm set of each new generation, and publishes both.
package generation

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet/agree"
	"github.com/lewistv/xcri-proxy/proxy/pages"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/limit"
)

const (
	// pollTimeout bounds a poll: a query on a small table, on a connection that
	// no fill can take.
	pollTimeout = 2 * time.Second
	// firstTimeout bounds the first poll, which the first requests after a start wait
	// for.
	firstTimeout = time.Second
	// downPoll is the interval of polls during an outage.
	downPoll = 500 * time.Millisecond
	// busyPoll is the pause after a poll that got no connection before its timeout. It
	// is short, so that the poll keeps its place in the queue for a connection.
	busyPoll = 10 * time.Millisecond
	// The pause between polls that fail doubles from firstBackoff to downPoll, also if
	// failed fills request polls, and to deniedPoll while the server refuses the account:
	// it may lock an account that fails too often.
	firstBackoff = 10 * time.Millisecond
	deniedPoll   = 15 * time.Second
)

// errPaused is the error of a publish that maintenance mode has delayed.
var errPaused = errors.New("maintenance mode is on")

// Store is the part of the database that this package uses.
type Store interface {
	Generation(context.Context) (*store.Generation, error)
	ScopeRows(ctx context.Context, table string) (map[store.Scope]store.Rows, error)
}

// Options configure a Watcher. Store, Cache, Outage and Routes are required.
type Options struct {
	Store  Store
	Cache  *cache.Cache
	Outage *cache.Outage
	Routes *route.Router
	// Pages are targets that are always in the warm set, before the lists of the
	// site; nil means pages.Default.
	Pages []string
	// Interval is the time between two polls; zero means 250 ms.
	Interval time.Duration
	// Changes configures how to treat changes that no calculation reports.
	Changes Changes
	// Ready is called before a warm set is filled; nil does nothing.
	Ready func(context.Context)
	// Popular returns the keys that the visitors of a fleet want most, in place of the Cache's;
	// nil, and an empty list, mean the Cache's.
	Popular func(n int) []string
	// Rounds are the votes of a member of a fleet; nil means a proxy alone.
	Rounds *agree.Rounds
	// OnPublish is called after each publish of a warm set. It must not block; nil does
	// nothing.
	OnPublish func()
	// OnStale is called when the cache has made answers stale: after a publish that changes
	// the generation, and after a change of a table. It must not block; nil does nothing.
	OnStale func(Stale)
	// Paused reports whether to send no polls except requested polls; nil means never.
	Paused func() bool
	// Now returns the time; nil means time.Now.
	Now func() time.Time
	// Logger receives publishes and keys that could not be warmed; nil discards
	// them.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Pages == nil {
		o.Pages = pages.Default()
	}
	if o.Interval == 0 {
		o.Interval = 250 * time.Millisecond
	}
	o.Changes = o.Changes.withDefaults()
	if o.Ready == nil {
		o.Ready = func(context.Context) {}
	}
	if o.Popular == nil {
		o.Popular = func(int) []string { return nil }
	}
	if o.Rounds == nil {
		o.Rounds = agree.Alone()
	}
	if o.OnPublish == nil {
		o.OnPublish = func() {}
	}
	if o.OnStale == nil {
		o.OnStale = func(Stale) {}
	}
	if o.Paused == nil {
		o.Paused = func() bool { return false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Watcher polls the database and publishes its generations. It is safe for
// concurrent use.
type Watcher struct {
	opts   Options
	wake   chan struct{} // capacity 1, holds a pending request to poll now
	polled chan struct{} // closed after the first poll
	// backoff is the least pause after polls that failed in a row; for Run alone.
	backoff time.Duration
	// seen is the generation that the last poll returned; nil before the first.
	seen atomic.Pointer[store.Generation]
	// confirmed is the time at which the database last returned the published
	// generation; nil before the first.
	confirmed atomic.Pointer[time.Time]
	requests  requests
	progress  progress
	witness   *witness
	kept      atomic.Pointer[kept] // see Note
	view      atomic.Pointer[view] // see Data; nil before the first poll
	tables    atomic.Pointer[[]Table]
}

// progress is the state of publishing. Run owns it.
type progress struct {
	begun time.Time // of the last poll
	// warmed is the generation whose warm set was published last. moved is the last
	// generation that a fill found to be outdated, and movedSince the first time of
	// such a fill since the last publish.
	warmed, moved string
	movedSince    time.Time
	// retryAt is the time at which keys that could not be warmed are tried again; zero
	// if there are none. The pause doubles with each attempt.
	retryAt time.Time
	pause   time.Duration
	held    held
}

// New returns a Watcher, which polls once Run is called.
func New(opts Options) *Watcher {
	w := &Watcher{opts: opts.withDefaults(), wake: make(chan struct{}, 1), polled: make(chan struct{}), witness: newWitness(opts.Changes.Saved)}
	w.kept.Store(w.witness.keep())
	return w
}

// Run polls the database until ctx ends, and publishes each new generation with
// its warm set.
func (w *Watcher) Run(ctx context.Context) {
	defer w.witness.summing.Wait()
	for ctx.Err() == nil {
		pause := w.Once(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(pause, w.backoff)):
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-time.After(max(0, pause-w.backoff)):
		}
	}
}

// Polled returns a channel that is closed once the first poll has ended: with a
// generation, with an error, or after a second. From then on a saved entry of the
// database's generation is a hit, and during an outage all saved entries are
// served.
func (w *Watcher) Polled() <-chan struct{} { return w.polled }

// Seen returns the generation of a scope that the last poll returned; empty
// before the first.
func (w *Watcher) Seen(scope store.Scope) string {
	if g := w.seen.Load(); g != nil {
		return g.Of(scope)
	}
	return ""
}

// Published returns the published generation and the time of its publish; nil before
// the first.
func (w *Watcher) Published() (*store.Generation, time.Time) {
	current, at := w.opts.Cache.Published()
	if current == nil {
		return nil, at
	}
	return current.(generation).Generation, at
}

// Confirmed returns when the database last returned the published generation; the
// zero time for never.
func (w *Watcher) Confirmed() time.Time {
	if at := w.confirmed.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// ConfirmedOf returns when an entry was last known to be fresh: a hit when the
// database last returned the published generation, any other entry when it was
// filled.
func (w *Watcher) ConfirmedOf(e *cache.Entry, outcome cache.Outcome) time.Time {
	if outcome == cache.Hit {
		if t := w.Confirmed(); t.After(e.Filled) {
			return t
		}
	}
	return e.Filled
}

// confirm records that the poll has returned the published generation, if it has.
func (w *Watcher) confirm(g *store.Generation) {
	if current, _ := w.Published(); current != nil && current.ID() == g.ID() {
		begun := w.progress.begun
		w.confirmed.Store(&begun)
	}
}

// due reports whether to publish a generation: it is new, or some of its keys could
// not be warmed.
func (p *progress) due(id string, now time.Time) bool {
	return p.warmed != id || !p.retryAt.IsZero() && !now.Before(p.retryAt)
}

// Wake requests that Run polls immediately.
func (w *Watcher) Wake() {
	select {
	case w.wake <- struct{}{}:
	default: // requested already
	}
}

// Once polls once and returns the pause before the next poll. It must not be called
// while Run runs.
func (w *Watcher) Once(ctx context.Context) (pause time.Duration) {
	if w.follow(ctx) {
		return 0
	}
	if w.opts.Paused() && w.requests.idle() {
		w.rest()
		return w.opts.Interval
	}
	work := w.requests.take()
	w.progress.begun, work.after = w.opts.Now(), w.opts.Rounds.Known()
	polling, done := w.opts.Rounds.Until(ctx)
	defer done()
	work.until = polling
	g, err := w.ask(polling)
	switch {
	case ctx.Err() != nil:
		return w.opts.Interval
	case polling.Err() != nil:
		return 0
	case err == nil:
		refill := w.account(ctx, g, work.accept) > 0
		if err = w.hold(g, work.accept); err == nil && (w.progress.due(g.ID(), w.opts.Now()) || work.pending || refill) {
			err = w.publish(ctx, generation{g}, &work)
		}
	}
	if errors.Is(err, cache.ErrMoved) || errors.Is(err, errPaused) {
		return 0 // the poll has not ended yet
	}
	w.requests.end(&work, err)
	if store.ClassOf(err) == store.NoRoom {
		return min(w.opts.Interval, busyPoll)
	}
	if _, outage := w.opts.Outage.Since(); outage != nil { // a fill may have reported it
		return max(min(w.opts.Interval, downPoll), w.backoff)
	}
	return w.opts.Interval
}

// rest runs instead of a poll while polls are paused.
func (w *Watcher) rest() {
	select {
	case <-w.polled:
	default:
		close(w.polled) // only saved entries are available
	}
	w.requests.update(func(s *Status) { s.Warming = false })
}

// slowest returns the longest pause between polls that fail with err.
func slowest(err error) time.Duration {
	if reason := store.ReasonOf(err); reason == store.Denied || reason == store.Blocked {
		return deniedPoll
	}
	return downPoll
}

// ask polls the database for its generation and reports the result to the cache. It
// publishes the first generation immediately, with the saved entries of an earlier
// run: until then no entry is fresh.
func (w *Watcher) ask(ctx context.Context) (*store.Generation, error) {
	timeout := pollTimeout
	select {
	case <-w.polled:
	default:
		timeout = firstTimeout
		defer close(w.polled)
	}
	asking, cancel := limit.Within(ctx, timeout)
	defer cancel()
	g, err := w.opts.Store.Generation(asking)
	if err == nil {
		w.backoff = 0
	} else {
		w.backoff = min(max(2*w.backoff, firstBackoff), slowest(err))
	}
	class := store.ClassOf(err)
	switch {
	case ctx.Err() != nil:
	case class == store.NoRoom, class == store.TryAgain:
		// The error is no evidence about the server.
	case err != nil:
		w.opts.Outage.Down(err)
	default:
		w.seen.Store(g)
		if _, outage := w.opts.Outage.Since(); outage != nil {
			w.auditAll()
		}
		w.opts.Outage.Up()
		if current, _ := w.opts.Cache.Published(); current == nil {
			w.opts.Cache.PublishFirst(generation{w.first(g)})
		}
		w.confirm(g)
	}
	return g, err
}

// first returns the generation to publish before any warm set is prepared: the generation
// of the first poll, or of the saved entries if the first poll, compared with them,
// resembles an unfinished import. The poll is then held back.
func (w *Watcher) first(polled *store.Generation) *store.Generation {
	saved := w.opts.Changes.Saved.Published
	if saved == nil || w.opts.Cache.Warm() == 0 || polled.Implausible(saved) == "" {
		return polled
	}
	return saved
}

// generation adapts a store.Generation to the cache's interface.
type generation struct{ *store.Generation }

// Holds reports whether an entry's scope has not changed between the entry's fill
// and this generation. An entry that was made without the database always holds. Changes
// that no calculation reports are separate: settle and age purge the entries that they
// concern.
func (g generation) Holds(e *cache.Entry) bool {
	if e.Generation == "" {
		return true
	}
	scope, err := store.ParseScope(e.Scope)
	return err == nil && g.Of(scope) == e.Generation
}
