package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// leastTime is what must be left of a fill for another source to be asked.
	leastTime = time.Second
	// complainEvery is how often a failure of the old API is an error in the log.
	complainEvery = 10 * time.Second
	// unknownGeneration is that of an answer of the old API before the database
	// has told any: no scope is ever at it, so it is stale once one is told.
	unknownGeneration = "unknown"
)

// errNoTime is the error of a fill that had to wait for its turn until too little of
// its time was left for any source.
var errNoTime = fmt.Errorf("no time left to ask a source: %w", context.DeadlineExceeded)

// errPanic is the failure of a load that did not return.
var errPanic = errors.New("panic")

// load gets the answer to a question from the source of its route.
func (p *Proxy) load(ctx context.Context, asked route.Question) (store.Answer, error) {
	switch p.sources.now.Load().of(asked.Route.Path()) {
	case FromLegacy:
		return p.fromLegacy(ctx, asked, false)
	case FromAuto:
		return p.fromEither(ctx, asked)
	}
	return p.fromStore(ctx, asked, false)
}

// fromStore asks the database. A panic is for the caller.
func (p *Proxy) fromStore(ctx context.Context, q route.Question, trial bool) (answer store.Answer, err error) {
	begun := time.Now()
	err = errPanic
	defer func() { p.note(q.Route, FromStore, begun, trial, err) }()
	if answer, err = p.opts.Origin.Run(ctx, q.Query); err == nil {
		p.verify.Offer(q, answer)
	}
	return answer, err
}

// fromLegacy asks the old API. What it says is at least as new as the generation
// that the database told before it was asked, and is taken to be of that: so it
// is never taken for newer than it is.
func (p *Proxy) fromLegacy(ctx context.Context, q route.Question, trial bool) (store.Answer, error) {
	generation := p.generations.Seen(q.Query.Scope())
	if generation == "" {
		generation = unknownGeneration
	}
	begun := time.Now()
	answer, err := p.opts.Legacy.Fetch(ctx, q.Key)
	if err == nil && !content.Storable(answer.Status) {
		err = fmt.Errorf("%w: status %d", legacy.ErrAnswer, answer.Status)
	}
	p.note(q.Route, FromLegacy, begun, trial, err)
	if err != nil {
		return store.Answer{}, fmt.Errorf("ask the old API: %w", err)
	}
	return store.Answer{Status: answer.Status, Body: answer.Body, Generation: generation}, nil
}

// note counts a load and tells the source's breaker of it.
func (p *Proxy) note(r *route.Route, from Source, begun time.Time, trial bool, err error) {
	b, counts := p.sources.store, &p.metrics.Route(r.ID).Loads[from]
	if from == FromLegacy {
		b = p.sources.legacy
	}
	if err == nil {
		counts.OK.Add(1)
	} else {
		counts.Failed.Add(1)
	}
	now := time.Now()
	b.record(loaded{route: r.Path(), at: now, took: now.Sub(begun), failed: err != nil, trial: trial})
}

// fromEither asks the database, and the old API if that fails or was left by its
// breaker. If the old API can't answer either, the database is asked at last,
// unless it was or is known to be down.
func (p *Proxy) fromEither(ctx context.Context, q route.Question) (store.Answer, error) {
	_, outage := p.outage.Since()
	p.judge(outage)
	failed := downError(outage)
	asked, trial := false, false
	if outage == nil {
		asked, trial = p.sources.store.use(time.Now())
	}
	if asked {
		answer, err := p.tryStore(ctx, q, trial)
		if err == nil || !suffices(ctx) {
			return answer, err
		}
		failed = err
	}
	if use, trial := p.sources.legacy.use(time.Now()); use {
		answer, err := p.fromLegacy(ctx, q, trial)
		if err == nil {
			return answer, nil
		}
		failed = errors.Join(failed, err)
	}
	switch {
	case asked || outage != nil:
		return store.Answer{}, failed
	case !suffices(ctx):
		return store.Answer{}, errors.Join(failed, errNoTime)
	}
	return p.tryStore(ctx, q, false)
}

// suffices reports whether enough is left of a fill's time to ask another source.
func suffices(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) >= leastTime)
}

// tryStore asks the database for a fill that does not depend on it alone: a
// panic is an error, an outage that becomes known meanwhile ends it, and one that
// it finds is told to all. Its own error is none that raises the alarm, which may
// be over by the time that the fill has ended.
func (p *Proxy) tryStore(ctx context.Context, q route.Question, trial bool) (answer store.Answer, err error) {
	era := p.outage.Era()
	asking, cancel := era.WhileUp(ctx)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			p.opts.Logger.Error("panic in a load", "key", q.Key, "panic", v, "stack", string(debug.Stack()))
			answer, err = store.Answer{}, fmt.Errorf("load of %s: %w: %v", q.Key, errPanic, v)
		}
	}()
	answer, err = p.fromStore(asking, q, trial)
	if err == nil || ctx.Err() == context.Canceled {
		return answer, err
	}
	if isDown(err) && asking.Err() != context.Canceled {
		era.Down(err)
		p.generations.Wake()
	}
	if _, outage := p.outage.Since(); outage != nil {
		p.judge(outage)
		return answer, downError(outage)
	}
	if isDown(err) {
		err = downError(err)
	}
	return answer, err
}

// downError is what a client is told of an outage; nil if there is none.
func downError(outage error) error {
	if outage == nil {
		return nil
	}
	return fmt.Errorf("%w: %v", cache.ErrDown, outage)
}

// judge lets the breakers look at how the sources fare, if some route wants to
// know.
func (p *Proxy) judge(outage error) {
	if !p.sources.now.Load().has(FromAuto) {
		return
	}
	now := time.Now()
	if outage != nil {
		p.sources.store.trip(now, "the database is down: "+outage.Error())
	} else {
		p.sources.store.judge(now)
	}
	p.sources.legacy.judge(now)
}

func (p *Proxy) storeSwitched(open bool, reason string) {
	if open {
		p.opts.Logger.Warn("auto: " + reason + "; answers come from the old API")
		return
	}
	p.opts.Logger.Info("auto: " + reason + "; answers come from the store again")
}

func (p *Proxy) legacySwitched(open bool, reason string) {
	if open {
		p.opts.Logger.Warn("auto: " + reason + "; it is left alone but for trials")
		return
	}
	p.opts.Logger.Info("auto: " + reason + "; the old API answers again")
}

// levelOf says how loud a failure is logged: an outage of the database is in the
// log already, and one of the old API need not be there once a request.
func (s *sources) levelOf(err error) slog.Level {
	ofLegacy := errors.Is(err, legacy.ErrUnavailable) || errors.Is(err, legacy.ErrTimeout) || errors.Is(err, legacy.ErrAnswer)
	switch {
	case ofLegacy:
		now, last := time.Now().UnixNano(), s.complained.Load()
		if now-last >= int64(complainEvery) && s.complained.CompareAndSwap(last, now) {
			return slog.LevelError
		}
		return slog.LevelDebug
	case errors.Is(err, cache.ErrDown), errors.Is(err, maintenance.ErrOn):
		return slog.LevelDebug
	}
	return store.ClassOf(err).Level()
}
