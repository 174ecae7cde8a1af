package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/admin"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
	"github.com/lewistv/xcri-proxy/store"
)

func TestStats(t *testing.T) {
	opts := realOptions(t)
	opts.Version = "v1.2.3"
	p, base := start(t, opts)
	warm := p.Stats()
	for _, target := range []string{"/teams/", "/teams", "/teams/99999", "/athletes/?limit=x", "/nowhere", listTarget} {
		get(t, base, target)
	}
	get(t, base, "/teams/", "If-None-Match", "*")
	get(t, base, "/cache/stats", "Via", "1.1 x")
	a := get(t, base, "/cache/stats")
	if a.status != 200 || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	var s api.Stats
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.Version != "v1.2.3" || s.UptimeSeconds <= 0 {
		t.Errorf("version %s, uptime %v", s.Version, s.UptimeSeconds)
	}
	if o := s.Requests.Outcomes; o["miss"] != 3 || o["hit"] != 2 || s.Requests.NotModified != 1 || s.Requests.Rejected != 1 || s.Requests.Inflated != 3 {
		t.Errorf("requests: %+v", s.Requests)
	}
	if s.Requests.AdminRefused["not_local"] != 1 {
		t.Errorf("refusals: %v", s.Requests.AdminRefused)
	}
	if s.Requests.HitRatio != 0.4 {
		t.Errorf("hit ratio %v", s.Requests.HitRatio)
	}
	teams := s.Routes["/teams/"]
	if teams.Outcomes["miss"] != 1 || teams.Outcomes["hit"] != 2 || teams.Fills.Count-warm.Routes["/teams/"].Fills.Count != 1 || teams.Fills.MeanMS <= 0 || teams.Fills.MaxMS < teams.Fills.MeanMS {
		t.Errorf("/teams/: %+v", teams)
	}
	if c := s.Cache; c.Entries-warm.Cache.Entries != 3 || c.Fills-warm.Cache.Fills != 3 || c.Bytes <= warm.Cache.Bytes || c.Bytes > c.Budget || c.Shelves["absent"].Entries != 1 || c.Shelves["tail"].Entries != 2 {
		t.Errorf("cache: %+v", c)
	}
	if w := s.Cache.Shelves["warm"]; w.Entries != int64(s.Generation.Warm.Keys) || w.Entries != warm.Cache.Entries || w.Bytes <= 0 {
		t.Errorf("warm: %+v, %+v", w, s.Generation.Warm)
	}
	if g := s.Generation; g.ID == "" || g.ID != g.Warm.Generation || g.Published == nil || g.Confirmed == nil || g.DownSince != nil || g.Warm.Calculated != "2025-10-26T22:42:22" {
		t.Errorf("generation: %+v", g)
	}
	if s.Pool.Limit != 8 || s.Pool.Open < 1 || s.Pool.Open > s.Pool.Limit {
		t.Errorf("pool: %+v", s.Pool)
	}
	if s.Memory.RSS < 1<<20 || s.Memory.Heap < 1<<20 {
		t.Errorf("memory: %+v", s.Memory)
	}
}

func TestWhoMaySeeStats(t *testing.T) {
	const token = "a long enough token"
	for name, tt := range map[string]struct {
		token   string
		headers []string
		want    int
	}{
		"this machine":             {"", nil, 200},
		"by way of Apache":         {"", []string{"X-Forwarded-For", "127.0.0.1"}, 403},
		"by way of another proxy":  {"", []string{"Forwarded", "for=127.0.0.1"}, 403},
		"by way of nginx":          {"", []string{"X-Real-IP", "127.0.0.1"}, 403},
		"via":                      {"", []string{"Via", "1.1 x"}, 403},
		"with the token":           {token, []string{"Authorization", "Bearer " + token}, 200},
		"the token through Apache": {token, []string{"Authorization", "Bearer " + token, "X-Forwarded-For", "1.2.3.4"}, 200},
		"a wrong token":            {token, []string{"Authorization", "Bearer x"}, 403},
		"a part of the token":      {token, []string{"Authorization", "Bearer " + token[:5]}, 403},
		"no bearer":                {token, []string{"Authorization", token}, 403},
		"a token when none is set": {"", []string{"Authorization", "Bearer "}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			_, base := start(t, Options{Origin: &fakeOrigin{}, Admin: admin.Settings{Gate: gate.Options{Token: tt.token}}, BasePath: "/iz/xcri"})
			for _, target := range []string{"/cache/stats", "/cache/stats/", "/iz/xcri/cache/stats", "/cache", "/cache/", "/cache/other"} {
				want := tt.want
				if known, is := map[string]int{"/cache": 308, "/cache/other": 404}[target]; is && want == 200 {
					want = known
				}
				if a := get(t, base, target, tt.headers...); a.status != want {
					t.Errorf("%s: %d, want %d", target, a.status, want)
				}
			}
		})
	}
	_, base := start(t, Options{Origin: &fakeOrigin{}})
	if a := ask(t, base, "POST", "/cache/stats"); a.status != 405 {
		t.Errorf("POST: %d", a.status)
	}
	if a := ask(t, base, "HEAD", "/cache/stats"); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d", a.status)
	}
	if a := get(t, base, "/cachestats"); a.status != 404 || !strings.Contains(a.body, "Not Found") {
		t.Errorf("/cachestats: %d %s", a.status, a.body)
	}
	ctx := requestCtx("GET", "/cache/stats")
	p, _ := New(Options{Origin: &fakeOrigin{}})
	ctx.SetRemoteAddr(remoteAddr("192.0.2.7"))
	if p.handle(ctx); ctx.Response.StatusCode() != 403 {
		t.Errorf("from another machine: %d", ctx.Response.StatusCode())
	}
}

