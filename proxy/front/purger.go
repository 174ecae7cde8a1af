package front

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Options configure a Purger. URLs is required.
type Options struct {
	// URLs are the caches in front, each of which gets all purges.
	URLs []string
	// Request is the template of the requests that purge; the zero Request is for Varnish.
	Request Request
	// Rounds are the pauses after which a successful purge is repeated: a cache in front
	// may store, after a purge, an answer that it had requested before. Nil means 400 ms
	// and 4 s.
	Rounds []time.Duration
	// OnFailure is called when purges of a cache begin to fail, and with a nil error when
	// they succeed again. It must not block; nil does nothing.
	OnFailure func(name string, err error)
	// Client sends the requests; nil means a client of the Purger's own.
	Client *http.Client
	// Logger receives failures; nil discards them.
	Logger *slog.Logger
}

const (
	// batch limits the tags of a request. Cloudflare takes 30, Fastly 256, and Varnish by
	// default 8 KB of a header field.
	batch = 30
	// maxPending limits the tags that wait for a cache. Instead of more tags, everything
	// is purged.
	maxPending = 600
	// A failed request is repeated after a pause that doubles from firstPause to maxPause.
	firstPause, maxPause = 100 * time.Millisecond, 5 * time.Second
)

var rounds = []time.Duration{400 * time.Millisecond, 4 * time.Second}

// Purger purges answers by tag in the caches in front. A nil Purger does nothing. It is
// safe for concurrent use.
type Purger struct {
	opts    Options
	targets []*target
}

// New returns a Purger, which sends once Run is called.
func New(opts Options) (*Purger, error) {
	if opts.Client == nil {
		opts.Client = newClient()
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Rounds == nil {
		opts.Rounds = rounds
	}
	if opts.OnFailure == nil {
		opts.OnFailure = func(string, error) {}
	}
	if len(opts.URLs) == 0 {
		return nil, errors.New("front: Options.URLs is empty")
	}
	opts.Request = opts.Request.withDefaults()
	p, names := &Purger{opts: opts}, map[string]bool{}
	for _, to := range opts.URLs {
		req, err := opts.Request.build(context.Background(), to, []string{All})
		if err != nil {
			return nil, fmt.Errorf("front: a purge at %s: %w", nameOf(to), bare(err))
		}
		if req.URL.Host == "" {
			return nil, errors.New("front: a URL has no host")
		}
		name := nameOf(to)
		for n := 2; names[name]; n++ { // another scheme or query
			name = fmt.Sprintf("%s (%d)", nameOf(to), n)
		}
		names[name] = true
		p.targets = append(p.targets, &target{
			url: to, name: name, opts: &p.opts, wake: make(chan struct{}, 1), pending: map[string]*purge{},
		})
	}
	return p, nil
}

// Purge requests that the answers with one of the tags are removed. The proxy must already
// serve newer answers, since the caches request the answers again immediately. It does not
// block.
func (p *Purger) Purge(tags ...string) {
	if p == nil || len(tags) == 0 {
		return
	}
	for _, t := range p.targets {
		t.add(tags, time.Now())
	}
}

// Run sends the requested purges until ctx ends. Purges that have not been sent by then
// are lost: the next run must purge everything.
func (p *Purger) Run(ctx context.Context) {
	if p == nil {
		return
	}
	var workers sync.WaitGroup
	for _, t := range p.targets {
		workers.Go(func() { t.run(ctx) })
	}
	workers.Wait()
}

// Stats returns the figures of each cache in front, in the order of Options.URLs.
func (p *Purger) Stats() (all []Stats) {
	if p == nil {
		return nil
	}
	for _, t := range p.targets {
		all = append(all, t.stats())
	}
	return all
}

// target is one cache in front.
type target struct {
	url, name string
	opts      *Options
	wake      chan struct{} // capacity 1: pending has changed

	mu      sync.Mutex
	pending map[string]*purge // by tag
	figures Stats
}

// purge is a tag that is to be purged.
type purge struct {
	since time.Time // of the request
	next  time.Time // when it is due
	sent  int       // successful requests
}

// add makes tags pending.
func (t *target) add(tags []string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending)+len(tags) > maxPending {
		tags = []string{All}
		t.figures.Widened++
	}
	if slices.Contains(tags, All) { // covers all others
		t.replace(now)
	} else {
		for _, tag := range tags {
			since := now
			if before := t.pending[tag]; before != nil && before.sent == 0 {
				since = before.since
			}
			t.pending[tag] = &purge{since: since, next: now}
		}
	}
	select {
	case t.wake <- struct{}{}:
	default: // has not been noticed yet
	}
}

