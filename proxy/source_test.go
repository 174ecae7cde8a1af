package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/fault"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// oldServer is an old API whose answers end with a space, which distinguishes them
// from the store's answers. It answers with the request's target, or from a database.
type oldServer struct {
	*httptest.Server
	client *legacy.Client
	origin Origin       // nil means that it answers with the target
	status atomic.Int64 // answered with instead, unless it is 0
	asked  atomic.Int64
	gate   atomic.Pointer[chan struct{}] // answers wait until it is closed
}

// oldAPI starts an oldServer.
func oldAPI(t testing.TB, origin Origin) *oldServer {
	t.Helper()
	s := &oldServer{origin: origin}
	s.Server = httptest.NewUnstartedServer(s)
	s.Listener.Close()
	s.Listener = port.Held(t)
	s.Start()
	t.Cleanup(s.Close)
	var err error
	if s.client, err = legacy.New(legacy.Options{URL: s.URL}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	return s
}

var oldRouter = route.NewRouter(store.Endpoints(), "")

func (s *oldServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	status, body := 200, fmt.Appendf(nil, `{"target":%q}`, r.RequestURI)
	if s.origin != nil {
		q, err := oldRouter.Question(r.RequestURI)
		answer, runErr := s.origin.Run(r.Context(), q.Query)
		status, body = answer.Status, answer.Body
		if errors.Join(err, runErr) != nil {
			status, body = 500, []byte(`{"detail":"Internal Server Error"}`)
		}
	}
	if n := s.status.Load(); n != 0 {
		status = int(n)
	}
	if gate := s.gate.Load(); gate != nil {
		<-*gate
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, ' '))
}

// ofLegacy reports whether an answer came from the old API.
func ofLegacy(t testing.TB, a answer) bool {
	t.Helper()
	text, err := inflate(a.body)
	if err != nil && a.status == 200 {
		t.Fatal(err)
	}
	return strings.HasSuffix(string(text), " ")
}

// change requests a change of source.
func change(t testing.TB, base, body string) (s api.SourceState) {
	t.Helper()
	a := post(t, base, "/cache/source", body)
	if a.into(t, &s); a.status != 200 || s.Purged == nil {
		t.Fatalf("%s: %d %s", body, a.status, a.body)
	}
	return s
}

// TestSourceOverHTTP: a change of source applies to the named routes, or to all
// routes.
func TestSourceOverHTTP(t *testing.T) {
	old := oldAPI(t, nil)
	_, base := start(t, Options{Origin: &fakeOrigin{}, Legacy: old.client, Sources: origin.Options{RouteSources: map[string]origin.Source{"/snapshots/": origin.FromLegacy}}})
	from := func(target string) string {
		t.Helper()
		a := get(t, base, target)
		if a.status != 200 || a.outcome() != "miss" {
			t.Fatalf("%s: %d %s %s", target, a.status, a.outcome(), a.body)
		}
		return map[bool]string{true: "legacy", false: "store"}[ofLegacy(t, a)]
	}
	n := 0
	for _, tt := range []struct {
		body                              string
		teams, athletes, snapshots, whole string // the expected source of each route; the default, with the routes that differ
		changed                           bool
	}{
		{"", "store", "store", "legacy", "store map[/snapshots/:legacy]", false},
		{`{"source":"legacy","routes":["/teams"]}`, "legacy", "store", "legacy", "store map[/snapshots/:legacy /teams/:legacy]", true},
		{`{"source":"store","routes":["/snapshots/","/teams/"]}`, "store", "store", "store", "store map[]", true},
		{`{"source":"legacy"}`, "legacy", "legacy", "legacy", "legacy map[]", true},
		{`{"source":"store","routes":["/athletes/"]}`, "legacy", "store", "legacy", "legacy map[/athletes/:store]", true},
		{`{"source":"auto"}`, "store", "store", "store", "auto map[]", true},
		{`{"source":"store"}`, "store", "store", "store", "store map[]", true},
		{`{"reset":true}`, "store", "store", "legacy", "store map[/snapshots/:legacy]", false},
	} {
		var s api.SourceState
		if tt.body != "" {
			s = change(t, base, tt.body)
		}
		get(t, base, "/cache/source").into(t, &s)
		if whole := fmt.Sprint(s.Default, " ", s.Routes); whole != tt.whole || s.Changed != tt.changed ||
			s.Configured.Default != "store" || fmt.Sprint(s.Configured.Routes) != "map[/snapshots/:legacy]" {
			t.Errorf("%s: %+v, want %s", tt.body, s, tt.whole)
		}
		n++ // a key that was not requested before
		teams, athletes := fmt.Sprintf("/teams/?season_year=2025&limit=%d", n), fmt.Sprintf("/athletes/?limit=%d", n)
		if got := from(teams) + " " + from(athletes); got != tt.teams+" "+tt.athletes {
			t.Errorf("%s: answers come from %s", tt.body, got)
		}
		purge(t, base, `{"route":"/snapshots/","hard":true}`)
		if got := from("/snapshots/"); got != tt.snapshots {
			t.Errorf("%s: snapshots come from %s", tt.body, got)
		}
	}
	if a := get(t, base, "/health"); a.status != 200 || strings.Contains(a.body, "target") {
		t.Errorf("health: %d %s", a.status, a.body)
	}
}

