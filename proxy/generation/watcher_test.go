package generation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/pages"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/dberror"
)

// fixture is a watcher with a database that the test simulates.
type fixture struct {
	*Watcher
	cache  *cache.Cache
	outage *cache.Outage
	// run loads the answer of a key; nil loads an answer of the generation.
	run func(ctx context.Context, key string) (store.Answer, error)
	// generation is the database's current generation.
	generation atomic.Pointer[store.Generation]
	err        error // of the next polls
	polls      atomic.Int64
	polled     chan struct{} // gets an element from each poll, unless it is full
	paused     atomic.Bool
	clock      atomic.Int64                          // nanoseconds since 1970
	scope      func(key string) store.Scope          // of an answer; nil means the zero Scope
	rows       map[string]map[store.Scope]store.Rows // by table
	sums       atomic.Int64                          // calls of ScopeRows
}

func (f *fixture) ScopeRows(_ context.Context, table string) (map[store.Scope]store.Rows, error) {
	f.sums.Add(1)
	if f.rows[table] == nil {
		return nil, errors.New("unreadable, or without scopes")
	}
	return maps.Clone(f.rows[table]), nil
}

func (f *fixture) now() time.Time { return time.Unix(0, f.clock.Load()) }

func (f *fixture) sleep(d time.Duration) { f.clock.Add(int64(d)) }

func (f *fixture) Generation(context.Context) (*store.Generation, error) {
	f.polls.Add(1)
	select {
	case f.polled <- struct{}{}:
	default:
	}
	if f.err != nil {
		return nil, f.err
	}
	return f.generation.Load(), nil
}

func (f *fixture) fill(ctx context.Context, key string) (cache.Content, error) {
	a := store.Answer{Generation: f.generation.Load().Of(store.Scope{})}
	if f.run != nil {
		var err error
		if a, err = f.run(ctx, key); err != nil {
			return cache.Content{}, err
		}
	}
	scope := store.Scope{}
	if f.scope != nil {
		scope = f.scope(key)
	}
	return cache.Content{Status: 200, Size: 2, Variants: []cache.Variant{{Body: []byte("{}")}}, Scope: scope.String(), Generation: a.Generation}, nil
}

func newFixture(t *testing.T, pages ...string) *fixture {
	t.Helper()
	f := &fixture{outage: cache.NewOutage(nil), polled: make(chan struct{}, 1)}
	f.generation.Store(&store.Generation{})
	var err error
	f.cache, err = cache.New(cache.Options{Fill: f.fill, Outage: f.outage, IsDown: func(err error) bool { return errors.Is(err, store.ErrUnavailable) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.cache.Close)
	f.Watcher = New(Options{
		Store: f, Cache: f.cache, Outage: f.outage, Routes: route.NewRouter(store.Endpoints(), ""), Pages: append([]string{}, pages...),
		Interval: 2 * time.Second, Paused: f.paused.Load, Now: f.now,
	})
	return f
}

// isWarm fails the test unless keys are fresh and in the warm set.
func (f *fixture) isWarm(t *testing.T, when string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if s := f.cache.Peek(&cache.Ref{Key: key}); s.Outcome != cache.Hit || s.Where != "warm" {
			t.Errorf("%s: %s: %v in %q", when, key, s.Outcome, s.Where)
		}
	}
}

// warnings counts the warnings of a log.
type warnings struct{ n atomic.Int64 }

func (w *warnings) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("level=WARN")) {
		w.n.Add(1)
	}
	return len(line), nil
}

func (w *warnings) logger() *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// calculated returns the generation with calculation number n.
func calculated(n int) *store.Generation {
	scope := store.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: store.Live}
	return store.NewGeneration(store.Calculation{Scope: scope, ID: int64(n), At: time.Unix(int64(n), 0)})
}

