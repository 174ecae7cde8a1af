package proxy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/fault"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/importer"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// minLoads is the number of loads that a breaker needs before it can open.
const minLoads = 20

// errPanics makes a fragile origin panic.
var errPanics = errors.New("panic")

// fragile is an origin whose failures the test controls.
type fragile struct {
	*fakeOrigin
	with  atomic.Pointer[error] // the error of each load; nil means success
	asked atomic.Int64
}

func newFragile(err error) *fragile {
	f := &fragile{}
	f.with.Store(&err)
	f.fakeOrigin = &fakeOrigin{
		run: func(_ context.Context, q store.Query) (store.Answer, error) {
			f.asked.Add(1)
			switch err := *f.with.Load(); err {
			case nil:
				return store.Answer{Status: 200, Body: []byte(`{"store":true}`)}, nil
			case errPanics:
				panic("in the origin")
			default:
				return store.Answer{}, err
			}
		},
		generation: func() (*store.Generation, error) {
			if err := *f.with.Load(); errors.Is(err, store.ErrUnavailable) {
				return nil, err
			}
			return &store.Generation{}, nil
		},
	}
	return f
}

// TestAutoAsksTheOldAPI: when a load from the store fails, the old API answers. When
// both fail, the answer is the store's error.
func TestAutoAsksTheOldAPI(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		status int // the status when the old API fails as well
		alarm  bool
	}{
		{"well", nil, 200, false},
		{"slow", fmt.Errorf("teams: %w", store.ErrTimeout), 504, false},
		{"set up wrongly", fmt.Errorf("teams: %w", store.ErrSetup), 503, false},
		{"away", fmt.Errorf("teams: %w", store.ErrUnavailable), 503, true},
		{"panic", errPanics, 502, false},
		{"unknown", errors.New("a bug"), 502, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old := oldAPI(t, nil)
			db := newFragile(nil)
			p, base := start(t, Options{Origin: db.fakeOrigin, Legacy: old.client, Sources: origin.Options{Source: origin.FromAuto}, Generations: generation.Options{Interval: time.Hour}})
			db.with.Store(&tt.err)
			a := get(t, base, "/teams/")
			if a.status != 200 || ofLegacy(t, a) != (tt.err != nil) {
				t.Errorf("%d %s", a.status, a.body)
			}
			if _, cause := p.outage.Since(); (cause != nil) != tt.alarm {
				t.Errorf("the alarm: %v", cause)
			}
			if a := get(t, base, "/teams/"); a.outcome() != "hit" {
				t.Errorf("it was not stored: %s", a.outcome())
			}
			old.status.Store(500)
			if a := get(t, base, "/athletes/"); a.status != tt.status {
				t.Errorf("both fail: %d %s", a.status, a.body)
			}
			if n := p.Stats().Cache.Panics; n != 0 {
				t.Errorf("%d panics reached the cache", n)
			}
		})
	}
}

