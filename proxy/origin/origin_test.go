package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// fixture is Origins of a database and an old API that the test plays.
type fixture struct {
	*Origins
	outage *cache.Outage
	router *route.Router
	// storeErr is the database's error, nil for an answer; errPanic panics.
	storeErr error
	asked    atomic.Int64 // of the database
	status   atomic.Int64 // of the old API
	passed   atomic.Int64 // loads from the old API
	loads    []Load
	downs    int
}

func (f *fixture) Run(context.Context, store.Query) (store.Answer, error) {
	f.asked.Add(1)
	switch f.storeErr {
	case nil:
		return store.Answer{Status: 200, Body: []byte(`{"store":true}`), Generation: "g"}, nil
	case errPanic:
		panic("in the database")
	}
	return store.Answer{}, f.storeErr
}

func (f *fixture) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	f.passed.Add(1)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(f.status.Load()))
	_, _ = io.WriteString(w, `{"legacy":true}`)
}

// newFixture returns origins whose two sources are healthy.
func newFixture(t *testing.T, opts Options) *fixture {
	t.Helper()
	f := &fixture{outage: cache.NewOutage(nil), router: route.NewRouter(store.Endpoints(), "")}
	f.status.Store(200)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	client, err := legacy.New(legacy.Options{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	opts.Store, opts.Legacy, opts.Routes, opts.Outage = f, client, f.router, f.outage
	opts.Generation = func(store.Scope) string { return "g" }
	opts.OnLoad = func(l Load) { f.loads = append(f.loads, l) }
	opts.OnDown = func() { f.downs++ }
	if f.Origins, err = New(opts); err != nil {
		t.Fatal(err)
	}
	return f
}

// load loads the answer of a key within a time.
func (f *fixture) load(t *testing.T, key string, within time.Duration) (store.Answer, error) {
	t.Helper()
	q, err := f.router.Question(key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return f.Load(ctx, q)
}

// from names the source of an answer.
func from(a store.Answer) string {
	switch {
	case strings.Contains(string(a.Body), "legacy"):
		return "legacy"
	case strings.Contains(string(a.Body), "store"):
		return "store"
	}
	return ""
}

// A source that is not possible is refused, and named.
func TestWrongSources(t *testing.T) {
	client := newFixture(t, Options{}).opts.Legacy
	for _, tt := range []struct {
		all    Source
		routes map[string]Source
		legacy *legacy.Client
		err    string // empty for none
	}{
		{FromLegacy, nil, nil, "SOURCE=legacy: LEGACY_URL is not set"},
		{FromAuto, nil, nil, "SOURCE=auto: LEGACY_URL is not set"},
		{FromStore, map[string]Source{"/teams/": FromAuto}, nil, "SOURCE_ROUTES: /teams/=auto: LEGACY_URL is not set"},
		{FromStore, map[string]Source{"/team": FromStore}, client, `SOURCE_ROUTES: /team=store: route "/team": there is none`},
		{FromStore, map[string]Source{"/health": FromLegacy}, client, `SOURCE_ROUTES: /health=legacy: route "/health": its answer describes this proxy`},
		{FromStore, map[string]Source{"/teams/": FromStore}, nil, ""},
		{FromLegacy, map[string]Source{"/teams": FromStore, "/athletes/{athlete_hnd}": FromAuto}, client, ""},
	} {
		_, err := New(Options{Source: tt.all, RouteSources: tt.routes, Legacy: tt.legacy, Routes: route.NewRouter(store.Endpoints(), ""), Outage: cache.NewOutage(nil)})
		if (tt.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%v %v: %v, want %s", tt.all, tt.routes, err, tt.err)
		}
	}
	if _, err := ParseSource("Store"); err == nil {
		t.Error("Store is no source")
	}
	for s := FromStore; s <= FromAuto; s++ {
		if again, err := ParseSource(s.String()); again != s || err != nil {
			t.Errorf("%v: %v, %v", s, again, err)
		}
	}
}

// /health is answered from the database in every source setting.
func TestHealthHasOneSource(t *testing.T) {
	f := newFixture(t, Options{Source: FromLegacy})
	for _, source := range []string{"legacy", "auto"} {
		if _, err := f.Override(source, nil); err != nil {
			t.Fatal(err)
		}
		if a, err := f.load(t, route.HealthPath, time.Minute); err != nil || from(a) != "store" {
			t.Errorf("%s: from %q, %v", source, from(a), err)
		}
		if f.FillsWhileDown(route.HealthPath) {
			t.Errorf("%s: it can be filled without the database", source)
		}
	}
}

// TestOwnEndpointsHaveOneSource: an endpoint that the old API does not have is answered
// from the database in every setting.
func TestOwnEndpointsHaveOneSource(t *testing.T) {
	routes := route.NewRouter([]*store.Endpoint{{Path: "/regions/", Own: true}, {Path: "/teams/"}}, "")
	o, err := New(Options{Source: FromLegacy, Legacy: newFixture(t, Options{}).opts.Legacy, Routes: routes, Outage: cache.NewOutage(nil)})
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{"legacy", "auto"} {
		moved, err := o.Override(source, nil)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(moved, routes.Of("/regions/")) || o.SourceOf(routes.Of("/regions/")) != FromStore || o.SourceOf(routes.Of("/teams/")).String() != source {
			t.Errorf("%s: moved %v", source, moved)
		}
		if o.FillsWhileDown("/regions/") || !o.FillsWhileDown("/teams/") {
			t.Errorf("%s: wrong fills during an outage", source)
		}
		if _, err := o.Override(source, []string{"/regions/"}); err == nil || !strings.Contains(err.Error(), "the old API does not have it") {
			t.Errorf("%s for the endpoint alone: %v", source, err)
		}
	}
}

// A change returns the routes whose source is another now, and no other.
func TestOverrideReturnsTheMovedRoutes(t *testing.T) {
	f := newFixture(t, Options{RouteSources: map[string]Source{"/snapshots/": FromLegacy}})
	all := len(f.router.Routes())
	for _, tt := range []struct {
		source string // empty for a reset
		routes []string
		moved  int
		kept   string
	}{
		{"legacy", []string{"/teams"}, 1, "map[/teams/:legacy]"},
		{"legacy", []string{"/teams/", "/athletes/"}, 1, "map[/athletes/:legacy /teams/:legacy]"},
		{"store", []string{"/teams/"}, 1, "map[/athletes/:legacy /teams/:store]"},
		{"", nil, 1, "map[]"},
		{"auto", nil, all - 1, "map[:auto]"}, // but for /health
		{"auto", nil, 0, "map[:auto]"},
		{"store", nil, all - 1, "map[:store]"},
		{"", nil, 1, "map[]"}, // /snapshots/
	} {
		var moved []*route.Route
		err := error(nil)
		if tt.source == "" {
			moved = f.Reset()
		} else {
			moved, err = f.Override(tt.source, tt.routes)
		}
		if err != nil || len(moved) != tt.moved || fmt.Sprint(f.Overrides()) != tt.kept {
			t.Errorf("%s %v: %d moved, %v kept, %v", tt.source, tt.routes, len(moved), f.Overrides(), err)
		}
	}
}

// Breakers are reset once no route uses auto, and not before.
func TestBreakersAreResetWithoutAuto(t *testing.T) {
	f := newFixture(t, Options{Source: FromAuto})
	for _, tt := range []struct {
		source string
		routes []string
		open   bool
	}{
		{"store", []string{"/teams/"}, true},   // all others still use auto
		{"auto", []string{"/athletes/"}, true}, // as before
		{"store", nil, false},
	} {
		f.store.trip(time.Now(), "it fails")
		f.legacy.trip(time.Now(), "it fails")
		if _, err := f.Override(tt.source, tt.routes); err != nil {
			t.Fatal(err)
		}
		if s := f.Stats(); s.Store.Open != tt.open || s.Legacy.Open != tt.open {
			t.Errorf("%s %v: %+v, %+v", tt.source, tt.routes, s.Store, s.Legacy)
		}
	}
}

// In auto, a fill ends with an answer or an error, in every state of both sources and with
// any remaining time.
func TestAutoAnswersOrFails(t *testing.T) {
	for n := range 1 << 6 {
		is := func(bit int) bool { return n>>bit&1 == 1 }
		name := fmt.Sprintf("store open %t, old API open %t, store fails %t, old API fails %t, down %t, late %t", is(0), is(1), is(2), is(3), is(4), is(5))
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Options{Source: FromAuto})
			if is(2) {
				f.storeErr = fmt.Errorf("teams: %w", store.ErrTimeout)
			}
			if is(3) {
				f.status.Store(500)
			}
			now := time.Now()
			if is(0) {
				f.store.trip(now, "it fails")
			}
			if is(1) {
				f.legacy.trip(now, "it fails")
			}
			if is(4) {
				f.outage.Down(store.ErrUnavailable)
			}
			left := time.Minute
			if is(5) {
				left = minTime - 1
			}
			if answer, err := f.load(t, "/teams/", left); err == nil && (answer.Status != 200 || len(answer.Body) == 0) {
				t.Errorf("no error, and the answer %+v", answer)
			}
		})
	}
}