func TestWrongSourceRequests(t *testing.T) {
	old := oldAPI(t, nil)
	_, with := start(t, Options{Origin: &fakeOrigin{}, Legacy: old.client})
	_, without := start(t, Options{Origin: &fakeOrigin{}})
	for _, tt := range []struct {
		base, body string
		status     int
		detail     string
	}{
		{with, "", 422, `source "": want store, legacy or auto`},
		{with, `{"source":"mysql"}`, 422, `source "mysql": want`},
		{with, `{"source":"legacy","routes":["/team"]}`, 422, `route "/team": there is none`},
		{with, `{"source":"legacy","routes":["/teams/","/health"]}`, 422, `route "/health": its answer describes this proxy`},
		{with, `{"reset":true,"source":"store"}`, 422, "reset goes back"},
		{with, `{"reset":true,"routes":["/teams/"]}`, 422, "reset goes back"},
		{with, `{"route":"/teams/"}`, 400, `unknown field "route"`},
		{without, `{"source":"legacy"}`, 409, "LEGACY_URL is not set"},
		{without, `{"source":"auto","routes":["/teams/"]}`, 409, "LEGACY_URL is not set"},
	} {
		a := post(t, tt.base, "/cache/source", tt.body)
		var problem struct{ Detail string }
		if a.into(t, &problem); a.status != tt.status || !strings.Contains(problem.Detail, tt.detail) {
			t.Errorf("%s: %d %s", tt.body, a.status, a.body)
		}
		var s api.SourceState
		if get(t, tt.base, "/cache/source").into(t, &s); s.Changed || s.Default != "store" || len(s.Routes) > 0 {
			t.Errorf("%s changed something: %+v", tt.body, s)
		}
	}
	if s := change(t, without, `{"source":"store"}`); s.Warning != "" || *s.Purged != 0 {
		t.Errorf("%+v", s)
	}
}

// TestSourceIsKept: the configured source survives a restart as far as the
// configuration permits. A change that can't be saved applies nevertheless, and the
// answer reports the failure.
func TestSourceIsKept(t *testing.T) {
	old := oldAPI(t, nil)
	var kept State
	var unkept error
	opts := Options{Origin: &fakeOrigin{}, Legacy: old.client, Sources: origin.Options{Source: origin.FromAuto},
		Kept: Kept{OnState: func(s State) error { kept = s; return unkept }}}
	_, base := start(t, opts)
	if s := change(t, base, `{"source":"legacy"}`); s.Warning != "" {
		t.Error(s.Warning)
	}
	change(t, base, `{"source":"store","routes":["/teams/"]}`)
	if got := fmt.Sprint(kept.Sources); got != "map[:legacy /teams/:store]" {
		t.Error(got)
	}
	log := &proxytest.Log{}
	opts.State, opts.Logger = State{Sources: map[string]string{"": "legacy", "/teams/": "store", "/gone": "auto", "/athletes/": "elsewhere"}}, log.Logger()
	_, base = start(t, opts)
	var s api.SourceState
	if get(t, base, "/cache/source").into(t, &s); fmt.Sprint(s.Default, " ", s.Routes, s.Changed) != "legacy map[/teams/:store] true" {
		t.Errorf("after a restart: %+v", s)
	}
	if n := log.Count("a source that was set in an earlier run is ignored"); n != 2 {
		t.Errorf("%d were ignored: %s", n, log)
	}
	unkept = errors.New("STATE_FILE is not set")
	if s := change(t, base, `{"source":"auto"}`); s.Warning != "STATE_FILE is not set" || s.Default != "auto" {
		t.Errorf("%+v", s)
	}
	change(t, base, `{"reset":true}`)
	if kept.Sources != nil {
		t.Errorf("kept after a reset: %v", kept.Sources)
	}
	// The old API is not configured any more.
	opts.Legacy, opts.Sources.Source = nil, origin.FromStore
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer p.cache.Close()
	if s := p.Stats().Sources; s.Default != "store" || len(s.Routes) > 0 || log.Count("LEGACY_URL is not set") != 1 {
		t.Errorf("%+v: %s", s, log)
	}
}

