package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
	"github.com/lewistv/xcri-proxy/store"
)

// post sends a request with a body.
func post(t testing.TB, base, target, body string, headers ...string) answer {
	t.Helper()
	conn := dial(t, base)
	defer conn.Close()
	var req strings.Builder
	fmt.Fprintf(&req, "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", target, len(body))
	for i := 0; i < len(headers); i += 2 {
		req.WriteString(headers[i] + ": " + headers[i+1] + "\r\n")
	}
	fmt.Fprintf(&req, "\r\n%s", body)
	if _, err := conn.Write([]byte(req.String())); err != nil {
		t.Fatal(err)
	}
	return read(t, bufio.NewReader(conn), "POST")
}

// into decodes an answer's JSON, which must not have fields that v lacks.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
}

// purge purges the entries that body selects and returns their number.
func purge(t testing.TB, base, body string) int {
	t.Helper()
	a := post(t, base, "/cache/purge", body)
	var purged struct{ Purged int }
	if a.into(t, &purged); a.status != 200 {
		t.Fatalf("%s: %d %s", body, a.status, a.body)
	}
	return purged.Purged
}

// eventually requests target until it is a hit again.
func eventually(t testing.TB, base, target string) {
	t.Helper()
	for range 2000 {
		switch a := get(t, base, target); a.outcome() {
		case "hit":
			return
		case "stale":
		default:
			t.Fatalf("%s: %s", target, a.outcome())
		}
	}
	t.Fatalf("%s is never a hit again", target)
}

// TestWhoMayManage: a change needs POST, and either a client on this machine or the
// token, and must not come from another site's page.
func TestWhoMayManage(t *testing.T) {
	const token = "a long enough token"
	_, base := start(t, Options{Origin: &fakeOrigin{}, Admin: admin.Settings{Gate: gate.Options{Token: token}}, BasePath: "/iz/xcri"})
	bodies := map[string]string{"/cache/warm": "", "/cache/purge": `{"all":true}`}
	for name, tt := range map[string]struct {
		headers []string
		allowed bool
	}{
		"this machine":                  {nil, true},
		"the token, by way of Apache":   {[]string{"Authorization", "Bearer " + token, "X-Forwarded-For", "1.2.3.4"}, true},
		"a page of the site itself":     {[]string{"Sec-Fetch-Site", "same-origin", "Origin", "http://localhost"}, true},
		"the same, of an older browser": {[]string{"Origin", "http://localhost"}, true},
		"typed in":                      {[]string{"Sec-Fetch-Site", "none"}, true},
		"by way of Apache":              {[]string{"X-Forwarded-For", "127.0.0.1"}, false},
		"by way of nginx":               {[]string{"X-Real-IP", "127.0.0.1"}, false},
		"a wrong token":                 {[]string{"Authorization", "Bearer x"}, false},
		"another site":                  {[]string{"Sec-Fetch-Site", "cross-site"}, false},
		"a sister site":                 {[]string{"Sec-Fetch-Site", "same-site"}, false},
		"another site, older browser":   {[]string{"Origin", "https://evil.example"}, false},
		"a page without an origin":      {[]string{"Origin", "null"}, false},
		"another site with the token":   {[]string{"Authorization", "Bearer " + token, "Sec-Fetch-Site", "cross-site"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			for page, body := range bodies {
				for _, prefix := range []string{"", "/iz/xcri"} {
					a := post(t, base, prefix+page, body, tt.headers...)
					if allowed := a.status/100 == 2; allowed != tt.allowed || !allowed && a.status != 403 {
						t.Errorf("%s: %d %s", page, a.status, a.body)
					}
				}
			}
		})
	}
	for _, tt := range []struct{ method, page, allow string }{
		{"GET", "/cache/purge", "POST"}, {"HEAD", "/cache/purge", "POST"}, {"DELETE", "/cache/warm", "GET, HEAD, POST"},
		{"POST", "/cache/entry", "GET, HEAD"}, {"POST", "/cache/stats", "GET, HEAD"}, {"PUT", "/cache/purge", "POST"},
	} {
		if a := ask(t, base, tt.method, tt.page); a.status != 405 || a.header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %d, Allow: %s", tt.method, tt.page, a.status, a.header.Get("Allow"))
		}
	}
	if a := ask(t, base, "HEAD", "/cache/warm"); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d", a.status)
	}
}

