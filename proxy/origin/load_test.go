package origin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// runs is a database of one function.
type runs func(context.Context) (store.Answer, error)

func (f runs) Run(ctx context.Context, _ store.Query) (store.Answer, error) { return f(ctx) }

// question returns the question of a key.
func (f *fixture) question(t *testing.T, key string) route.Question {
	t.Helper()
	q, err := f.router.Question(key)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestOfTheRequest: which errors say nothing about their source.
func TestOfTheRequest(t *testing.T) {
	for err, own := range map[error]bool{
		nil: false, errPanic: false,
		&legacy.StatusError{Status: 500}: true, &legacy.StatusError{Status: 499}: false, &legacy.StatusError{Status: 302}: false,
		legacy.ErrUnavailable: false, legacy.ErrTimeout: false, legacy.ErrAnswer: false,
		store.ErrTimeout: false, store.ErrUnavailable: false, store.ErrSetup: false, store.ErrBusy: false, store.ErrExhausted: false,
		context.DeadlineExceeded: false, context.Canceled: false,
		errors.New("a statement that the database refuses"): true,
	} {
		if err != nil {
			err = fmt.Errorf("a load: %w", err)
		}
		if got := ofTheRequest(err); got != own {
			t.Errorf("%v: %t", err, got)
		}
	}
}

// TestSearchesAtTheirLimit: a search that the database has ended at its limit says nothing
// about the database. Any other load that takes too long does.
func TestSearchesAtTheirLimit(t *testing.T) {
	f := newFixture(t, Options{Source: FromAuto})
	for _, tt := range []struct {
		key    string
		source Source
		err    error
		want   bool
	}{
		{"/athletes/?search=ab", FromStore, store.ErrTimeout, true},
		{"/athletes/?offset=20000", FromStore, store.ErrTimeout, true},
		{"/athletes/?search=ab", FromStore, store.ErrBusy, false},
		{"/athletes/?search=ab", FromStore, errors.Join(store.ErrTimeout, context.DeadlineExceeded), false},
		{"/athletes/?search=ab", FromStore, store.ErrUnavailable, false},
		{"/athletes/?search=ab", FromLegacy, store.ErrTimeout, false},
		{"/athletes/", FromStore, store.ErrTimeout, false},
		{"/athletes/1", FromStore, store.ErrTimeout, false},
	} {
		if got := searchedTooLong(Load{Question: f.question(t, tt.key), Source: tt.source, Err: tt.err}); got != tt.want {
			t.Errorf("%s from %v, %v: %t", tt.key, tt.source, tt.err, got)
		}
	}
	f.opts.Store = runs(func(context.Context) (store.Answer, error) { return store.Answer{}, store.ErrTimeout })
	for range 100 {
		if _, err := f.load(t, "/athletes/?search=ab", time.Minute); err != nil {
			t.Fatal(err) // from the old API
		}
	}
	if allowed, probe := f.store.allow(time.Now()); !allowed || probe {
		t.Error("searches have opened the database's breaker")
	}
}

// TestTimeLeft: at least minTime must be left, and the fill must not have ended.
func TestTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if !timeLeft(t.Context()) {
			t.Error("without a deadline")
		}
		for left, want := range map[time.Duration]bool{minTime: true, minTime - 1: false, time.Minute: true} {
			ctx, cancel := context.WithTimeout(t.Context(), left)
			if got := timeLeft(ctx); got != want {
				t.Errorf("%v: %t", left, got)
			}
			cancel()
		}
		ctx, cancel := context.WithCancel(t.Context())
		if cancel(); timeLeft(ctx) {
			t.Error("the fill has ended")
		}
	})
}

// TestGoodLoadsCount: loads that succeed are in the statistics of their source.
func TestGoodLoadsCount(t *testing.T) {
	for source, want := range map[Source]string{FromStore: "1 0", FromLegacy: "0 1"} {
		f := newFixture(t, Options{Source: source})
		if _, err := f.load(t, "/teams/", time.Minute); err != nil {
			t.Fatal(err)
		}
		if s := f.Stats(); fmt.Sprint(s.Store.Loads, s.Legacy.Loads) != want {
			t.Errorf("%v: %d loads from the store, %d from the old API", source, s.Store.Loads, s.Legacy.Loads)
		}
	}
}