// TestLegacyErrors: an error of the old API is never stored, raises no alarm, and is
// reported as the old API's error.
func TestLegacyErrors(t *testing.T) {
	old := oldAPI(t, nil)
	log := &proxytest.Log{}
	p, base := start(t, Options{Origin: &fakeOrigin{}, Legacy: old.client, Sources: origin.Options{Source: origin.FromLegacy}, Logger: log.Logger()})
	want := func(status, code int, detail string) {
		t.Helper()
		a := get(t, base, "/teams/")
		if a.status != code || !strings.Contains(a.body, detail) || a.status > 500 && a.status != 501 && a.header.Get("Retry-After") == "" {
			t.Errorf("after %d: %d %s", status, a.status, a.body)
		}
	}
	for _, status := range []int64{500, 502, 503, 422, 429, 403, 302} {
		old.status.Store(status)
		want(int(status), 502, fault.ServiceWrong)
	}
	for _, status := range []int64{404, 400, 501} {
		old.status.Store(status)
		purge(t, base, `{"all":true,"hard":true}`)
		want(int(status), int(status), "target")
	}
	purge(t, base, `{"all":true,"hard":true}`)
	old.Close()
	want(0, 503, fault.ServiceAway)
	if _, cause := p.outage.Since(); cause != nil {
		t.Errorf("the database's alarm: %v", cause)
	}
	if n := log.Count("level=ERROR msg=\"no answer\""); n != 1 {
		t.Errorf("%d errors in the log", n)
	}
	if loads := p.Stats().Routes["/teams/"].Loads; loads["legacy"] != (api.Loads{OK: 3, Failed: 8}) || loads["store"] != (api.Loads{}) {
		t.Errorf("%+v", loads)
	}
}

// TestLegacyWithoutDatabase: answers of the old API are served and stored although the
// database was never up.
func TestLegacyWithoutDatabase(t *testing.T) {
	old := oldAPI(t, nil)
	var current atomic.Pointer[store.Generation]
	p, err := New(Options{Generations: generation.Options{Pages: []string{}, Interval: shortPoll}, Legacy: old.client, Sources: origin.Options{Source: origin.FromLegacy}, Origin: &fakeOrigin{
		run: func(context.Context, store.Query) (store.Answer, error) { return store.Answer{}, store.ErrUnavailable },
		generation: func() (*store.Generation, error) {
			if g := current.Load(); g != nil {
				return g, nil
			}
			return nil, store.ErrUnavailable
		}}})
	if err != nil {
		t.Fatal(err)
	}
	base := listen(t, p)
	<-p.generations.Polled()
	for _, outcome := range []string{"miss", "hit", "hit"} {
		if a := get(t, base, "/teams/"); a.status != 200 || a.outcome() != outcome || !ofLegacy(t, a) {
			t.Errorf("%d %s, want %s: %s", a.status, a.outcome(), outcome, a.body)
		}
	}
	if a := get(t, base, "/health"); a.status != 200 || !strings.Contains(a.body, `"database_connected":false`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	current.Store(&store.Generation{})
	await(t, "the database is there", func() bool { _, cause := p.outage.Since(); return cause == nil })
	// The generation of the answer is unknown.
	if s := p.cache.Peek(&cache.Ref{Key: "/teams/"}); s.Entry == nil || s.Outcome != cache.Stale {
		t.Errorf("%+v", s)
	}
	if a := get(t, base, "/teams/"); a.outcome() != "stale" {
		t.Error(a.outcome())
	}
	eventually(t, base, "/teams/")
}

// A change of source fills the warm set of the affected routes again without any
// request and although the generation is the same. Entries of other routes are
// unchanged.
func TestSourceChangeRefillsTheWarmSet(t *testing.T) {
	old := oldAPI(t, nil)
	p, base := start(t, Options{Origin: &fakeOrigin{}, Legacy: old.client, Generations: generation.Options{Interval: time.Hour, Pages: []string{"/teams/", "/athletes/"}}})
	before := p.cache.Peek(&cache.Ref{Key: "/athletes/"}).Entry
	if s := change(t, base, `{"source":"legacy","routes":["/teams/"]}`); *s.Purged != 1 {
		t.Errorf("%d entries made stale", *s.Purged)
	}
	await(t, "the warm set is filled", func() bool {
		s := p.cache.Peek(&cache.Ref{Key: "/teams/"})
		return s.Outcome == cache.Hit && s.Where == "warm" && s.Entry.Size == len(`{"target":"/teams/"} `)
	})
	if after := p.cache.Peek(&cache.Ref{Key: "/athletes/"}); after.Entry != before || after.Outcome != cache.Hit {
		t.Errorf("the entry of another route: %v", after.Outcome)
	}
	asked := old.asked.Load()
	if s := change(t, base, `{"source":"legacy","routes":["/teams/"]}`); *s.Purged != 0 || old.asked.Load() != asked {
		t.Errorf("no change: %d entries made stale", *s.Purged)
	}
}