// A warm set whose preparation an outage interrupted is filled when the database is
// back, although its generation is the same.
func TestOutageWhileWarming(t *testing.T) {
	f := newFixture(t, "/metadata/latest")
	fills := 0
	f.run = func(context.Context, string) (store.Answer, error) {
		if fills++; fills == 1 {
			return store.Answer{}, store.ErrUnavailable
		}
		return store.Answer{Generation: (&store.Generation{}).ID()}, nil
	}
	if pause := f.Once(t.Context()); pause > downPoll || f.Status().Published != 0 {
		t.Errorf("polls again in %v, %+v", pause, f.Status())
	}
	f.Once(t.Context())
	if s := f.Status(); s.Published != 1 || s.Filled != 1 || fills != 2 {
		t.Errorf("%d fills, %+v", fills, s)
	}
	f.isWarm(t, "after the outage", "/metadata/latest")
}

// Polls become rare while the server refuses the account, but not while the server is
// down. After the first success they have the normal interval again.
func TestPausesWhileDown(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want time.Duration
	}{
		{store.ErrUnavailable, downPoll},
		{fmt.Errorf("%w: %w", store.ErrSetup, &dberror.SetupError{Reason: store.Denied, Err: errors.New("access denied")}), deniedPoll},
		{fmt.Errorf("%w: %w", store.ErrSetup, &dberror.SetupError{Reason: store.Blocked, Err: errors.New("locked")}), deniedPoll},
		{fmt.Errorf("%w: %w", store.ErrSetup, &dberror.SetupError{Reason: store.NoTable, Err: errors.New("no table")}), downPoll},
	} {
		f := newFixture(t)
		f.err = tt.err
		var pause, all time.Duration
		polls := 0
		for ; pause != tt.want; polls++ {
			if polls == 100 {
				t.Fatalf("%v: the pause is %v", tt.err, pause)
			}
			last := pause
			if pause = f.Once(t.Context()); pause < last {
				t.Errorf("%v: %v after %v", tt.err, pause, last)
			}
			all += pause
		}
		if all > 4*tt.want {
			t.Errorf("%v: the pause is %v after %v", tt.err, pause, all)
		}
		f.err = nil
		if pause := f.Once(t.Context()); pause != f.opts.Interval {
			t.Errorf("%v: %v after a success", tt.err, pause)
		}
	}
}

// A poll whose data changed during the preparation is repeated immediately. If the
// generation is the same, fill and poll disagree about one key, and the other keys are
// published without it.
func TestDataMovesWhileWarming(t *testing.T) {
	f := newFixture(t, pages.Default()...)
	f.run = func(_ context.Context, key string) (store.Answer, error) {
		if key == "/metadata/latest" {
			return store.Answer{Generation: "another"}, nil
		}
		return store.Answer{Generation: (&store.Generation{}).ID()}, nil
	}
	ticket := f.Poll([]string{"/teams/"})
	if pause := f.Once(t.Context()); pause != 0 || f.Status().Looked == ticket || f.Status().Published != 0 {
		t.Errorf("polls again in %v, %+v", pause, f.Status())
	}
	if pause := f.Once(t.Context()); pause == 0 || f.Status().Looked != ticket || f.Status().Published != 1 {
		t.Errorf("polls again in %v, %+v", pause, f.Status())
	}
	f.isWarm(t, "published", "/snapshots/", "/teams/")
}

// Imports that commit faster than the warm keys fill delay a publish by at most
// maxDelay. Meanwhile the published generation is not confirmed, because the database
// has a newer generation.
func TestImportsDelayAPublishWithinABound(t *testing.T) {
	f := newFixture(t, "/metadata/latest", "/snapshots/")
	f.generation.Store(calculated(1))
	first := f.now()
	var commits atomic.Int64
	commits.Store(1)
	f.run = func(context.Context, string) (store.Answer, error) {
		f.sleep(300 * time.Millisecond)
		f.generation.Store(calculated(int(commits.Add(1)))) // while each key is filled
		return store.Answer{Generation: f.generation.Load().ID()}, nil
	}
	f.Once(t.Context())
	if !f.Confirmed().Equal(first) || f.Status().Published != 0 {
		t.Errorf("confirmed after %v, %+v", f.Confirmed().Sub(first), f.Status())
	}
	for f.Status().Published == 0 {
		if !f.Confirmed().Equal(first) {
			t.Fatalf("confirmed after %v, though the database has another generation", f.Confirmed().Sub(first))
		}
		if f.Once(t.Context()); f.now().Sub(first) > 2*maxDelay {
			t.Fatalf("nothing is published after %v: %+v", f.now().Sub(first), f.Status())
		}
	}
	if took := f.now().Sub(first); took < maxDelay {
		t.Errorf("published after %v already", took)
	}
	f.run = nil // the imports end
	for range 3 {
		f.Once(t.Context())
	}
	f.isWarm(t, "after the imports", "/metadata/latest", "/snapshots/")
	if g, _ := f.Published(); g.ID() != f.generation.Load().ID() || !f.Confirmed().Equal(f.now()) {
		t.Errorf("%s is published, confirmed %v ago", g.ID(), f.now().Sub(f.Confirmed()))
	}
}