// TestNoCORSOnAdminPages: no other site's page reads an admin answer, in every setting of
// the origins that may read the API.
func TestNoCORSOnAdminPages(t *testing.T) {
	const site, token = "https://web4.ustfccca.org", "a long enough token"
	for _, origins := range [][]string{{site}, {"*"}} {
		_, base := start(t, Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri", CORSOrigins: origins, Admin: admin.Settings{Gate: gate.Options{Token: token}}})
		if a := get(t, base, "/teams/", "Origin", site); a.header.Get("Access-Control-Allow-Origin") != site {
			t.Fatalf("the API itself: %v", a.header)
		}
		for _, tt := range []struct {
			method, target string
			status         int
			headers        []string
		}{
			{"GET", "/cache/stats", 200, nil}, {"GET", "/iz/xcri/api/cache/stats", 200, nil}, {"GET", "/metrics", 200, nil}, {"GET", "/cache/", 200, nil},
			{"GET", "/cache", 308, nil}, {"GET", "/cache/login", 200, nil}, {"GET", "/cache/nowhere", 404, nil}, {"HEAD", "/cache/stats", 200, nil},
			{"GET", "/cache/stats", 401, []string{"X-Forwarded-For", "203.0.113.7"}}, {"GET", "/cache/stats", 403, []string{"Authorization", "Bearer x"}},
			{"POST", "/cache/purge", 403, []string{"Content-Type", "application/json"}}, {"POST", "/cache/stats", 405, nil},
			{"OPTIONS", "/cache/stats", 405, []string{"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization"}},
			{"OPTIONS", "/cache/purge", 405, []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Private-Network", "true"}},
			{"OPTIONS", "/metrics", 403, []string{"Access-Control-Request-Method", "GET", "X-Forwarded-For", ""}},
		} {
			a := ask(t, base, tt.method, tt.target, append(tt.headers, "Origin", site)...)
			if a.status != tt.status {
				t.Errorf("%s %s %q: %d, want %d", tt.method, tt.target, tt.headers, a.status, tt.status)
			}
			for name := range a.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s %q: %s", tt.method, tt.target, tt.headers, name)
				}
			}
		}
	}
}

// TestAdminNeedsJSON: a change needs the content type that no form of another site
// can send.
func TestAdminNeedsJSON(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{}})
	for contentType, want := range map[string]int{
		"application/json": 422, "application/json; charset=utf-8": 422, // for want of a body
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415, "": 415,
	} {
		headers := []string{"Content-Type", contentType}
		if contentType == "" {
			headers = nil
		}
		if a := ask(t, base, "POST", "/cache/maintenance", append(headers, "Content-Length", "0")...); a.status != want {
			t.Errorf("%q: %d %s", contentType, a.status, a.body)
		}
	}
}

func TestHealth(t *testing.T) {
	const tables = `{"a":5,"b":7}`
	for name, tt := range map[string]struct {
		body         string
		run, ping    error
		health, root string
		connected    string
	}{
		"all well":           {tables, nil, nil, "healthy", "healthy", `true,"database_tables":{"a":5,"b":7}`},
		"an empty table":     {`{"a":5,"b":0}`, nil, nil, "degraded", "healthy", `true,"database_tables":{"a":5,"b":0}`},
		"the first is empty": {`{"a":0,"b":10}`, nil, nil, "degraded", "healthy", `true,"database_tables":{"a":0,"b":10}`},
		"ten rows":           {`{"a":10,"b":100}`, nil, nil, "healthy", "healthy", `true,"database_tables":{"a":10,"b":100}`},
		"no database":        {tables, nil, store.ErrUnavailable, "unhealthy", "degraded", `false,"database_tables":null`},
		"no counts":          {"", errors.New("x"), nil, "unhealthy", "degraded", `false,"database_tables":null`},
	} {
		t.Run(name, func(t *testing.T) {
			_, base := start(t, Options{Origin: &fakeOrigin{
				run: func(context.Context, store.Query) (store.Answer, error) {
					return store.Answer{Status: 200, Body: []byte(tt.body)}, tt.run
				},
				ping: func() error { return tt.ping },
			}, BasePath: "/iz/xcri"})
			for target, status := range map[string]string{
				"/health": tt.health, "/health/": tt.health, "/iz/xcri/api/health": tt.health,
				"/": tt.root, "/iz/xcri/api": tt.root, "/iz/xcri/api/": tt.root,
			} {
				a := get(t, base, target)
				want := `{"status":"` + status + `","api_version":"2.0.0","database_connected":` + tt.connected + `,"timestamp":"`
				if a.status != 200 || !strings.HasPrefix(a.body, want) {
					t.Errorf("%s: %d %s\nwant %s", target, a.status, a.body, want)
				}
				if !json.Valid([]byte(a.body)) || a.header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: %v", a.body, a.header)
				}
			}
		})
	}
}

func TestHealthOfTheSample(t *testing.T) {
	_, base := start(t, realOptions(t))
	want := `"database_tables":{"iz_rankings_xcri_athlete_rankings":2723,"iz_rankings_xcri_team_rankings":280,"iz_rankings_xcri_scs_components":720,"iz_rankings_xcri_calculation_metadata":42}`
	if a := get(t, base, "/health"); !strings.Contains(a.body, want) {
		t.Errorf("%s\nwant %s", a.body, want)
	}
}

// TestPingIsRare: a flood of health checks is one question a second.
func TestPingIsRare(t *testing.T) {
	pings := 0
	_, base := start(t, Options{Origin: &fakeOrigin{ping: func() error { pings++; return nil }}})
	for range 50 {
		get(t, base, "/health")
	}
	if pings > 10 {
		t.Errorf("%d pings for 50 concurrent health checks", pings)
	}
}