// A fill that gets its turn so late that no source is asked leaves the key as it was:
// once both sources are well, it is filled.
func TestLateFillIsNotStored(t *testing.T) {
	f := newFixture(t, Options{Source: FromAuto})
	c, err := cache.New(cache.Options{FillTimeout: minTime / 2, Outage: f.outage, FillsWhileDown: f.FillsWhileDown,
		Fill: func(ctx context.Context, key string) (cache.Content, error) {
			q, err := f.router.Question(key)
			if err != nil {
				return cache.Content{}, err
			}
			a, err := f.Load(ctx, q)
			return cache.Content{Status: a.Status, Size: len(a.Body), Variants: []cache.Variant{{Body: a.Body}}}, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f.store.trip(time.Now(), "it fails")
	f.legacy.trip(time.Now(), "it fails")
	for range 2 {
		if e, outcome, err := c.Get(&cache.Ref{Key: "/teams/"}); e != nil || outcome != cache.Error || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v, %s, %v", e, outcome, err)
		}
	}
	f.store.reset()
	f.legacy.reset()
	for range 2 {
		if e, _, err := c.Get(&cache.Ref{Key: "/teams/"}); err != nil || e.Status != 200 {
			t.Errorf("both sources are well: %v", err)
		}
	}
}

// An outage that a load in auto detects is reported with its owner. A known outage is not
// reported again.
func TestOutageIsReported(t *testing.T) {
	f := newFixture(t, Options{Source: FromAuto})
	f.storeErr = fmt.Errorf("teams: %w", store.ErrUnavailable)
	for range 3 {
		if a, err := f.load(t, "/teams/", time.Minute); err != nil || from(a) != "legacy" {
			t.Errorf("from %q, %v", from(a), err)
		}
	}
	if _, cause := f.outage.Since(); !errors.Is(cause, store.ErrUnavailable) || f.downs != 1 || f.asked.Load() != 1 {
		t.Errorf("%v, reported %d times, the database was asked %d times", cause, f.downs, f.asked.Load())
	}
	if s := f.Stats(); !s.Store.Open || !strings.HasPrefix(s.Store.Reason, "the database is down: ") {
		t.Errorf("%+v", s.Store)
	}
	f.status.Store(404)
	if _, err := f.load(t, "/teams/", time.Minute); err != nil {
		t.Errorf("an answer of 404: %v", err)
	}
	f.status.Store(500)
	if _, err := f.load(t, "/teams/", time.Minute); !errors.Is(err, cache.ErrDown) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("both fail: %v", err)
	}
}

// Each load is reported with its source and its error.
func TestLoadsAreReported(t *testing.T) {
	f := newFixture(t, Options{Source: FromAuto})
	if _, err := f.load(t, "/teams/", time.Minute); err != nil {
		t.Fatal(err)
	}
	f.storeErr = errPanic
	if _, err := f.load(t, "/teams/", time.Minute); err != nil {
		t.Fatal(err)
	}
	f.status.Store(500)
	if _, err := f.load(t, "/teams/", time.Minute); err == nil {
		t.Fatal("no error")
	}
	var got []string
	for _, l := range f.loads {
		got = append(got, fmt.Sprint(l.Source, " ", l.Question.Key, " ", l.Err == nil, " ", from(l.Answer)))
	}
	want := []string{"store /teams/ true store", "store /teams/ false ", "legacy /teams/ true legacy", "store /teams/ false ", "legacy /teams/ false "}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q", got)
	}
}