// A partial warm set is not published, whether the watcher stops first or the cache
// closes first, and no key is reported as failed.
func TestStopWhileWarming(t *testing.T) {
	for name, closes := range map[string]bool{"the watcher first": false, "the cache first": true} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "/metadata/latest", "/snapshots/")
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			f.run = func(ctx context.Context, _ string) (store.Answer, error) {
				if closes {
					go f.cache.Close()
				} else {
					stop()
				}
				<-ctx.Done()
				return store.Answer{}, ctx.Err()
			}
			published, log := 0, &warnings{}
			f.opts.OnPublish = func() { published++ }
			f.opts.Logger = log.logger()
			f.Once(ctx)
			if s := f.Status(); s.Published != 0 || published != 0 || log.n.Load() != 0 {
				t.Errorf("published %d times, %d warnings, %+v", published, log.n.Load(), s)
			}
			if _, cause := f.outage.Since(); cause != nil {
				t.Errorf("a stop is no outage: %v", cause)
			}
		})
	}
}

// Requested keys stay in the warm set until the next generation, and survive a failed
// poll.
func TestRequestedKeysStay(t *testing.T) {
	const a, b, c = "/teams/?limit=1", "/teams/?limit=2", "/teams/?limit=3"
	f := newFixture(t)
	f.Poll([]string{a, a})
	f.Once(t.Context())
	f.isWarm(t, "requested", a)
	f.Poll([]string{b})
	f.Once(t.Context())
	f.isWarm(t, "requested one after the other", a, b)
	f.Refill()
	f.Once(t.Context())
	f.isWarm(t, "after a refill", a, b)
	f.err = store.ErrUnavailable
	f.Later([]string{c})
	ticket := f.Poll(nil)
	if f.Once(t.Context()); f.Status().Looked != ticket || f.Status().LookError == "" {
		t.Errorf("%+v", f.Status())
	}
	f.err = nil
	f.Once(t.Context())
	f.isWarm(t, "after a poll that failed", a, b, c)
	if got := fmt.Sprint(f.WarmSet()); got != fmt.Sprint([]string{a, b, c}) {
		t.Error(got)
	}
	f.generation.Store(calculated(1))
	f.Once(t.Context())
	if work := f.requests.take(); len(work.keysFor(calculated(1).ID())) != 0 {
		t.Errorf("in the next generation: %v", work.keysFor(calculated(1).ID()))
	}
}

// Requested keys are limited to the newest maxRequested.
func TestRequestedKeysAreBounded(t *testing.T) {
	f := newFixture(t)
	for n := range 3 {
		var keys []string
		for i := range maxRequested/2 + 1 {
			keys = append(keys, fmt.Sprintf("/teams/%d", n*maxRequested+i))
		}
		f.Later(keys)
	}
	work := f.requests.take()
	if last := fmt.Sprintf("/teams/%d", 2*maxRequested+maxRequested/2); len(work.keys) != maxRequested || work.keys[maxRequested-1] != last {
		t.Errorf("%d keys, the last is %s", len(work.keys), work.keys[len(work.keys)-1])
	}
}