// replace makes the tag of all answers pending in place of all others.
func (t *target) replace(now time.Time) {
	since := now
	for _, p := range t.pending {
		if p.sent == 0 && p.since.Before(since) {
			since = p.since
		}
	}
	clear(t.pending)
	t.pending[All] = &purge{since: since, next: now}
}

// run sends the pending purges until ctx ends.
func (t *target) run(ctx context.Context) {
	pause := time.Duration(0)
	for {
		due, wait := t.due(time.Now())
		if len(due) > 0 {
			err := t.opts.Request.send(ctx, t.opts.Client, t.url, slices.Sorted(maps.Keys(due)))
			if ctx.Err() != nil {
				return
			}
			t.done(due, time.Now(), err)
			if err == nil {
				pause = 0
				continue
			}
			pause = min(max(2*pause, firstPause), maxPause)
			if !sleep(ctx, pause) {
				return
			}
			continue
		}
		if !t.await(ctx, wait) {
			return
		}
	}
}

// due returns at most batch purges that are due now, the new purges before repetitions,
// and otherwise the time until one is; negative if none is pending.
func (t *target) due(now time.Time) (due map[string]*purge, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait = -1
	var tags []string
	for tag, p := range t.pending {
		switch left := p.next.Sub(now); {
		case left <= 0:
			tags = append(tags, tag)
		case wait < 0 || left < wait:
			wait = left
		}
	}
	slices.SortFunc(tags, func(a, b string) int {
		return cmp.Or(cmp.Compare(t.pending[a].sent, t.pending[b].sent), cmp.Compare(a, b))
	})
	due = map[string]*purge{}
	for _, tag := range tags[:min(batch, len(tags))] {
		due[tag] = t.pending[tag]
	}
	return due, wait
}

// done records the result of a request. A tag that was requested again meanwhile stays
// pending.
func (t *target) done(due map[string]*purge, now time.Time, err error) {
	t.mu.Lock()
	failing := t.figures.Error != ""
	if err != nil {
		t.figures.Failures++
		t.figures.Error, t.figures.FailedAt = err.Error(), now
	} else {
		t.figures.Requests++
		t.figures.Tags += int64(len(due))
		t.figures.Error, t.figures.SentAt = "", now
		for tag, p := range due {
			if t.pending[tag] != p {
				continue
			}
			if p.sent == len(t.opts.Rounds) {
				delete(t.pending, tag)
				continue
			}
			p.next = now.Add(t.opts.Rounds[p.sent])
			p.sent++
		}
	}
	t.mu.Unlock()
	switch {
	case err != nil && !failing:
		t.opts.Logger.Warn("a cache in front can't be purged", "cache", t.name, "tags", len(due), "error", err)
		t.opts.OnFailure(t.name, err)
	case err == nil && failing:
		t.opts.Logger.Info("a cache in front is purged again", "cache", t.name)
		t.opts.OnFailure(t.name, nil)
	}
}

// await waits for a change, or for a time unless it is negative. It returns false once
// ctx has ended.
func (t *target) await(ctx context.Context, wait time.Duration) bool {
	var timer <-chan time.Time
	if wait >= 0 {
		timer = time.After(wait)
	}
	select {
	case <-ctx.Done():
		return false
	case <-t.wake:
	case <-timer:
	}
	return true
}

// sleep waits for a time. It returns false once ctx has ended.
func sleep(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// Stats are the figures of one cache in front.
type Stats struct {
	Name     string // host and path of its URL
	Pending  int    // tags that were not purged yet
	Repeats  int    // tags that were purged, and will be purged again
	Since    time.Time
	Requests int64 // that succeeded
	Tags     int64 // in these requests
	Failures int64 // requests that failed
	Widened  int64 // purges of everything because too many tags were pending
	SentAt   time.Time
	// Error is the error of the last request, empty if it succeeded. FailedAt is the time
	// of the last failure.
	Error    string
	FailedAt time.Time
}

// stats returns the figures of this moment.
func (t *target) stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.figures
	s.Name = t.name
	for _, p := range t.pending {
		if p.sent > 0 {
			s.Repeats++
			continue
		}
		s.Pending++
		if s.Since.IsZero() || p.since.Before(s.Since) {
			s.Since = p.since
		}
	}
	return s
}