// TestLegacyRaisesNoAlarm: a failure of the old API, with or without a failure of the
// store, raises no alarm for routes whose source is the store.
func TestLegacyRaisesNoAlarm(t *testing.T) {
	old := oldAPI(t, nil)
	p, base := start(t, Options{Origin: newFragile(nil).fakeOrigin, Legacy: old.client, Sources: origin.Options{RouteSources: map[string]origin.Source{"/teams/": origin.FromLegacy}}})
	old.Close()
	for range 3 {
		if a := get(t, base, "/teams/"); a.status != 503 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if _, cause := p.outage.Since(); cause != nil {
		t.Errorf("the alarm: %v", cause)
	}
	if a := get(t, base, "/athletes/"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestAutoLeavesTheStore: the breaker opens when too many loads from the store fail.
// The change is logged once, with the numbers.
func TestAutoLeavesTheStore(t *testing.T) {
	old := oldAPI(t, nil)
	db := newFragile(nil)
	log := &proxytest.Log{}
	p, base := start(t, Options{Origin: db.fakeOrigin, Legacy: old.client, Sources: origin.Options{Source: origin.FromAuto}, Logger: log.Logger()})
	slow := store.ErrTimeout
	db.with.Store(&slow)
	for n := range 2 * minLoads {
		if a := get(t, base, fmt.Sprintf("/teams/?limit=%d", n+1)); a.status != 200 || !ofLegacy(t, a) {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if n := db.asked.Load(); n != minLoads {
		t.Errorf("the store was asked %d times", n)
	}
	s := p.Stats().Sources
	if b := s.Breakers["store"]; b.State != api.BreakerOpen || b.Switches != 1 || b.Reason != "the store fails, 20 of 20 loads in 60 s (100 %) over 5 %" || b.Since == nil {
		t.Errorf("%+v", b)
	}
	if b := s.Breakers["legacy"]; b.State != api.BreakerClosed || b.Loads != 2*minLoads || b.Failed != 0 || b.MeanMS <= 0 {
		t.Errorf("%+v", b)
	}
	if log.Count(`"auto: the store fails, 20 of 20 loads in 60 s (100 %) over 5 %; answers come from the old API"`) != 1 || log.Count("auto:") != 1 {
		t.Errorf("the log: %s", log)
	}
	// With the old API down too, loads are sent to the store: it may have recovered.
	old.Close()
	if a := get(t, base, "/teams/?limit=101"); a.status != 504 {
		t.Errorf("both fail: %d", a.status)
	}
	var none error
	db.with.Store(&none)
	if a := get(t, base, "/teams/?limit=102"); a.status != 200 || ofLegacy(t, a) {
		t.Errorf("never worse than the store alone: %d %s", a.status, a.body)
	}
	change(t, base, `{"source":"store"}`)
	if b := p.Stats().Sources.Breakers["store"]; b.State != api.BreakerClosed || b.Reason != "" {
		t.Errorf("without a listener for results: %+v", b)
	}
}

// TestAutoWithBothDown: while both sources are down, a request for a missing key is
// refused immediately and stored answers are served.
func TestAutoWithBothDown(t *testing.T) {
	old := oldAPI(t, nil)
	db := newFragile(nil)
	p, base := start(t, Options{Origin: db.fakeOrigin, Legacy: old.client, Sources: origin.Options{Source: origin.FromAuto}, Cache: cache.Options{DownAge: time.Millisecond}})
	get(t, base, "/teams/")
	old.Close()
	away := store.ErrUnavailable
	db.with.Store(&away)
	for n := range 3 * minLoads {
		begun := time.Now()
		a := get(t, base, fmt.Sprintf("/teams/?limit=%d", n+1))
		if took := time.Since(begun); a.status != 503 || !strings.Contains(a.body, fault.DatabaseAway) || a.header.Get("Retry-After") == "" || took > immediate {
			t.Fatalf("%d %s after %v", a.status, a.body, took)
		}
	}
	if n := db.asked.Load(); n > 2 {
		t.Errorf("the store was asked %d times", n)
	}
	if b := p.Stats().Sources.Breakers["legacy"]; b.State != api.BreakerOpen || !strings.HasPrefix(b.Reason, "the old API fails, ") {
		t.Errorf("%+v", b)
	}
	if a := get(t, base, "/teams/"); a.status != 200 || a.outcome() != "stale_error" {
		t.Errorf("%d %s", a.status, a.outcome())
	}
}

// TestRollback: a change of source under load fails no request. It applies to every
// later fill, and to the warm set within a second. The same holds for the change back.
func TestRollback(t *testing.T) {
	opts, db := scratch(t)
	old := oldAPI(t, opts.Origin)
	opts.Legacy = old.client
	p, base := start(t, opts)
	var warm []string
	for _, s := range live {
		warm = append(warm, warmTargets(s)...)
	}
	cold := coldTargets(t, db)[:5]
	var fresh atomic.Int64
	crowd := visit(t, base, 10, func() func(*keptConn, int) error {
		return func(v *keptConn, turn int) error {
			target := warm[turn%len(warm)]
			switch turn % 32 {
			case 0:
				target = cold[turn%len(cold)]
			case 1:
				target = fmt.Sprintf("/teams/?season_year=2025&limit=%d", 1+fresh.Add(1))
			}
			if a, err := v.get(target); err != nil || a.status != 200 {
				return fmt.Errorf("%s: %d, %v", target, a.status, err)
			}
			return nil
		}
	})
	await(t, "all is well under load", func() bool { return crowd.answers.Load() > 200 })
	loads := func() (n [2]int64) {
		for _, r := range p.router.Routes() {
			if r.Path() != route.HealthPath {
				for s := range n {
					n[s] += p.metrics.Route(r.ID).Loads[s].OK.Load()
				}
			}
		}
		return n
	}
	for _, to := range []origin.Source{origin.FromLegacy, origin.FromStore} {
		s := change(t, base, `{"source":"`+to.String()+`"}`)
		begun := time.Now()
		if *s.Purged < len(warm) {
			t.Errorf("%d entries made stale", *s.Purged)
		}
		for _, target := range warm {
			key, _ := keyOf(p, target)
			await(t, target+" comes from "+to.String(), func() bool { return p.cache.Peek(&cache.Ref{Key: key}).Outcome == cache.Hit })
		}
		took := time.Since(begun)
		await(t, "the requests under way have ended", func() bool { return time.Since(begun) > time.Second })
		before, asked := loads(), crowd.answers.Load()
		for _, target := range warm {
			if a := get(t, base, target); a.status != 200 || ofLegacy(t, a) != (to == origin.FromLegacy) {
				t.Errorf("%s: %d, from the old API: %v", target, a.status, ofLegacy(t, a))
			}
		}
		await(t, "there were more fills", func() bool { return loads()[to] > before[to]+5 && crowd.answers.Load() > asked+50 })
		other := origin.FromLegacy - to
		if after := loads(); after[other] != before[other] {
			t.Errorf("%d fills by the source that was left", after[other]-before[other])
		}
		t.Logf("%v: the warm set, %d answers, was replaced within %v", to, len(warm), took.Round(time.Millisecond))
	}
	crowd.stop()
	checkRequests(t, p)
}

// TestAutoInAnOutage: killing the database fails no request. Stored answers are
// served, and the old API answers the rest.
func TestAutoInAnOutage(t *testing.T) {
	srv, err := mariadb.Start(mariadb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	old := oldAPI(t, nil)
	opts := optionsFor(t, srv, mariadb.Database)
	opts.Legacy, opts.Sources.Source = old.client, origin.FromAuto
	log := &proxytest.Log{}
	opts.Logger = log.Logger()
	p, base := start(t, opts)
	var cold, fromOld atomic.Int64
	crowd := visit(t, base, 10, func() func(*keptConn, int) error {
		return func(v *keptConn, turn int) error {
			target := warmTargets(live[turn%len(live)])[turn%3]
			if turn%4 == 0 {
				target = fmt.Sprintf("/teams/?season_year=2025&limit=%d", 1+cold.Add(1))
			}
			a, err := v.get(target)
			if err != nil || a.status != 200 {
				return fmt.Errorf("%s: %d, %v", target, a.status, err)
			}
			if a.outcome() == "miss" && ofLegacy(t, a) {
				fromOld.Add(1)
			}
			return nil
		}
	})
	await(t, "all is well under load", func() bool { return crowd.answers.Load() > 100 })
	srv.Kill()
	await(t, "the proxy knows", func() bool { _, cause := p.outage.Since(); return cause != nil })
	await(t, "the old API answers", func() bool { return fromOld.Load() > 20 })
	s := p.Stats()
	if b := s.Sources.Breakers["store"]; b.State != api.BreakerOpen || !strings.HasPrefix(b.Reason, "the database is down: ") {
		t.Errorf("%+v", b)
	}
	if n := s.Requests.Outcomes["stale_error"] + s.Requests.Outcomes["error"]; n > 0 {
		t.Errorf("%d requests saw the outage", n)
	}
	if err := srv.Run(); err != nil {
		t.Fatal(err)
	}
	await(t, "the store answers again", func() bool { return p.Stats().Sources.Breakers["store"].State == api.BreakerClosed })
	crowd.stop()
	if a := get(t, base, "/athletes/?limit=7"); a.status != 200 || a.outcome() != "miss" || ofLegacy(t, a) {
		t.Errorf("%d %s %s", a.status, a.outcome(), a.body)
	}
	if log.Count("answers come from the old API") != 1 || log.Count("answers come from the store again") != 1 {
		t.Errorf("the log: %s", log)
	}
}

// TestHangingStoreInAuto: a request that waits for a hanging database gets the old
// API's answer as soon as the alarm is raised.
func TestHangingStoreInAuto(t *testing.T) {
	old := oldAPI(t, nil)
	asked := make(chan struct{})
	p, base := start(t, Options{Legacy: old.client, Sources: origin.Options{Source: origin.FromAuto}, Generations: generation.Options{Interval: time.Hour}, Origin: &fakeOrigin{
		run: func(ctx context.Context, _ store.Query) (store.Answer, error) {
			close(asked)
			<-ctx.Done()
			return store.Answer{}, ctx.Err()
		}}})
	answered := make(chan answer, 1)
	go func() { answered <- get(t, base, "/teams/") }()
	<-asked
	p.outage.Down(store.ErrUnavailable)
	if a := <-answered; a.status != 200 || !ofLegacy(t, a) || a.outcome() != "miss" {
		t.Errorf("%d %s %s", a.status, a.outcome(), a.body)
	}
}

// TestGenerationOfLegacyAnswers: an answer that the old API generated before an import
// is never stored under the generation after the import, regardless of its arrival
// time.
func TestGenerationOfLegacyAnswers(t *testing.T) {
	opts, db := scratch(t)
	old := oldAPI(t, opts.Origin)
	opts.Legacy, opts.Sources.Source = old.client, origin.FromLegacy
	p, base := start(t, opts)
	scope := live[0]
	target := fmt.Sprintf("/teams/?season_year=2025&division=%d&gender=%s&limit=11", scope.Division, scope.Gender)
	gate := make(chan struct{})
	old.gate.Store(&gate)
	late := make(chan answer, 1)
	before := old.asked.Load()
	go func() { late <- get(t, base, target) }()
	await(t, "the old API reads", func() bool { return old.asked.Load() > before })
	await(t, "it has read", func() bool { return p.opts.Origin.Stats().InUse == 0 })

	question := keyQuery(t, target)
	seen := p.generations.Seen(question.Scope())
	if err := importer.Import(t.Context(), db, scope, 1, importer.Options{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the import was seen", func() bool { return p.generations.Seen(question.Scope()) != seen })
	old.gate.Store(nil)
	close(gate)
	first := <-late
	await(t, "the import is published", func() bool { return publishedVersion(p) == 1 })
	j := &journal{}
	j.add(scope, 1)
	if c := j.read(first.body); first.status != 200 || c.newest != 0 {
		t.Errorf("the test's own: %d, %+v", first.status, c)
	}
	if a := get(t, base, target); a.outcome() != "stale" && a.outcome() != "miss" && j.read(a.body).newest != 1 {
		t.Errorf("an answer of before the import is a %s", a.outcome())
	}
	eventually(t, base, target)
	a := get(t, base, target)
	if c := j.read(a.body); c.err != nil || c.newest != 1 || a.outcome() != "hit" || !ofLegacy(t, a) {
		t.Errorf("%s of %+v", a.outcome(), c)
	}
	warm := warmTargets(scope)[1]
	if a := get(t, base, warm); a.outcome() != "hit" || j.read(a.body).newest != 1 || !ofLegacy(t, a) {
		t.Errorf("%s: %s of %+v", warm, a.outcome(), j.read(a.body))
	}
}
