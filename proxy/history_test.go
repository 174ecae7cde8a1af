package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/store"
)

// quiet returns a proxy on a fake origin that has published its generation.
func quiet(t *testing.T) *Proxy {
	t.Helper()
	p, err := New(Options{Generations: generation.Options{Pages: []string{}}, Origin: &fakeOrigin{}})
	if err != nil {
		t.Fatal(err)
	}
	p.generations.Once(context.Background())
	t.Cleanup(p.cache.Close)
	return p
}

// samplesOf returns the finest samples after a moment.
func samplesOf(p *Proxy, after int64) []api.Sample {
	return p.admin.Record().Between("1h", after).Samples
}

func TestHistoryHoldsAddedSamples(t *testing.T) {
	p := quiet(t)
	start := time.UnixMilli(1700000000000)
	p.handle(requestCtx("GET", "/metadata/")) // before the history begins
	p.admin.Sample(start)
	if got := samplesOf(p, 0); len(got) != 0 {
		t.Fatalf("one reading makes %d samples", len(got))
	}
	for range 3 {
		p.handle(requestCtx("GET", "/teams/"))
	}
	p.handle(requestCtx("GET", "/snapshots/"))
	p.handle(requestCtx("GET", "/teams/?limit=x"))
	p.admin.Glance(5)
	p.admin.Glance(2)
	p.admin.Sample(start.Add(10 * time.Second))
	p.admin.Sample(start.Add(25 * time.Second))

	got := samplesOf(p, 0)
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	busy, idle := got[0], got[1]
	if busy.At != 1700000010000 || busy.Seconds != 10 || idle.Seconds != 15 || busy.PoolInUse != 5 || idle.PoolInUse != 0 {
		t.Errorf("%+v\n%+v", busy, idle)
	}
	if o := busy.All.Outcomes; o[cache.Miss] != 2 || o[cache.Hit] != 2 || busy.All.Fills != 2 {
		t.Errorf("%+v", busy.All)
	}
	if len(busy.Routes) != 2 || busy.Routes[0].Route != "/teams/" || busy.Routes[0].Outcomes[cache.Hit] != 2 || busy.Routes[1].Fills != 1 {
		t.Errorf("%+v", busy.Routes)
	}
	if f := busy.Routes[0]; f.P50 <= 0 || f.P50 > f.P95 || f.P95 > f.P99 || f.FillMS <= 0 {
		t.Errorf("%+v", f)
	}
	if idle.All != (api.Flow{}) || len(idle.Routes) != 0 || idle.RSS <= 0 || idle.CacheBytes <= 0 {
		t.Errorf("%+v", idle)
	}
	if later := samplesOf(p, busy.At); len(later) != 1 || later[0].At != idle.At {
		t.Errorf("%+v", later)
	}
}

// TestStaleSince: the time of staleness lasts from the first sample with a stale entry
// to the first sample without one.
func TestStaleSince(t *testing.T) {
	p := quiet(t)
	p.handle(requestCtx("GET", "/teams/"))
	p.handle(requestCtx("GET", "/teams/?limit=5"))
	start := time.UnixMilli(1700000000000)
	p.admin.Sample(start)
	if s := p.Stats().Generation; s.StaleSince != nil || s.StaleCount != 0 || len(s.StaleRoutes) != 0 {
		t.Errorf("%+v", s)
	}
	p.cache.Purge(func(e *cache.Entry) bool { return true }, false)
	defer func() { // the stats report it too
		p.handle(requestCtx("GET", "/teams/"))
		p.cache.Purge(func(e *cache.Entry) bool { return true }, false)
		if s := p.Stats().Generation; s.StaleSince == nil {
			t.Errorf("%+v", s)
		}
	}()
	p.admin.Sample(start.Add(10 * time.Second))
	p.admin.Sample(start.Add(20 * time.Second))
	s := p.Stats().Generation
	if s.StaleCount != 2 || s.StaleSince == nil || !s.StaleSince.Equal(start.Add(10*time.Second)) {
		t.Errorf("%+v", s)
	}
	if r := s.StaleRoutes["/teams/"]; r.Entries != 2 || r.Oldest == nil || len(s.StaleRoutes) != 1 {
		t.Errorf("%+v", s.StaleRoutes)
	}
	p.outage.Down(store.ErrUnavailable)
	if r := p.Stats().Generation.StaleRoutes["/teams/"]; r.Entries != 2 {
		t.Errorf("while the database is down: %+v", r)
	}
	p.outage.Up()
	p.cache.Purge(func(e *cache.Entry) bool { return true }, true)
	p.admin.Sample(start.Add(30 * time.Second))
	if s := p.Stats().Generation; s.StaleSince != nil {
		t.Errorf("%+v", s)
	}
}

