package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/compare"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/verify"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// legacyAnswer writes an answer in the form of the old API.
func legacyAnswer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// says returns an old API with a constant answer.
func says(t testing.TB, status int, body string) *legacy.Client {
	t.Helper()
	return proxytest.OldAPI(t, func(w http.ResponseWriter, _ *http.Request) { legacyAnswer(w, status, body) })
}

// originSays returns a store with a constant answer.
func originSays(body string) *fakeOrigin {
	return &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
		return store.Answer{Status: 200, Body: []byte(body)}, nil
	}}
}

// compared requests one comparison.
func compared(t testing.TB, base, path string) api.Comparison {
	t.Helper()
	body, err := json.Marshal(api.VerifyRequest{Path: path, TimeoutMS: 2000})
	if err != nil {
		t.Fatal(err)
	}
	a := post(t, base, "/cache/verify", string(body))
	if a.status != 200 {
		t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	var c api.Comparison
	a.into(t, &c)
	return c
}

// recorded returns the recorded answers by request.
func recorded(t testing.TB) map[string]storetest.Recorded {
	t.Helper()
	all, err := storetest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]storetest.Recorded{}
	for _, r := range all {
		answers[r.Request] = r
	}
	return answers
}

// TestVerifyRecordedAnswers: the database and the old API give the same bytes, except
// for lists with tied rows. Tied rows come in no fixed order, and a limit may cut the
// list among them. The comparison classifies these differences as expected.
func TestVerifyRecordedAnswers(t *testing.T) {
	answers := recorded(t)
	opts := realOptions(t)
	old, err := legacy.New(legacy.Options{URL: oldapi.Start(t, oldapi.Options{}).URL()})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	opts.Legacy = old
	_, base := start(t, opts)
	counts := map[compare.Verdict]int{}
	for request, r := range answers {
		c := compared(t, base, "/iz/xcri/api"+request)
		if mariadb.LongDeviations() && c.Difference != nil && c.Difference.Path == "statistics.std" {
			c.Verdict = string(compare.SameBytes) // the old API's stand-in has MariaDB's digits
		}
		counts[compare.Verdict(c.Verdict)]++
		if compare.Verdict(c.Verdict) != compare.SameBytes {
			t.Logf("%s: %s %+v %s", request, compare.Verdict(c.Verdict), c.Difference, c.Error)
			if !r.Ties {
				t.Error("nothing in it ties")
			}
		}
		if c.Store.Status != r.Status || c.Legacy.Status != r.Status || c.Legacy.Bytes != len(r.Body) {
			t.Errorf("%s: %+v, %+v", request, c.Store, c.Legacy)
		}
	}
	t.Logf("%v", counts)
	if counts[compare.SameBytes] != 416 || counts[verify.Expected] != 4 {
		t.Errorf("%v", counts)
	}
}

// TestVerifyFindsAValue: a single differing value in one row is reported with its
// path.
func TestVerifyFindsAValue(t *testing.T) {
	const target = "/teams/?season_year=2025&division=2030&gender=M&limit=50000"
	opts := realOptions(t)
	q := keyQuery(t, target)
	answer, err := opts.Origin.Run(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Results []struct {
			TeamName string `json:"team_name"`
		}
	}
	if err := json.Unmarshal(answer.Body, &list); err != nil || len(list.Results) < 8 {
		t.Fatal(err, len(list.Results))
	}
	name := list.Results[6].TeamName
	opts.Legacy = says(t, 200, strings.Replace(string(answer.Body), `"team_name":"`+name+`"`, `"team_name":"Elsewhere"`, 1))
	_, base := start(t, opts)
	c := compared(t, base, "/iz/xcri/api"+target)
	want := api.Difference{Path: "results[6].team_name", Store: `"` + name + `"`, Legacy: `"Elsewhere"`}
	if compare.Verdict(c.Verdict) != compare.Different || *c.Difference != want || c.Key != target || c.Route != "/teams/" || c.Error != "" {
		t.Errorf("%+v, %+v", c, c.Difference)
	}
	if c.Store.Bytes != len(answer.Body) || c.Store.MS <= 0 || c.Legacy.MS <= 0 || c.Legacy.Status != 200 {
		t.Errorf("%+v, %+v", c.Store, c.Legacy)
	}
}

// keyQuery returns the query that a key represents.
func keyQuery(t testing.TB, key string) store.Query {
	t.Helper()
	q, err := route.NewRouter(store.Endpoints(), "").Question(key)
	if err != nil {
		t.Fatal(err)
	}
	return q.Query
}

// TestVerifyRefusals: the answers to bad parameters are compared too.
func TestVerifyRefusals(t *testing.T) {
	p, base := start(t, Options{Origin: &fakeOrigin{}, Legacy: proxytest.OldAPI(t, func(w http.ResponseWriter, r *http.Request) {
		legacyAnswer(w, 422, `{"detail":[{"type":"missing","loc":["query","team_a_id"],"msg":"Field required","input":null}]}`)
	})})
	a := get(t, base, "/team-knockout/matchups/head-to-head?team_b_id=1")
	c := compared(t, base, "/team-knockout/matchups/head-to-head?team_b_id=1")
	if compare.Verdict(c.Verdict) != compare.SameBytes || c.Key != "" || c.Store.Status != 422 || c.Store.Bytes != len(a.body) {
		t.Errorf("%+v, %+v\n%s", c, c.Difference, a.body)
	}
	if c := compared(t, base, "/teams/?limit=0"); compare.Verdict(c.Verdict) != compare.Different || c.Difference.Path != "detail[0].type" {
		t.Errorf("%+v, %+v", c, c.Difference)
	}
	if n := p.Stats().Requests.Rejected; n != 1 {
		t.Errorf("%d requests rejected; a comparison is none", n)
	}
}

