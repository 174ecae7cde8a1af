package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/compare"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// database answers each query as the test says.
type database func(context.Context, store.Query) (store.Answer, error)

func (d database) Run(ctx context.Context, q store.Query) (store.Answer, error) { return d(ctx, q) }

func (database) Stats() store.Stats { return store.Stats{} }

// crowded is a database all but one of whose connections are in use.
type crowded struct{ database }

func (crowded) Stats() store.Stats { return store.Stats{Limit: 8, InUse: 7} }

// says is a database with one answer.
func says(body string) database {
	return func(context.Context, store.Query) (store.Answer, error) {
		return store.Answer{Status: 200, Body: []byte(body)}, nil
	}
}

func hang(ctx context.Context, _ store.Query) (store.Answer, error) {
	<-ctx.Done()
	return store.Answer{}, ctx.Err()
}

// oldSays is an old API with one answer.
func oldSays(t testing.TB, status int, body string) *legacy.Client {
	t.Helper()
	return proxytest.OldAPI(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, status, body) })
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// newVerifier returns a Verifier for the API below /iz/xcri.
func newVerifier(t testing.TB, opts Options) *Verifier {
	t.Helper()
	if opts.Routes == nil {
		opts.Routes = route.NewRouter(store.Endpoints(), "/iz/xcri")
	}
	v := New(opts)
	t.Cleanup(v.Close)
	return v
}

// verdict compares a target, and returns Skipped for a target that can't be compared.
func (v *Verifier) verdict(t testing.TB, target string, timeout time.Duration) Comparison {
	t.Helper()
	c, err := v.Compare(target, timeout)
	switch {
	case errors.Is(err, ErrSkipped):
		return Comparison{Path: target, Verdict: Skipped, Error: err.Error()}
	case err != nil:
		t.Fatalf("%s: %v", target, err)
	}
	return c
}

// question returns the question of a key.
func (v *Verifier) question(t testing.TB, key string) route.Question {
	t.Helper()
	q, err := v.opts.Routes.Question(key)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// run compares samples until the test ends.
func (v *Verifier) run(t testing.TB) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

// awaitSamples waits until n samples were compared or dropped.
func (v *Verifier) awaitSamples(t testing.TB, n int64) Stats {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		stats := v.Stats()
		sum := stats.Dropped
		for _, of := range stats.Verdicts {
			sum += of
		}
		if sum >= n {
			return stats
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d samples are compared, want %d", sum, n)
		}
	}
}

func TestVerdicts(t *testing.T) {
	for name, tt := range map[string]struct {
		ours, old string
		status    int
		verdict   compare.Verdict
		want      Difference
	}{
		"same bytes":     {`{"a":1}`, `{"a":1}`, 200, compare.SameBytes, Difference{}},
		"same JSON":      {`{"a":1.0}`, `{ "a": 1 }`, 200, compare.SameJSON, Difference{}},
		"same but order": {`{"a":[1,2]}`, `{"a":[2,1]}`, 200, compare.SameButOrder, Difference{Path: "a[0]", Store: "1", Legacy: "2"}},
		"different":      {`{"a":[1,2]}`, `{"a":[1,2,3]}`, 200, compare.Different, Difference{Path: "a", Store: "2 elements", Legacy: "3 elements"}},
		"another status": {`{"a":1}`, `{"detail":"Not Found"}`, 404, compare.Different, Difference{Path: "status", Store: "200", Legacy: "404"}},
		"an error":       {`{"a":1}`, `{"detail":"x"}`, 500, Failed, Difference{}},
		"too often":      {`{"a":1}`, `{"detail":"x"}`, 429, Failed, Difference{}},
		"no JSON":        {`{"a":1}`, `<html>`, 200, Failed, Difference{}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, Options{Store: says(tt.ours), Legacy: oldSays(t, tt.status, tt.old)})
			c := v.verdict(t, "/teams/?gender=m", time.Minute)
			if c.Verdict != tt.verdict || (c.Difference == nil) != (tt.want == Difference{}) || c.Difference != nil && *c.Difference != tt.want {
				t.Errorf("%+v, %+v", c, c.Difference)
			}
			if (c.Verdict == Failed) != strings.HasPrefix(c.Error, "legacy: ") || tt.status >= 400 && tt.verdict == Failed && !strings.Contains(c.Error, fmt.Sprint(tt.status)) {
				t.Errorf("error %q", c.Error)
			}
		})
	}
}

// The old API gets the query as it was given, on the
// path that it does not redirect.
func TestAsksOnTheRoute(t *testing.T) {
	var asked atomic.Value
	v := newVerifier(t, Options{Store: says(`{}`), Legacy: proxytest.OldAPI(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.RequestURI)
		answer(w, 200, `{}`)
	})})
	for target, want := range map[string]string{
		"/iz/xcri/api/teams?limit=0100&x=y&gender=m": "/teams/?limit=0100&x=y&gender=m",
		"/teams/":                                        "/teams/",
		"/api/teams/12/":                                 "/teams/12",
		"/teams/?search=Ca%C3%B1on+State&&=":             "/teams/?search=Ca%C3%B1on+State&&=",
		"/teams/?search=Cañon #1\r\nX: y":                "/teams/?search=Ca%C3%B1on%20%231%0D%0AX:%20y",
		"/scs/leaderboard/a%2dscore":                     "/scs/leaderboard/a-score",
		"https://web4.ustfccca.org/iz/xcri/api/metadata": "/metadata/",
		"/athletes/abc?limit=x":                          "/athletes/abc?limit=x",
	} {
		if c := v.verdict(t, target, time.Minute); asked.Load() != want || c.Path != target {
			t.Errorf("%s: asked for %v, %+v", target, asked.Load(), c)
		}
	}
}