// TestRecord: Run takes a sample every ten seconds until its context ends.
func TestRecord(t *testing.T) {
	p := quiet(t) // outside of the bubble, which its cache would outlive
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		p.admin.Sample(time.Now())
		go func() { defer close(done); p.admin.Run(ctx) }()
		time.Sleep(time.Minute + time.Second)
		p.metrics.Route(0).Answered(cache.Miss, 0)
		time.Sleep(10 * time.Second)
		got := samplesOf(p, 0)
		if len(got) != 7 || got[5].All != (api.Flow{}) || got[6].All.Outcomes[cache.Miss] != 1 || got[6].Seconds != 10 {
			t.Errorf("%+v", got)
		}
		stop()
		<-done
		time.Sleep(time.Minute)
		if n := len(samplesOf(p, 0)); n != 7 {
			t.Errorf("%d samples after the end", n)
		}
	})
}

// TestRunStartsAllWorkers: Run does all of its work concurrently.
func TestRunStartsAllWorkers(t *testing.T) {
	start(t, Options{Origin: &fakeOrigin{}})
	for _, worker := range []string{"generation.(*Watcher).Run(", "verify.(*Verifier).Run(", "admin.(*Admin).Run("} {
		await(t, worker, func() bool {
			stacks := make([]byte, 1<<20)
			return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(worker))
		})
	}
}

// TestServeHistoryOfDays holds that the page's comparison reaches back to the same hour of
// the day before, that the longer ranges are served, and that the figures of routes are
// left out on request.
func TestServeHistoryOfDays(t *testing.T) {
	p, err := New(Options{ // without Run, whose first sample is of now
		Generations: generation.Options{Pages: []string{}}, Origin: &fakeOrigin{}, Admin: admin.Settings{Gate: gate.Options{Token: adminToken}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.cache.Close)
	p.generations.Once(t.Context())
	ask := func(query string) *fasthttp.Response {
		ctx := requestCtx("GET", "/cache/history"+query, "Authorization", "Bearer "+adminToken)
		p.handle(ctx)
		return &ctx.Response
	}
	for n := range 25 * 6 { // samples of ten minutes
		for range 2 {
			p.handle(requestCtx("GET", "/teams/"))
		}
		p.admin.Sample(time.Now().Add(time.Duration(n-25*6) * 10 * time.Minute))
	}
	read := func(query string) (past api.History) {
		t.Helper()
		a := ask(query)
		if err := json.Unmarshal(a.Body(), &past); err != nil || a.StatusCode() != 200 {
			t.Fatalf("%s: %d %v %.100s", query, a.StatusCode(), err, a.Body())
		}
		return past
	}
	long := read("?range=48h")
	if y := long.Recent.Yesterday; y == nil || y.Requests < 6 || y.Requests > 14 || y.HitRatio < 0.5 || y.P95MS <= 0 {
		t.Errorf("yesterday: %+v", y)
	}
	if n := len(long.Samples); n < 140 || long.Range != "48h" || long.EverySeconds != 600 || len(long.Ranges) != 3 {
		t.Errorf("%d samples of %s, every %v s", n, long.Range, long.EverySeconds)
	}
	for query, want := range map[string]int{"?range=48h&route=/teams/": 1, "?range=48h&route=/athletes/": 0, "?range=48h&route=": 0} {
		if s := read(query).Samples[5]; len(s.Routes) != want || want == 1 && s.Routes[0].Route != "/teams/" || s.All.Outcomes == [api.Outcomes]uint32{} {
			t.Errorf("%s: %+v", query, s)
		}
	}
	if a := ask("?range=7h"); a.StatusCode() != 422 || !strings.Contains(string(a.Body()), "48h") {
		t.Errorf("an unknown range: %d %s", a.StatusCode(), a.Body())
	}
}

func TestServeHistory(t *testing.T) {
	p, base := start(t, Options{Origin: &fakeOrigin{}})
	at := time.Now()
	for n := range 4 {
		p.admin.Sample(at.Add(time.Duration(n) * 10 * time.Second))
	}
	all := samplesOf(p, 0)
	for target, want := range map[string]int{"": len(all), "?after=0": len(all), "?after=x": len(all), "?after=99999999999999": 0} {
		a := get(t, base, "/cache/history"+target)
		var past api.History
		if err := json.Unmarshal([]byte(a.body), &past); err != nil || a.status != 200 || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v %s", a.status, err, a.body)
		}
		if len(past.Samples) != want || past.Samples == nil || past.Kept != 360 || past.EverySeconds != 10 || past.Outcomes[cache.Coalesced] != "coalesced" || past.Now == 0 {
			t.Errorf("%s: %s", target, a.body)
		}
	}
	var past api.History
	of := fmt.Sprintf("/cache/history?range=48h&from=%d&to=%d", at.Add(-time.Hour).UnixMilli(), at.Add(time.Hour).UnixMilli())
	if err := json.Unmarshal([]byte(get(t, base, of).body), &past); err != nil || past.Period == nil || past.Period.Seconds < 25 {
		t.Errorf("%s: %+v, %v", of, past.Period, err)
	}
}