func hang(ctx context.Context, _ store.Query) (store.Answer, error) {
	<-ctx.Done()
	return store.Answer{}, ctx.Err()
}

func TestVerifyRequests(t *testing.T) {
	_, base := start(t, Options{Origin: originSays(`{}`), Legacy: says(t, 200, `{}`)})
	_, alone := start(t, Options{Origin: originSays(`{}`)})
	for _, tt := range []struct {
		base, body, detail string
		status             int
	}{
		{base, ``, "path: a request target is wanted", 422},
		{base, `{"path":"/teams/","timeout_ms":-1}`, "timeout_ms: want a number from 1 to 60000", 422},
		{base, `{"path":"/teams/","timeout_ms":60001}`, "timeout_ms", 422},
		{base, `{"paths":["/teams/"]}`, "unknown field", 400},
		{base, `{"path":"/teams/"}`, `"verdict": "same_bytes"`, 200},
		{alone, `{"path":"/teams/"}`, "LEGACY_URL is not set", 422},
	} {
		if a := post(t, tt.base, "/cache/verify", tt.body); a.status != tt.status || !strings.Contains(a.body, tt.detail) {
			t.Errorf("%s: %d %s", tt.body, a.status, a.body)
		}
	}
	if a := get(t, alone, "/cache/verify"); a.status != 422 || !strings.Contains(a.body, "LEGACY_URL is not set") {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, headers := range [][]string{{"X-Forwarded-For", "1.2.3.4"}, {"Sec-Fetch-Site", "cross-site"}} {
		if a := post(t, base, "/cache/verify", `{"path":"/teams/"}`, headers...); a.status != 403 {
			t.Errorf("%v: %d", headers, a.status)
		}
	}
}

// TestVerifySubjects: the keys to compare are the keys of the warm set, except for
// routes that can't be compared.
func TestVerifySubjects(t *testing.T) {
	opts := realOptions(t)
	opts.Legacy = says(t, 200, `{}`)
	p, base := start(t, opts)
	var subjects api.VerifySubjects
	get(t, base, "/cache/verify").into(t, &subjects)
	if want := p.Stats().Generation.Warm.Keys - 1; len(subjects.Keys) != want || want < 10 {
		t.Errorf("%d keys, want %d", len(subjects.Keys), want)
	}
	for _, key := range subjects.Keys {
		if q, err := p.router.Question(key); err != nil || q.Key != key || !verify.Comparable(q.Route) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if !reflect.DeepEqual(subjects.Sample, p.Stats().Verify) {
		t.Errorf("%+v", subjects.Sample)
	}
}

// crowded is an origin with a single free connection.
type crowded struct{ *fakeOrigin }

func (crowded) Stats() store.Stats { return store.Stats{Limit: 8, InUse: 7} }

// TestVerifyIsBusy: the number of concurrent comparisons is limited, and every
// comparison is refused while the database has no spare connection. A shutdown cancels
// running comparisons.
func TestVerifyIsBusy(t *testing.T) {
	_, base := start(t, Options{Origin: crowded{originSays(`{}`)}, Legacy: says(t, 200, `{}`)})
	if a := post(t, base, "/cache/verify", `{"path":"/teams/"}`); a.status != 429 || !strings.Contains(a.body, "all connections to the database are in use; try again") {
		t.Errorf("%d %s", a.status, a.body)
	}

	var running atomic.Int64
	p, base := start(t, Options{Origin: originSays(`{}`), Legacy: proxytest.OldAPI(t, func(_ http.ResponseWriter, r *http.Request) {
		running.Add(1)
		<-r.Context().Done()
	})})
	var askers sync.WaitGroup
	for range 2 {
		askers.Go(func() {
			var c api.Comparison
			post(t, base, "/cache/verify", `{"path":"/teams/","timeout_ms":60000}`).into(t, &c)
			if compare.Verdict(c.Verdict) != verify.Failed {
				t.Errorf("%+v", c)
			}
		})
	}
	await(t, "comparisons", func() bool { return running.Load() == 2 })
	if a := post(t, base, "/cache/verify", `{"path":"/teams/"}`); a.status != 429 || a.header.Get("Retry-After") != "1" || !strings.Contains(a.body, "2 comparisons are running") {
		t.Errorf("%d %s", a.status, a.body)
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil || time.Since(begun) > 8*time.Second {
		t.Errorf("shutdown: %v after %v", err, time.Since(begun))
	}
	askers.Wait()
}

// TestVerifySurvivesAPanic: a panic in the store is reported as an error to the
// client, and the comparison's slot is released.
func TestVerifySurvivesAPanic(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) { panic(errors.New("in the store")) }}, Legacy: says(t, 200, `{}`)})
	for range 2 + 1 {
		if a := post(t, base, "/cache/verify", `{"path":"/teams/"}`); a.status != 500 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}
