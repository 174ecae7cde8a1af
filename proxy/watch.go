package proxy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// pollTimeout is how long the database may take to tell its generation: a
	// query on a small table, on a connection that no fill can take.
	pollTimeout = 2 * time.Second
	// firstTimeout is how long it may take the first time: visitors of a proxy
	// that has just started wait for it.
	firstTimeout = time.Second
	// downPoll is how often a database that is down is asked whether it is back.
	downPoll = 500 * time.Millisecond
	// learned is how many of the keys that visitors ask for most are warmed
	// beside the lists of the site.
	learned = 200
)

// generation is a state of the database as the cache wants it.
type generation struct{ *store.Generation }

// Holds reports whether an entry's scope is in this generation as it was when
// the entry was filled. An answer that no database was asked for always holds.
func (g generation) Holds(e *cache.Entry) bool {
	if e.Generation == "" {
		return true
	}
	scope, err := store.ParseScope(e.Scope)
	return err == nil && g.Of(scope) == e.Generation
}

// watch keeps the cache at the database's generation.
type watch struct {
	wake chan struct{}
	// looked is closed after the first look at the generation.
	looked chan struct{}
	// For Watch alone: the generation whose warm set was published last, and the
	// one that a fill last disagreed with.
	warmed, moved string
	// seen is what the database told last; nil before the first time.
	seen atomic.Pointer[store.Generation]

	mu     sync.Mutex
	status WarmStatus
	extra  []string // keys to warm beside the usual ones
	again  bool     // the warm set is to be looked through though nothing is new
	asked  int64    // tickets given out
}

// WarmStatus tells what became of the last look at the database's generation,
// and how far a warm-up is. Times are in seconds, sizes in bytes.
type WarmStatus struct {
	// Looked is the newest ticket whose look has ended.
	Looked int64
	// Warming is set from when a new generation was seen until it is published.
	Warming bool
	// Generation is the one being prepared, or published last, and Calculated
	// when its newest calculation was made.
	Generation string
	Calculated string
	// Published counts the generations that were published.
	Published int64
	// Keys is the size of the warm set; Done, Filled and Failed count those
	// looked at, loaded and lost.
	Keys    int
	Done    int
	Filled  int
	Failed  int
	Bytes   int64 // of what was loaded
	Seconds float64
	// Slowest is the key that took longest to load.
	Slowest        string
	SlowestSeconds float64
	Error          string // of the last look, or of a key
	// LookError is why the last look failed, or found no way to publish; empty
	// if it did not.
	LookError string
}

// Looked is closed by Watch once the database has told its generation for the
// first time, or failed to within a second. From then on a saved answer that is
// true is a hit, and with the database down all saved ones are served as they
// are.
func (p *Proxy) Looked() <-chan struct{} { return p.watch.looked }

// Look asks for a look at the database now, and for the given keys to be
// warmed. The ticket it returns is that of the look: see WarmStatus.
func (p *Proxy) Look(keys []string) (ticket int64) {
	p.watch.mu.Lock()
	p.watch.asked++
	ticket = p.watch.asked
	p.watch.extra = append(p.watch.extra, keys...)
	p.watch.mu.Unlock()
	p.wake()
	return ticket
}

// wake lets Watch look at once.
func (p *Proxy) wake() {
	select {
	case p.watch.wake <- struct{}{}:
	default: // a look is asked for already
	}
}

// WarmStatus returns how the watch stands.
func (p *Proxy) WarmStatus() WarmStatus {
	p.watch.mu.Lock()
	defer p.watch.mu.Unlock()
	return p.watch.status
}

func (p *Proxy) updateStatus(change func(*WarmStatus)) {
	p.watch.mu.Lock()
	defer p.watch.mu.Unlock()
	change(&p.watch.status)
}

// Watch asks the database for its generation, again and again until ctx ends,
// and publishes each new one with its warm set.
func (p *Proxy) Watch(ctx context.Context) {
	var recording sync.WaitGroup
	recording.Go(func() { p.record(ctx) })
	recording.Go(func() { p.compareSamples(ctx) })
	defer recording.Wait()
	for ctx.Err() == nil {
		pause := p.look(ctx)
		select {
		case <-ctx.Done():
		case <-p.watch.wake:
		case <-time.After(pause):
		}
	}
}

// look asks once and returns how long to wait until the next time.
func (p *Proxy) look(ctx context.Context) (pause time.Duration) {
	if p.resting() {
		p.rest()
		return p.opts.Poll
	}
	p.watch.mu.Lock()
	ticket, extra, again := p.watch.asked, p.watch.extra, p.watch.again
	p.watch.extra, p.watch.again = nil, false
	p.watch.mu.Unlock()

	g, err := p.ask(ctx)
	pause = p.opts.Poll
	switch {
	case ctx.Err() != nil:
		return pause
	case err != nil:
	case p.watch.warmed != g.ID() || len(extra) > 0 || again:
		err = p.publish(ctx, generation{g}, extra)
	}
	if err != nil && again {
		p.watch.mu.Lock()
		p.watch.again = true
		p.watch.mu.Unlock()
	}
	if errors.Is(err, cache.ErrMoved) || errors.Is(err, maintenance.ErrOn) {
		p.watch.mu.Lock()
		p.watch.extra = append(p.watch.extra, extra...)
		p.watch.mu.Unlock()
		return 0 // this look has not ended yet
	}
	if _, cause := p.outage.Since(); cause != nil { // perhaps that of a fill
		pause = min(pause, downPoll)
	}
	p.updateStatus(func(s *WarmStatus) {
		s.Looked, s.Warming, s.LookError = ticket, false, ""
		if err != nil {
			s.Error, s.LookError = err.Error(), err.Error()
		}
	})
	return pause
}