func TestBadBodies(t *testing.T) {
	p, base := start(t, Options{Origin: &fakeOrigin{}})
	for _, tt := range []struct {
		page, body string
		status     int
		detail     string
	}{
		{"/cache/warm", `{"paths":`, 400, "unexpected EOF"},
		{"/cache/warm", `{"path":["/teams/"]}`, 400, `unknown field "path"`},
		{"/cache/warm", `{"paths":"/teams/"}`, 400, "cannot unmarshal string"},
		{"/cache/warm", `{"paths":[]} {}`, 400, "more after the JSON object"},
		{"/cache/warm", `{"paths":["x"` + strings.Repeat(`,"x"`, 2000) + `]}`, 422, "paths: 2001 are too many, the limit is 2000"},
		{"/cache/purge", "", 422, "give one of path, route, scope and all; there are 0"},
		{"/cache/purge", `{"hard":true}`, 422, "there are 0"},
		{"/cache/purge", `{"all":false}`, 422, "there are 0"},
		{"/cache/purge", `{"all":true,"path":"/teams/"}`, 422, "there are 2"},
		{"/cache/purge", `{"all":1}`, 400, "cannot unmarshal number"},
		{"/cache/purge", `["all"]`, 400, "cannot unmarshal array"},
		{"/cache/purge", `{"path":"/nowhere"}`, 422, `path "/nowhere": not a path of the API`},
		{"/cache/purge", `{"path":""}`, 422, `path "": not a path of the API`},
		{"/cache/purge", `{"path":"/teams/?limit=0&offset=x"}`, 422,
			`path "/teams/?limit=0&offset=x": limit: Input should be greater than or equal to 1; offset: Input should be a valid integer, unable to parse string as an integer`},
		{"/cache/purge", `{"route":"/team"}`, 422, `route "/team": there is none`},
		{"/cache/purge", `{"scope":"2025"}`, 422, `scope "2025": want season/division/gender/checkpoint`},
		{"/cache/purge", `{"scope":"2025/2030/m/live"}`, 422, "want season"},
		{"/cache/purge", `{"scope":"2025///"}`, 422, "want season"},
		{"/cache/purge", `{"scope":"2025/2030/M/yesterday"}`, 422, "want season"},
	} {
		a := post(t, base, tt.page, tt.body)
		var problem struct{ Detail string }
		if a.into(t, &problem); a.status != tt.status || !strings.Contains(problem.Detail, tt.detail) {
			t.Errorf("%s %.50s: %d %s\nwant %d %s", tt.page, tt.body, a.status, a.body, tt.status, tt.detail)
		}
	}
	for target, detail := range map[string]string{
		"/cache/entry":                            "path: a request target is wanted",
		"/cache/entry?path=":                      "path: a request target is wanted",
		"/cache/entry?path=/nowhere":              `path "/nowhere": not a path of the API`,
		"/cache/entry?path=/teams/%3Flimit%3Dx":   "limit: Input should be a valid integer",
		"/cache/warm?snapshot=live":               `snapshot: "live" is not a date`,
		"/cache/warm?snapshot=":                   `snapshot: "" is not a date`,
		"/cache/entry?path=/cache/stats":          "not a path of the API",
		"/cache/entry?path=/snapshots/x/athletes": "division: Field required; gender: Field required",
	} {
		a := get(t, base, target)
		var problem struct{ Detail string }
		if a.into(t, &problem); a.status != 422 || !strings.Contains(problem.Detail, detail) {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
	if n := p.metrics.Panics.Load(); n != 0 {
		t.Errorf("%d panics", n)
	}
}

// TestPurge: a purged entry is stale for one request and then a hit; after a hard
// purge it is a miss. All other entries stay hits.
func TestPurge(t *testing.T) {
	_, base := start(t, realOptions(t))
	const (
		men      = "/athletes/?season_year=2025&division=2030&gender=M&limit=50000" // in the warm set
		women    = "/athletes/?season_year=2025&division=2030&gender=F&limit=50000"
		snapshot = "/snapshots/2025-10-20/teams?division=2030&gender=M"
		teams    = "/teams/?season_year=2025&division=2030&gender=M"
		resume   = "/teams/714/resume"
		absent   = "/teams/99999?season_year=2025"
		dates    = "/snapshots/"
	)
	all := []string{men, women, snapshot, teams, resume, absent, dates}
	for _, tt := range []struct {
		body string
		want []string
	}{
		{`{"path":"/iz/xcri/api/athletes?gender=m&limit=050000&division=2030&season_year=2025&offset=0"%s}`, []string{men}},
		{`{"path":"/iz/xcri/api/teams/99999/?season_year=2025"%s}`, []string{absent}},
		{`{"route":"/athletes/"%s}`, []string{men, women}},
		{`{"route":"/teams/{team_hnd}/resume"%s}`, []string{resume}},
		{`{"route":"/teams/{team_hnd}"%s}`, []string{absent}},
		{`{"scope":"2025/2030/M/live"%s}`, []string{men, teams, resume, absent}},
		{`{"scope":"2025/2030/F/*"%s}`, []string{women, resume, absent, dates}},
		{`{"scope":"*/*/*/2025-10-20"%s}`, []string{snapshot, resume, dates}},
		{`{"scope":"1999/*/*/*"%s}`, []string{snapshot, resume, dates}},
		{`{"all":true%s}`, all},
	} {
		for hard, outcome := range map[string]string{`,"hard":false`: "stale", `,"hard":true`: "miss"} {
			for _, target := range all {
				if a := get(t, base, target); a.status/100 != 2 && a.status != 404 {
					t.Fatalf("%s: %d %s", target, a.status, a.body)
				}
				eventually(t, base, target)
			}
			body := fmt.Sprintf(tt.body, hard)
			if n := purge(t, base, body); n < len(tt.want) {
				t.Errorf("%s: %d purged, want %d at least", body, n, len(tt.want))
			}
			for _, target := range all {
				want := "hit"
				for _, w := range tt.want {
					if w == target {
						want = outcome
					}
				}
				if a := get(t, base, target); a.outcome() != want {
					t.Errorf("%s: %s is a %s, want %s", body, target, a.outcome(), want)
				}
			}
		}
	}
	if n := purge(t, base, `{"route":"/scs/biggest-discrepancies"}`); n != 0 {
		t.Errorf("%d entries of a route without requests", n)
	}
}

func TestWarmOverHTTP(t *testing.T) {
	p, base := start(t, realOptions(t))
	const roster = "/athletes/team/714/roster?season_year=2025"
	var before, after api.WarmState
	get(t, base, "/cache/warm").into(t, &before)
	if before.Current == "" || before.Current != p.Stats().Generation.ID || before.PublishedAt == nil || before.DownSince != nil ||
		before.Snapshot != "2025-10-20" || before.HasSnapshot != nil || before.Published == 0 || before.LookError != "" {
		t.Errorf("%+v", before)
	}
	a := post(t, base, "/iz/xcri/cache/warm", `{"paths":["/iz/xcri/api`+roster+`","`+roster+`&limit=100","/nowhere","/teams/?limit=x"]}`)
	var ticket api.WarmTicket
	a.into(t, &ticket)
	if a.status != 202 || ticket.Ticket <= before.Looked || ticket.Keys != 1 || fmt.Sprint(ticket.Ignored) !=
		"[{/nowhere not a path of the API} {/teams/?limit=x limit: Input should be a valid integer, unable to parse string as an integer}]" {
		t.Errorf("%d %+v", a.status, ticket)
	}
	awaitLook(t, p, ticket.Ticket)
	get(t, base, "/cache/warm?snapshot=2025-10-20").into(t, &after)
	if after.Keys != before.Keys+1 || after.Filled != 1 || after.Failed != 0 || after.Slowest != "/athletes/team/714/roster?season_year=2025" ||
		after.HasSnapshot == nil || !*after.HasSnapshot || after.Published != before.Published+1 || after.Current != before.Current {
		t.Errorf("%+v", after)
	}
	if s := p.cache.Peek(&cache.Ref{Key: "/athletes/team/714/roster?season_year=2025"}); s.Where != "warm" || s.Outcome.String() != "hit" {
		t.Errorf("%+v", s)
	}
	get(t, base, "/cache/warm?snapshot=2099-01-01").into(t, &after)
	if *after.HasSnapshot {
		t.Error("has a snapshot that is not there")
	}

	// Keys requested with "later" are warmed by the next poll.
	const later, now = "/teams/714?season_year=2025", "/teams/715?season_year=2025"
	post(t, base, "/cache/warm", `{"later":true,"paths":["`+later+`"]}`).into(t, &ticket)
	if ticket.Ticket != 0 || ticket.Keys != 1 || ticket.Ignored == nil {
		t.Errorf("%+v", ticket)
	}
	post(t, base, "/cache/warm", `{"paths":["`+now+`"]}`).into(t, &ticket)
	awaitLook(t, p, ticket.Ticket)
	for _, target := range []string{later, now} {
		if s := p.cache.Peek(&cache.Ref{Key: target}); s.Entry == nil {
			t.Errorf("%s is not there", target)
		}
	}
	post(t, base, "/cache/warm", "").into(t, &ticket)
	if ticket.Ticket == 0 || ticket.Keys != 0 {
		t.Errorf("%+v", ticket)
	}
}

// TestWarmStatusReportsOutages: the warm status reports a failed poll, apart from failed
// keys, until the next successful poll.
func TestWarmStatusReportsOutages(t *testing.T) {
	var down atomic.Bool // read by the poll too
	p, base := start(t, Options{Origin: &fakeOrigin{generation: func() (*store.Generation, error) {
		if down.Load() {
			return nil, store.ErrUnavailable
		}
		return &store.Generation{}, nil
	}}})
	for _, away := range []bool{true, false} {
		down.Store(away)
		awaitLook(t, p, p.generations.Poll(nil))
		var s api.WarmState
		get(t, base, "/cache/warm").into(t, &s)
		if failed := s.LookError != ""; failed != away || failed != (s.DownSince != nil) {
			t.Errorf("away %v: %+v", away, s)
		}
	}
	if s := (api.WarmState{}); true {
		get(t, base, "/cache/warm").into(t, &s)
		if s.Snapshot != "" || s.Current == "" {
			t.Errorf("%+v", s)
		}
	}
}

func TestEntry(t *testing.T) {
	p, base := start(t, realOptions(t))
	explain := func(target string) (s api.Entry) {
		t.Helper()
		get(t, base, "/cache/entry?path="+target).into(t, &s)
		return s
	}
	const list = "/iz/xcri/api/athletes?limit=50000%26gender=m%26division=2030%26season_year=2025"
	s := explain(list)
	if s.Path != "/iz/xcri/api/athletes?limit=50000&gender=m&division=2030&season_year=2025" || s.Route != "/athletes/" ||
		s.Key != "/athletes/?season_year=2025&division=2030&gender=M&limit=50000" || s.Scope != "2025/2030/M/live" ||
		s.Outcome != "hit" || *s.Where != "warm" || *s.Generation != s.Current || s.Current == "" || *s.Status != 200 ||
		*s.Age < 0 || *s.Age > 60 || *s.TookMS <= 0 || s.Filled.IsZero() || *s.Asked != 0 {
		t.Errorf("%+v", s)
	}
	a := get(t, base, s.Key, "Accept-Encoding", "gzip")
	await(t, "brotli of the list is made", func() bool {
		s = explain(list)
		return len(s.Variants) == 3
	})
	if *s.Asked != 1 || *s.Size != len(a.plainBody(t)) || s.Variants[0].Coding != "identity" || s.Variants[0].Bytes != nil ||
		s.Variants[1].Coding != "gzip" || *s.Variants[1].Bytes != len(a.body) || s.Variants[1].ETag != a.header.Get("Etag") || *s.Cost < int64(len(a.body)) {
		t.Errorf("%+v", s)
	}
	purge(t, base, `{"path":"`+s.Key+`"}`)
	if s := explain(list); s.Outcome != "stale" || *s.Where != "warm" {
		t.Errorf("purged: %+v", s)
	}

	const lost = "/teams/99999?season_year=2025"
	if s := explain(lost); s.Outcome != "miss" || s.Current == "" || s.Where != nil || s.Generation != nil || s.Age != nil || s.Filled != nil ||
		s.TookMS != nil || s.Status != nil || s.Size != nil || s.Variants != nil || s.Asked != nil || s.Cost != nil {
		t.Errorf("a miss: %+v", s)
	}
	if got := get(t, base, "/cache/entry?path="+lost).body; !strings.Contains(got, `"variants": null`) || !strings.Contains(got, `"age_seconds": null`) {
		t.Error(got)
	}
	get(t, base, lost)
	if s := explain(lost); s.Outcome != "hit" || *s.Where != "absent" || *s.Status != 404 || len(s.Variants) != 1 || *s.Variants[0].Bytes != *s.Size {
		t.Errorf("a 404: %+v", s)
	}
	if got := p.Stats().Routes["/athletes/"].Outcomes; got["hit"] != 1 || got["stale"] != 0 {
		t.Errorf("explaining counts as asking: %v", got)
	}
}

func TestEntryWithoutDatabase(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{
		generation: func() (*store.Generation, error) { return nil, store.ErrUnavailable },
		run:        func(context.Context, store.Query) (store.Answer, error) { return store.Answer{}, errors.New("x") },
	}})
	var s api.Entry
	if get(t, base, "/cache/entry?path=/teams/").into(t, &s); s.Outcome != "error" || s.Current != "" {
		t.Errorf("%+v", s)
	}
}