// A panic of the database is the caller's where there is no fallback.
func TestPanicWithoutFallback(t *testing.T) {
	f := newFixture(t, Options{})
	f.storeErr = errPanic
	defer func() {
		if recover() == nil || len(f.loads) != 1 || !errors.Is(f.loads[0].Err, errPanic) {
			t.Errorf("%+v", f.loads)
		}
	}()
	_, err := f.load(t, "/teams/", time.Minute)
	t.Error(err)
}

// Overrides that are no longer possible are ignored, each with a line in the log.
func TestOverridesOfAnEarlierRun(t *testing.T) {
	var log strings.Builder
	f := newFixture(t, Options{
		Overrides: map[string]string{"": "legacy", "/teams/": "store", "/gone": "auto", "/athletes/": "elsewhere", "/health": "legacy"},
		Logger:    slog.New(slog.NewTextHandler(&log, nil)),
	})
	if got := fmt.Sprint(f.Overrides()); got != "map[:legacy /teams/:store]" {
		t.Error(got)
	}
	if n := strings.Count(log.String(), "is ignored"); n != 3 {
		t.Errorf("%d are ignored: %s", n, log.String())
	}
}

// A request that the old API always answers with 5xx ends with that error, and says
// nothing about the old API: its breaker stays closed, and other requests are
// answered.
func TestInternalErrorsOpenNoBreaker(t *testing.T) {
	for _, status := range []int64{500, 502, 503, 504} {
		f := newFixture(t, Options{Source: FromAuto})
		f.outage.Down(store.ErrUnavailable)
		f.status.Store(status)
		for range 3 * minLoads {
			if _, err := f.load(t, "/athletes/?checkpoint_date=2025-10-20", time.Minute); !errors.Is(err, legacy.ErrAnswer) || !errors.Is(err, cache.ErrDown) {
				t.Fatalf("%d: %v", status, err)
			}
		}
		if s := f.Stats().Legacy; s.Open || s.Failed != 0 {
			t.Errorf("%d: %+v", status, s)
		}
		f.status.Store(200)
		if a, err := f.load(t, "/teams/", time.Minute); err != nil || from(a) != "legacy" {
			t.Errorf("%d: from %q, %v", status, from(a), err)
		}
	}
}