// resting reports whether the database is left alone: in maintenance mode, unless
// somebody has asked for a look that has not ended.
func (p *Proxy) resting() bool {
	if !p.maintenance.On() {
		return false
	}
	p.watch.mu.Lock()
	defer p.watch.mu.Unlock()
	return p.watch.asked <= p.watch.status.Looked
}

// rest is what the watch does instead of a look.
func (p *Proxy) rest() {
	select {
	case <-p.watch.looked:
	default:
		close(p.watch.looked) // what was saved is all that there will be
	}
	p.updateStatus(func(s *WarmStatus) { s.Warming = false })
}

// ask asks the database for its generation and tells the cache how it went. The
// first generation is published at once, with what was saved of an earlier run:
// until then nothing is true.
func (p *Proxy) ask(ctx context.Context) (*store.Generation, error) {
	timeout := pollTimeout
	select {
	case <-p.watch.looked:
	default:
		timeout = firstTimeout
		defer close(p.watch.looked)
	}
	asking, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	g, err := p.opts.Origin.Generation(asking)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		p.outage.Down(err)
	default:
		p.watch.seen.Store(g)
		p.outage.Up()
		if current, _ := p.cache.Published(); current == nil {
			p.cache.PublishFirst(generation{g})
		}
	}
	return g, err
}

// publish fills the warm set of g on the side and makes both the current ones.
func (p *Proxy) publish(ctx context.Context, g generation, extra []string) error {
	start := time.Now()
	keys := p.warmSet(g.Generation, extra)
	p.updateStatus(func(s *WarmStatus) {
		*s = WarmStatus{Looked: s.Looked, Published: s.Published, Warming: true,
			Generation: g.ID(), Calculated: g.Calculated(), Keys: len(keys)}
	})
	set := p.cache.Prepare(ctx, g, keys, func(w cache.Warmed) { p.progress(w, start) })
	if ctx.Err() != nil {
		return ctx.Err() // half a warm set
	}
	for _, w := range set {
		// If nothing has moved since the last time, fill and poll read the data
		// differently and always will: that key is not worth all the others.
		if errors.Is(w.Err, cache.ErrMoved) && p.watch.moved != g.ID() {
			p.watch.moved = g.ID()
			return w.Err
		}
	}
	if _, cause := p.outage.Since(); cause != nil {
		return cause // what is there is better than half a warm set
	}
	if p.resting() {
		return maintenance.ErrOn // it was turned on meanwhile
	}
	p.cache.Publish(g, set)
	p.watch.warmed = g.ID()
	p.opts.OnPublish()
	p.updateStatus(func(s *WarmStatus) {
		s.Published++
		s.Seconds = time.Since(start).Seconds()
		p.opts.Logger.Info("generation published", "generation", s.Generation, "calculated_at", s.Calculated, "keys", s.Keys,
			"filled", s.Filled, "failed", s.Failed, "seconds", s.Seconds, "slowest", s.Slowest)
	})
	return nil
}

// progress notes how one key of a warm set fared.
func (p *Proxy) progress(w cache.Warmed, start time.Time) {
	p.updateStatus(func(s *WarmStatus) {
		s.Done++
		s.Seconds = time.Since(start).Seconds()
		switch {
		case w.Err != nil:
			s.Failed++
			s.Error = w.Key + ": " + w.Err.Error()
		case w.Filled:
			s.Filled++
			s.Bytes += w.Entry.Cost()
			if took := w.Entry.Took.Seconds(); took > s.SlowestSeconds {
				s.Slowest, s.SlowestSeconds = w.Key, took
			}
		}
	})
	if w.Err != nil && !errors.Is(w.Err, cache.ErrMoved) {
		p.opts.Logger.Warn("not warmed", "key", w.Key, "error", w.Err)
	}
}

// siteLists are the lists that the site shows for a live division and gender,
// and for one of the newest snapshot, with the parameters that it gives them.
// Source: the site's own requests.
var (
	siteLists = []string{
		"/athletes/?season_year={season}&division={division}&gender={gender}&limit=50000",
		"/teams/?season_year={season}&division={division}&gender={gender}&limit=50000",
		"/team-knockout/?season_year={season}&rank_group_fk={division}&gender_code={gender}&limit=500",
	}
	snapshotLists = []string{
		"/snapshots/{checkpoint}/athletes?division={division}&gender={gender}&limit=50000",
		"/snapshots/{checkpoint}/teams?division={division}&gender={gender}&limit=50000",
	}
	sitePages = []string{"/metadata/latest/date", "/metadata/latest", "/snapshots/", route.HealthPath}
)

// expandAll fills in the fields of a scope.
func expandAll(targets []string, s store.Scope) (all []string) {
	fields := strings.NewReplacer("{season}", s.Season, "{division}", s.Division, "{gender}", s.Gender, "{checkpoint}", s.Checkpoint)
	for _, t := range targets {
		all = append(all, fields.Replace(t))
	}
	return all
}

// warmSet returns the keys to have ready when g is published, the most wanted
// first: those of the site, the extra ones, those that visitors ask for most.
func (p *Proxy) warmSet(g *store.Generation, extra []string) []string {
	targets := slices.Clone(p.pages)
	for _, s := range g.Live() {
		targets = append(targets, expandAll(siteLists, s)...)
	}
	for _, s := range g.Snapshot() {
		targets = append(targets, expandAll(snapshotLists, s)...)
	}
	var keys []string
	for _, t := range targets {
		if q, err := p.router.Resolve(t); err == nil {
			keys = append(keys, q.Key)
		}
	}
	keys = append(keys, extra...)
	keys = append(keys, p.cache.Popular(learned)...)
	seen := map[string]bool{}
	return slices.DeleteFunc(keys, func(key string) bool {
		again := seen[key]
		seen[key] = true
		return again
	})
}
