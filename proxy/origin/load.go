package origin

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// minTime is the least time that a fill must have left to ask a source.
	minTime = time.Second
	// unknownGeneration is the generation of an answer of the old API while the
	// database's is not known: no scope ever has it, so that the answer is stale once the
	// database returns a generation.
	unknownGeneration = "unknown"
)

var (
	// errNoTime is the error of a fill that waited for its turn until too little
	// of its time was left for any source.
	errNoTime = fmt.Errorf("no time left to ask a source: %w", context.DeadlineExceeded)
	// errPanic is the error of a load that panicked.
	errPanic = errors.New("panic")
)

// Load is a load from one source.
type Load struct {
	Question route.Question
	Source   Source // FromStore or FromLegacy
	Took     time.Duration
	Answer   store.Answer // zero if Err is not nil
	Err      error
}

// Load returns the answer to a question from the source of its route.
func (o *Origins) Load(ctx context.Context, q route.Question) (store.Answer, error) {
	switch o.now.Load().of(q.Route) {
	case FromLegacy:
		return o.fromLegacy(ctx, q, false)
	case FromAuto:
		return o.fromEither(ctx, q)
	}
	return o.fromStore(ctx, q, false)
}

// fromStore asks the database. It does not recover from panics.
func (o *Origins) fromStore(ctx context.Context, q route.Question, probe bool) (answer store.Answer, err error) {
	begun := time.Now()
	err = errPanic
	defer func() {
		if context.Cause(ctx) != cache.ErrAbandoned { // which says nothing about the database
			o.loaded(o.store, probe, Load{q, FromStore, time.Since(begun), answer, err})
		}
	}()
	return o.opts.Store.Run(ctx, q.Query)
}

// fromLegacy asks the old API. Its answer is at least as new as the generation
// that the database had returned before, and gets that generation: it is never
// taken for newer than it is. During an outage the generation is unknown.
func (o *Origins) fromLegacy(ctx context.Context, q route.Question, probe bool) (answer store.Answer, err error) {
	generation := o.opts.Generation(q.Query.Scope())
	if _, outage := o.opts.Outage.Since(); outage != nil || generation == "" {
		generation = unknownGeneration
	}
	begun, clock := time.Now(), phase.Of(ctx)
	clock.Begin(phase.Legacy)
	got, err := o.opts.Legacy.Fetch(ctx, q.Key)
	clock.Begin(phase.Load)
	if err == nil && !content.Storable(got.Status) {
		err = fmt.Errorf("%w: status %d", legacy.ErrAnswer, got.Status)
	}
	if err == nil {
		answer = store.Answer{Status: got.Status, Body: got.Body, Generation: generation}
	}
	o.loaded(o.legacy, probe, Load{q, FromLegacy, time.Since(begun), answer, err})
	if err != nil {
		return answer, fmt.Errorf("ask the old API: %w", err)
	}
	return answer, nil
}

// loaded reports a load to the source's breaker and to the owner.
func (o *Origins) loaded(b *breaker, probe bool, l Load) {
	b.record(result{
		route: l.Question.Route.Path(), at: time.Now(), took: l.Took, probe: probe,
		failed: l.Err != nil, own: ofTheRequest(l.Err) || searchedTooLong(l),
	})
	o.opts.OnLoad(l)
}

// ofTheRequest reports whether an error concerns one request alone, and says nothing about
// its source: the old API's internal errors, and statements that the database refuses.
func ofTheRequest(err error) bool {
	var answered *legacy.StatusError
	switch {
	case err == nil, errors.Is(err, errPanic):
		return false
	case errors.As(err, &answered):
		return answered.Status >= 500
	case errors.Is(err, legacy.ErrUnavailable), errors.Is(err, legacy.ErrTimeout), errors.Is(err, legacy.ErrAnswer):
		return false
	case errors.Is(err, store.ErrTimeout), errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrSetup),
		errors.Is(err, store.ErrExhausted), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return false
	}
	return store.ClassOf(err) == store.ThisRead
}

// searchedTooLong reports whether the database has ended a search at its time limit. A
// client chooses how long a search takes, so that this says nothing about the source.
func searchedTooLong(l Load) bool {
	return l.Source == FromStore && l.Question.Query.Lane() == store.Search && errors.Is(l.Err, store.ErrTimeout) &&
		!errors.Is(l.Err, store.ErrBusy) && !errors.Is(l.Err, context.DeadlineExceeded)
}

// fromEither asks the database, and the old API if the database fails or its
// breaker is open. If the old API fails too, the database is asked after all,
// unless it has been asked or is known to be down.
func (o *Origins) fromEither(ctx context.Context, q route.Question) (store.Answer, error) {
	_, outage := o.opts.Outage.Since()
	o.judge(outage)
	failed := downError(outage)
	asked, probe := false, false
	if outage == nil {
		asked, probe = o.store.allow(time.Now())
	}
	if asked {
		answer, err := o.tryStore(ctx, q, probe)
		if err == nil || !timeLeft(ctx) {
			return answer, err
		}
		failed = err
	}
	if allowed, probe := o.legacy.allow(time.Now()); allowed {
		answer, err := o.fromLegacy(ctx, q, probe)
		if err == nil {
			return answer, nil
		}
		failed = errors.Join(failed, err)
	}
	switch {
	case asked || outage != nil:
		return store.Answer{}, failed
	case !timeLeft(ctx):
		return store.Answer{}, errors.Join(failed, errNoTime)
	}
	return o.tryStore(ctx, q, false)
}

// timeLeft reports whether enough of a fill's time is left to ask another source.
func timeLeft(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || time.Until(deadline) >= minTime)
}

// tryStore asks the database for a fill that has a fallback. A panic becomes an
// error, an outage ends the load, and an outage that the load finds is reported
// immediately. The returned error wraps cache.ErrDown then, so that the fill,
// which may end after the outage, does not report it again.
func (o *Origins) tryStore(ctx context.Context, q route.Question, probe bool) (answer store.Answer, err error) {
	era := o.opts.Outage.Era()
	asking, cancel := era.WhileUp(ctx)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			o.opts.Logger.Error("panic in a load", "key", q.Key, "panic", v, "stack", string(debug.Stack()))
			answer, err = store.Answer{}, fmt.Errorf("load of %s: %w: %v", q.Key, errPanic, v)
		}
	}()
	answer, err = o.fromStore(asking, q, probe)
	if err == nil || ctx.Err() == context.Canceled {
		return answer, err
	}
	isDown := errors.Is(err, store.ErrUnavailable)
	if isDown && asking.Err() != context.Canceled {
		era.Down(err)
		o.opts.OnDown()
	}
	if _, outage := o.opts.Outage.Since(); outage != nil {
		o.judge(outage)
		return answer, downError(outage)
	}
	if isDown {
		err = downError(err)
	}
	return answer, err
}

// downError returns an error that wraps cache.ErrDown but not the cause of an
// outage; nil if there is none.
func downError(outage error) error {
	if outage == nil {
		return nil
	}
	return fmt.Errorf("%w: %v", cache.ErrDown, outage)
}