// TestAbandonedLoads: a load that ends because no request waits for it is not reported.
func TestAbandonedLoads(t *testing.T) {
	for cause, reported := range map[error]int{cache.ErrAbandoned: 0, context.Canceled: 1} {
		f := newFixture(t, Options{})
		ctx, end := context.WithCancelCause(t.Context())
		f.opts.Store = runs(func(ctx context.Context) (store.Answer, error) {
			end(cause)
			return store.Answer{}, ctx.Err()
		})
		if _, err := f.Load(ctx, f.question(t, "/teams/")); !errors.Is(err, context.Canceled) || len(f.loads) != reported {
			t.Errorf("%v: %v, reported %d times", cause, err, len(f.loads))
		}
	}
}

// TestLegacyPhase: the time of an exchange with the old API is its phase, and no other.
func TestLegacyPhase(t *testing.T) {
	clock := phase.Start(phase.Queue)
	during := make(chan phase.Phase, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		during <- clock.Now()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{}`))
	}))
	defer server.Close()
	client, err := legacy.New(legacy.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	f := newFixture(t, Options{Source: FromLegacy})
	f.opts.Legacy = client
	if _, err := f.Load(phase.With(t.Context(), clock), f.question(t, "/teams/")); err != nil {
		t.Fatal(err)
	}
	if now := <-during; now != phase.Legacy || clock.Now() != phase.Load {
		t.Errorf("during the exchange it is %v, after it %v", now, clock.Now())
	}
}

// TestUnstorableAnswers: an answer of the old API that may not be stored is an error, and
// the answer is empty.
func TestUnstorableAnswers(t *testing.T) {
	f := newFixture(t, Options{Source: FromLegacy})
	f.status.Store(403)
	a, err := f.load(t, "/teams/", time.Minute)
	if !errors.Is(err, legacy.ErrAnswer) || a.Status != 0 || a.Body != nil {
		t.Errorf("%+v, %v", a, err)
	}
	if l := f.loads[0]; l.Answer.Status != 0 || l.Answer.Body != nil {
		t.Errorf("reported: %+v", l.Answer)
	}
}

// TestStoreInAnOutage: an outage ends without a fill's help: no fill asks a database that
// is known to be down, even if its breaker is due for a probe.
func TestStoreInAnOutage(t *testing.T) {
	f := newFixture(t, Options{Source: FromAuto})
	f.outage.Down(store.ErrUnavailable)
	f.Stats() // which opens the breaker
	f.store.probe = time.Now()
	if a, err := f.load(t, "/teams/", time.Minute); err != nil || from(a) != "legacy" || f.asked.Load() != 0 {
		t.Errorf("from %q, %v, the database was asked %d times", from(a), err, f.asked.Load())
	}
}

// TestNoTimeForTheOldAPI: after the database's failure, the old API is asked only if
// enough time is left.
func TestNoTimeForTheOldAPI(t *testing.T) {
	f := newFixture(t, Options{Source: FromAuto})
	f.storeErr = fmt.Errorf("teams: %w", store.ErrTimeout)
	if _, err := f.load(t, "/teams/", minTime-1); !errors.Is(err, store.ErrTimeout) || f.passed.Load() != 0 {
		t.Errorf("%v, the old API was asked %d times", err, f.passed.Load())
	}
}

// TestBothBreakersOpen: the database is asked after all, if enough time is left. A fill
// without enough time fails, and reports no outage.
func TestBothBreakersOpen(t *testing.T) {
	f := newFixture(t, Options{Source: FromAuto})
	f.store.trip(time.Now(), "it fails")
	f.legacy.trip(time.Now(), "it fails")
	if a, err := f.load(t, "/teams/", time.Hour); err != nil || from(a) != "store" {
		t.Errorf("from %q, %v", from(a), err)
	}
	if _, err := f.load(t, "/teams/", minTime-1); !errors.Is(err, errNoTime) || errors.Is(err, cache.ErrDown) {
		t.Errorf("without time: %v", err)
	}
}

// TestFailureWithoutOutage: if both sources fail and there is no outage, the error is no
// outage's.
func TestFailureWithoutOutage(t *testing.T) {
	f := newFixture(t, Options{Source: FromAuto})
	f.storeErr = fmt.Errorf("teams: %w", store.ErrTimeout)
	f.status.Store(500)
	if _, err := f.load(t, "/teams/", time.Minute); !errors.Is(err, store.ErrTimeout) || errors.Is(err, cache.ErrDown) {
		t.Error(err)
	}
}

// TestPanicIsLogged: a panic of a load that has a fallback is logged with its stack.
func TestPanicIsLogged(t *testing.T) {
	var log strings.Builder
	f := newFixture(t, Options{Source: FromAuto, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	f.storeErr = errPanic
	if a, err := f.load(t, "/teams/", time.Minute); err != nil || from(a) != "legacy" {
		t.Errorf("from %q, %v", from(a), err)
	}
	if text := log.String(); strings.Count(text, "panic in a load") != 1 || !strings.Contains(text, "in the database") || !strings.Contains(text, "tryStore") {
		t.Error(text)
	}
}

// TestOutageDuringALoad: a load during which an outage begins or ends.
func TestOutageDuringALoad(t *testing.T) {
	unavailable := fmt.Errorf("teams: %w", store.ErrUnavailable)
	answer := store.Answer{Status: 200, Body: []byte(`{"store":true}`)}
	for name, tt := range map[string]struct {
		run    func(f *fixture, ctx context.Context, cancel func()) (store.Answer, error)
		from   string // of the answer, empty for an error
		is     error
		not    error
		open   bool // the database's breaker after the load
		failed bool // an outage was reported
	}{
		"an answer in spite of it": {func(f *fixture, _ context.Context, _ func()) (store.Answer, error) {
			f.outage.Down(unavailable)
			return answer, nil
		}, "store", nil, cache.ErrDown, false, false},
		"it ends the load": {func(f *fixture, ctx context.Context, _ func()) (store.Answer, error) {
			f.outage.Down(unavailable)
			<-ctx.Done()
			return store.Answer{}, ctx.Err()
		}, "", cache.ErrDown, context.Canceled, true, false},
		"it is over": {func(f *fixture, ctx context.Context, _ func()) (store.Answer, error) {
			f.outage.Down(unavailable)
			<-ctx.Done()
			f.outage.Up()
			return store.Answer{}, unavailable
		}, "", cache.ErrDown, store.ErrUnavailable, false, false},
		"the load finds it": {func(*fixture, context.Context, func()) (store.Answer, error) {
			return store.Answer{}, unavailable
		}, "", cache.ErrDown, store.ErrUnavailable, true, true},
		"the fill ends before": {func(_ *fixture, _ context.Context, cancel func()) (store.Answer, error) {
			cancel()
			return store.Answer{}, unavailable
		}, "", store.ErrUnavailable, cache.ErrDown, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Options{Source: FromAuto})
			f.status.Store(500)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f.opts.Store = runs(func(asking context.Context) (store.Answer, error) { return tt.run(f, asking, cancel) })
			a, err := f.Load(ctx, f.question(t, "/teams/"))
			if from(a) != tt.from || !errors.Is(err, tt.is) || errors.Is(err, tt.not) {
				t.Errorf("from %q, %v", from(a), err)
			}
			if open := f.store.stats(time.Now()).Open; open != tt.open || (f.downs == 1) != tt.failed {
				t.Errorf("breaker open %t, %d outages reported", open, f.downs)
			}
		})
	}
}

// TestLoadEndsItsContext: the context of a question to the database ends with the load.
func TestLoadEndsItsContext(t *testing.T) {
	f := newFixture(t, Options{Source: FromAuto})
	var asking context.Context
	f.opts.Store = runs(func(ctx context.Context) (store.Answer, error) {
		asking = ctx
		return store.Answer{Status: 200}, ctx.Err()
	})
	if _, err := f.Load(t.Context(), f.question(t, "/teams/")); err != nil || asking.Err() == nil {
		t.Errorf("%v, the context goes on", err)
	}
}