// An old API that limits or redirects our requests, or does not answer, fails.
func TestOtherFailuresOpenTheBreaker(t *testing.T) {
	for _, status := range []int64{429, 302, 403} {
		f := newFixture(t, Options{Source: FromAuto})
		f.outage.Down(store.ErrUnavailable)
		f.status.Store(status)
		for range minLoads + 1 {
			_, _ = f.load(t, "/teams/", time.Minute)
		}
		if s := f.Stats().Legacy; !s.Open || f.passed.Load() != minLoads {
			t.Errorf("%d: %d loads, %+v", status, f.passed.Load(), s)
		}
	}
}

// A statement that the database refuses for one request says nothing about the
// database: its breaker stays closed, while timeouts and panics open it.
func TestRefusedStatementsOpenNoBreaker(t *testing.T) {
	for err, open := range map[error]bool{
		errors.New("illegal mix of collations"):       false,
		fmt.Errorf("teams: %w", store.ErrTimeout):     true,
		fmt.Errorf("teams: %w", store.ErrSetup):       true,
		errPanic:                                      true,
		fmt.Errorf("x: %w", context.DeadlineExceeded): true,
	} {
		f := newFixture(t, Options{Source: FromAuto})
		f.storeErr = err
		for range minLoads + 1 {
			if a, err := f.load(t, "/teams/", time.Minute); err != nil || from(a) != "legacy" {
				t.Fatalf("from %q, %v", from(a), err)
			}
		}
		if s := f.Stats().Store; s.Open != open {
			t.Errorf("%v: %+v", err, s)
		}
	}
}

// An answer of the old API gets the generation that the database returned before the
// request to the old API. If the database is down or returned no generation, the entry is
// stored as stale, because the data may have changed meanwhile.
func TestGenerationOfLegacyAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		source     Source
		generation string
		down       bool
		want       string
	}{
		"well":                {FromLegacy, "g", false, "g"},
		"none yet":            {FromLegacy, "", false, unknownGeneration},
		"an outage":           {FromLegacy, "g", true, unknownGeneration},
		"an outage with auto": {FromAuto, "g", true, unknownGeneration},
	} {
		f := newFixture(t, Options{Source: tt.source})
		f.opts.Generation = func(store.Scope) string { return tt.generation }
		if tt.down {
			f.outage.Down(store.ErrUnavailable)
		}
		if a, err := f.load(t, "/teams/", time.Minute); err != nil || from(a) != "legacy" || a.Generation != tt.want {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}