// A refill that is requested while another is under way is not lost.
func TestRefillDuringARefill(t *testing.T) {
	f := newFixture(t, "/metadata/latest")
	f.Once(t.Context())
	polls := 0
	f.opts.OnPublish = func() {
		if polls++; polls == 1 {
			f.Refill()
		}
	}
	f.Refill()
	for range 3 {
		f.Once(t.Context())
	}
	if s := f.Status(); polls != 2 || s.Published != 3 {
		t.Errorf("%d publishes, %+v", polls, s)
	}
}

// Keys that could not be warmed are tried again after a pause that doubles.
func TestFailedKeysAreTriedAgain(t *testing.T) {
	f := newFixture(t, "/metadata/latest", "/snapshots/")
	begun := f.now()
	var tries []time.Duration
	f.run = func(_ context.Context, key string) (store.Answer, error) {
		if key == "/snapshots/" {
			if tries = append(tries, f.now().Sub(begun)); f.now().Sub(begun) < 30*time.Minute {
				return store.Answer{}, errors.New("it fails")
			}
		}
		return store.Answer{Generation: (&store.Generation{}).ID()}, nil
	}
	for f.now().Sub(begun) < 2*time.Hour {
		f.sleep(f.Once(t.Context()))
	}
	if got := fmt.Sprint(tries); got != "[0s 30s 1m30s 3m30s 7m30s 15m30s 25m30s 35m30s]" {
		t.Error(got)
	}
	f.isWarm(t, "in the end", "/metadata/latest", "/snapshots/")
}

// While polls are paused only requested polls reach the database. A refill waits until
// the pause ends.
func TestPause(t *testing.T) {
	f := newFixture(t, "/metadata/latest")
	polls := func(when string, turns int, want int64) {
		t.Helper()
		for range turns {
			f.Once(t.Context())
		}
		if n := f.polls.Swap(0); n != want {
			t.Errorf("%s: %d polls, want %d", when, n, want)
		}
	}
	polls("before", 3, 3)
	f.paused.Store(true)
	polls("paused", 3, 0)
	f.cache.Purge(func(*cache.Entry) bool { return true }, false)
	f.Refill()
	polls("paused, after a change of source", 3, 0)
	f.paused.Store(false)
	polls("afterwards", 1, 1)
	f.isWarm(t, "afterwards", "/metadata/latest")
	f.paused.Store(true)
	ticket := f.Poll(nil)
	polls("when a poll is requested", 3, 1)
	if s := f.Status(); s.Looked != ticket || s.Published != 2 {
		t.Errorf("%+v", s)
	}
}

// A poll at the interval that is under way when polls are paused publishes nothing
// until the pause ends.
func TestPauseWhileWarming(t *testing.T) {
	f := newFixture(t)
	f.Once(t.Context())
	f.run = func(context.Context, string) (store.Answer, error) {
		f.paused.Store(true)
		return store.Answer{Generation: (&store.Generation{}).ID()}, nil
	}
	f.Later([]string{"/teams/"})
	for range 3 {
		f.Once(t.Context())
	}
	if s := f.Status(); !f.paused.Load() || s.Published != 1 || s.Warming {
		t.Errorf("paused: %+v", s)
	}
	f.run = nil
	f.paused.Store(false)
	f.Once(t.Context())
	if s := f.Status(); s.Published != 2 || s.LookError != "" {
		t.Errorf("afterwards: %+v", s)
	}
	f.isWarm(t, "afterwards", "/teams/")
}

// A watcher that starts while polls are paused closes Polled immediately.
func TestPausedFromTheStart(t *testing.T) {
	f := newFixture(t)
	f.paused.Store(true)
	f.Once(t.Context())
	select {
	case <-f.Polled():
	default:
		t.Error("the first poll has not ended")
	}
	if f.polls.Load() != 0 {
		t.Error("the database was asked")
	}
}

// Run polls at its interval, and immediately when it is woken.
func TestRun(t *testing.T) {
	for name, tt := range map[string]struct {
		interval time.Duration
		wake     bool
	}{"at its interval": {time.Millisecond, false}, "woken": {time.Hour, true}} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.opts.Interval = tt.interval
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				f.Run(ctx)
			}()
			for range 3 {
				<-f.polled
				if tt.wake {
					f.Wake()
				}
			}
			stop()
			<-ended
		})
	}
}