func TestSkips(t *testing.T) {
	v := newVerifier(t, Options{Store: says(`{}`), Legacy: proxytest.OldAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("asked for %s", r.RequestURI)
	})})
	for target, why := range map[string]string{
		"/": "contains the time", "/health": "contains the time", "/iz/xcri/api/health/": "contains the time", "/iz/xcri/api": "contains the time",
		"/nowhere": "not a path of the API", "/iz/xcri/": "not a path of the API", "/iz/xcri/teams/1": "not a path of the API", "/teams/1/2/3/4/5/6/7": "not a path of the API",
	} {
		if c := v.verdict(t, target, time.Minute); c.Verdict != Skipped || !strings.Contains(c.Error, why) || c.Path != target {
			t.Errorf("%s: %+v", target, c)
		}
	}
}

// TestSkipsOwnEndpoints: an endpoint that the old API does not have is neither compared nor
// sampled.
func TestSkipsOwnEndpoints(t *testing.T) {
	v := newVerifier(t, Options{Store: says(`{}`), Share: 1, Routes: route.NewRouter([]*store.Endpoint{{Path: "/regions/", Own: true}, {Path: "/teams/"}}, ""),
		Legacy: proxytest.OldAPI(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("asked for %s", r.RequestURI) })})
	if c := v.verdict(t, "/regions/", time.Minute); c.Verdict != Skipped || !strings.Contains(c.Error, "does not have this endpoint") {
		t.Errorf("%+v", c)
	}
	for i, target := range []string{"/regions/", "/teams/"} {
		v.Offer(v.question(t, target), store.Answer{})
		if n := v.Stats().Queued; n != i {
			t.Errorf("%s: %d samples wait, want %d", target, n, i)
		}
	}
}

// A difference is believed when it is there the second time
// and no import has come between.
func TestAsksAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		store       []string // body, and the generation that it is of
		old         []string
		verdict     compare.Verdict
		asked       int64
		generations []string
	}{
		"a difference that stays":  {[]string{"1", "1"}, []string{"2", "2"}, compare.Different, 2, []string{"a", "a"}},
		"an import in between":     {[]string{"1", "2"}, []string{"2", "2"}, compare.SameBytes, 2, []string{"a", "b"}},
		"two imports":              {[]string{"1", "2", "3"}, []string{"2", "3", "3"}, compare.SameBytes, 3, []string{"a", "b", "c"}},
		"an import, and another":   {[]string{"1", "2", "2"}, []string{"8", "8", "8"}, compare.Different, 3, []string{"a", "b", "b"}},
		"imports without an end":   {[]string{"1", "2", "3"}, []string{"8", "8", "8"}, compare.Different, 3, []string{"a", "b", "c"}},
		"repeated without a pause": {[]string{"1"}, []string{"1"}, compare.SameBytes, 1, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			var ours, old atomic.Int64
			v := newVerifier(t, Options{
				Store: database(func(context.Context, store.Query) (store.Answer, error) {
					i := ours.Add(1) - 1
					return store.Answer{Status: 200, Body: []byte(tt.store[i]), Generation: tt.generations[i]}, nil
				}),
				Legacy: proxytest.OldAPI(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, tt.old[old.Add(1)-1]) }),
			})
			if c := v.verdict(t, "/teams/", time.Minute); c.Verdict != tt.verdict || ours.Load() != tt.asked || old.Load() != tt.asked {
				t.Errorf("%s, asked %d and %d times", c.Verdict, ours.Load(), old.Load())
			}
		})
	}
}

// A source that gives no answer is named, with the reason,
// in the time that was allowed.
func TestFailures(t *testing.T) {
	gone, err := legacy.New(legacy.Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	hanging := proxytest.OldAPI(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	dead := database(func(context.Context, store.Query) (store.Answer, error) { return store.Answer{}, store.ErrUnavailable })
	for name, tt := range map[string]struct {
		store  Store
		legacy *legacy.Client
		errors []string
	}{
		"refused":         {says(`{}`), gone, []string{"legacy: ", legacy.ErrUnavailable.Error()}},
		"hangs":           {says(`{}`), hanging, []string{"legacy: "}},
		"no database":     {dead, oldSays(t, 200, `{}`), []string{"store: " + store.ErrUnavailable.Error()}},
		"neither":         {dead, gone, []string{"store: ", "; legacy: "}},
		"the store hangs": {database(hang), oldSays(t, 200, `{}`), []string{"store: "}},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerifier(t, Options{Store: tt.store, Legacy: tt.legacy})
			c := v.verdict(t, "/teams/", 200*time.Millisecond)
			if c.Verdict != Failed || c.Difference != nil {
				t.Errorf("%+v", c)
			}
			for _, text := range tt.errors {
				if !strings.Contains(c.Error, text) {
					t.Errorf("no %q in %q", text, c.Error)
				}
			}
		})
	}
}

// A comparison on request may panic, and its turn is given back.
func TestTurnsAreGivenBack(t *testing.T) {
	v := newVerifier(t, Options{
		Store:  database(func(context.Context, store.Query) (store.Answer, error) { panic("in the store") }),
		Legacy: oldSays(t, 200, `{}`),
	})
	for range maxConcurrent + 1 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_, err := v.Compare("/teams/", time.Minute)
			t.Error(err)
		}()
	}
}
