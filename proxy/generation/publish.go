package generation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/generation/status"
	"github.com/lewistv/xcri-proxy/proxy/pages"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// maxDelay limits the delay of a publish during imports. After it a generation is
	// published although some of its keys are newer.
	maxDelay = 10 * time.Second
	// popular is the number of the most requested keys that are warmed in addition to
	// the site's lists.
	popular = 200
	// Keys that could not be warmed are tried again after a pause that doubles
	// from firstRetry to maxRetry.
	firstRetry, maxRetry = 30 * time.Second, 10 * time.Minute
)

// publish fills the warm set of g beside the published warm set, and publishes both.
func (w *Watcher) publish(ctx context.Context, g generation, t *work) error {
	start := w.opts.Now()
	keys := w.warmSet(g.Generation, t.keysFor(g.ID()))
	w.requests.update(func(s *Status) {
		*s = Status{
			Polls:    status.Polls{Looked: s.Looked, Published: s.Published, Warming: true, Generation: g.ID(), Calculated: g.Calculated()},
			Progress: status.Progress{Keys: len(keys)},
		}
	})
	var set []cache.Warmed
	late := w.late(g)
	if !late {
		w.opts.Ready(ctx)
		set = w.opts.Cache.Prepare(t.until, g, keys, func(k cache.Warmed) { w.warmed(k, start) })
		if err := w.obstacle(ctx, g, set); err != nil {
			return err
		}
		if err := w.agree(ctx, g, t); err != nil {
			return err
		}
	}
	before, _ := w.Published()
	w.opts.Cache.Publish(g, keys)
	w.opts.Rounds.Published(g.ID())
	w.became(before, g.Generation)
	w.confirm(g.Generation)
	w.progress.published(g.ID(), set, w.opts.Now())
	if late {
		w.progress.retryAt = w.opts.Now() // the warm set follows
	} else {
		w.requests.published(t, g.ID())
	}
	w.opts.OnPublish()
	w.requests.update(func(s *Status) {
		s.Published++
		s.Seconds = w.opts.Now().Sub(start).Seconds()
		w.opts.Logger.Info("generation published", "generation", s.Generation, "calculated_at", s.Calculated, "keys", s.Keys,
			"filled", s.Filled, "failed", s.Failed, "seconds", s.Seconds, "slowest", s.Slowest)
	})
	return nil
}

// obstacle returns the reason why a warm set must not be published, or nil. During an
// outage the current warm set is better than a partial new warm set.
func (w *Watcher) obstacle(ctx context.Context, g generation, set []cache.Warmed) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if w.opts.Rounds.Round() != nil { // it has interrupted the preparation
		return cache.ErrMoved
	}
	for _, k := range set {
		if errors.Is(k.Err, context.Canceled) {
			return k.Err // the cache is closed
		}
	}
	moved := slices.ContainsFunc(set, func(k cache.Warmed) bool { return errors.Is(k.Err, cache.ErrMoved) })
	if moved && w.progress.worthAnotherTry(g.ID(), w.opts.Now()) {
		return cache.ErrMoved
	}
	if _, cause := w.opts.Outage.Since(); cause != nil {
		return cause
	}
	if w.opts.Paused() && w.requests.idle() {
		return errPaused
	}
	return nil
}

// worthAnotherTry reports whether to prepare a newer generation, instead of publishing
// a generation that a fill has found to be outdated. It returns false if the database
// still returned that generation afterwards, because then polls and fills consistently
// read the data differently. It also returns false once imports have gone on for
// maxDelay.
func (p *progress) worthAnotherTry(id string, now time.Time) bool {
	if p.moved == id {
		return false
	}
	p.moved = id
	if p.movedSince.IsZero() {
		p.movedSince = now
	}
	return now.Sub(p.movedSince) < maxDelay
}

// published records a publish, and the time at which failed keys are tried again.
func (p *progress) published(id string, set []cache.Warmed, now time.Time) {
	failed := slices.ContainsFunc(set, func(k cache.Warmed) bool { return k.Err != nil && !errors.Is(k.Err, cache.ErrMoved) })
	switch {
	case !failed:
		p.retryAt, p.pause = time.Time{}, 0
	case p.warmed != id || p.pause == 0:
		p.pause = firstRetry
	default:
		p.pause = min(2*p.pause, maxRetry)
	}
	if failed {
		p.retryAt = now.Add(p.pause)
	}
	p.warmed, p.movedSince = id, time.Time{}
}

// warmed records the result of one key of a warm set.
func (w *Watcher) warmed(k cache.Warmed, start time.Time) {
	w.requests.update(func(s *Status) {
		s.Done++
		s.Seconds = w.opts.Now().Sub(start).Seconds()
		switch {
		case k.Err != nil:
			s.Failed++
			s.Error = k.Key + ": " + k.Err.Error()
		case k.Filled:
			s.Filled++
			s.Bytes += k.Entry.Cost()
			if took := k.Entry.Took.Seconds(); took > s.SlowestSeconds {
				s.Slowest, s.SlowestSeconds = k.Key, took
			}
		}
	})
	if k.Err != nil && !errors.Is(k.Err, cache.ErrMoved) && !errors.Is(k.Err, context.Canceled) {
		w.opts.Logger.Warn("not warmed", "key", k.Key, "error", k.Err)
	}
}

// warmSet returns the keys to fill before g is published, the most important
// first: the site's, the requested, and the most requested by visitors.
func (w *Watcher) warmSet(g *store.Generation, requested []string) []string {
	targets := pages.WarmSet(w.opts.Pages, slices.Concat(g.Live(), g.Snapshot()))
	var keys []string
	for _, t := range targets {
		if q, err := w.opts.Routes.Resolve(t); err == nil {
			keys = append(keys, q.Key)
		}
	}
	keys = append(keys, requested...)
	wanted := slices.DeleteFunc(w.opts.Popular(popular), func(key string) bool { return w.opts.Routes.Of(key) == nil })
	if len(wanted) == 0 {
		wanted = w.opts.Cache.Popular(popular)
	}
	return distinct(append(keys, wanted...))
}

// WarmSet returns the keys of the published generation's warm set; none before
// the first.
func (w *Watcher) WarmSet() []string {
	g, _ := w.Published()
	if g == nil {
		return nil
	}
	work := w.requests.take()
	return w.warmSet(g, work.keysFor(g.ID()))
}
