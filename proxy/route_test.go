package proxy

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
)

// TestTargets: raw request targets that name a route reach it, and all others reach
// none: no target is cleaned or decoded into another path.
func TestTargets(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri"})
	const none = ""
	for target, want := range map[string]string{
		"/athletes/":                     "/athletes/",
		"/athletes":                      "/athletes/",
		"/athletes?limit=3":              "/athletes/",
		"/athletes/7":                    "/athletes/{athlete_hnd}",
		"/athletes/7/":                   "/athletes/{athlete_hnd}",
		"/athletes/%37":                  "/athletes/{athlete_hnd}",
		"/%61thletes/7":                  "/athletes/{athlete_hnd}",
		"/athletes/team/7/roster":        "/athletes/team/{team_hnd}/roster",
		"/iz/xcri/api/athletes/":         "/athletes/",
		"/iz/xcri/api/athletes":          "/athletes/",
		"/api/athletes/":                 "/athletes/",
		"http://proxy.example/athletes/": "/athletes/",
		"http://proxy.example/iz/xcri/api/teams/?x=1": "/teams/",
		"https://elsewhere.example/teams":             "/teams/",
		"/team-five/7":                                "/team-five/{team_hnd}",
		"/team-knockout/matchups?team_id=1":           "/team-knockout/matchups",
		"/team-knockout/matchups/meet/9/":             "/team-knockout/matchups/meet/{race_hnd}",
		"/team-knockout/8":                            "/team-knockout/{team_id}",
		"/metadata/latest":                            "/metadata/latest",
		"/metadata/latest/date/":                      "/metadata/latest/date",
		"/snapshots/2025-10-20/metadata":              "/snapshots/{snapshot_date}/metadata",
		"/scs/leaderboard/saga":                       "/scs/leaderboard/{component}",

		"//athletes/":                  none,
		"/athletes//":                  none,
		"/athletes//7":                 none,
		"/teams/../athletes/":          none,
		"/teams/%2e%2e/athletes/":      none,
		"/athletes%2F7":                none,
		"/athletes/7%2Fresume":         none,
		"/athletes%2f":                 none,
		"/ATHLETES/":                   none,
		"/athletes/7/8":                none,
		"/iz/xcri/athletes/":           none,
		"/iz/xcri":                     none,
		"/iz/xcri/":                    none,
		"/iz/xcri/apiathletes/":        none,
		"/iz/xcrix/api/athletes/":      none,
		"/IZ/xcri/api/athletes/":       none,
		"/athletes/team/7":             none,
		"/a/b/c/d/e/f/g/h":             none,
		"/athletes\\7":                 none,
		"http://proxy.example//teams/": none,
	} {
		a := get(t, base, target)
		got := none
		if a.status == 200 {
			got = strings.TrimSuffix(strings.TrimPrefix(a.body, `{"path":"`), `"}`)
		} else if a.status != 404 || a.body != `{"detail":"Not Found"}` {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
		if got != want {
			t.Errorf("%s reached %q, want %q", target, got, want)
		}
	}
}

// TestBadPathParameter: a path that matches a route except for an invalid parameter
// gets a 422, as in the old API.
func TestBadPathParameter(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{}})
	for _, target := range []string{"/athletes/x", "/athletes/.", "/athletes/./", "/athletes/..", "/athletes/%2e%2e", "/metadata/x"} {
		if a := get(t, base, target); a.status != 422 || !strings.Contains(a.body, `"loc":["path",`) {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
}

func TestMethods(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{}})
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "TRACE", "FOO", "get"} {
		for _, target := range []string{"/athletes/", "/health", "/"} {
			a := ask(t, base, method, target)
			if a.status != 405 || a.body != `{"detail":"Method Not Allowed"}` || a.header.Get("Allow") != "GET, HEAD, OPTIONS" {
				t.Errorf("%s %s: %d %s, Allow %q", method, target, a.status, a.body, a.header.Get("Allow"))
			}
		}
		if a := ask(t, base, method, "/nowhere"); a.status != 404 {
			t.Errorf("%s /nowhere: %d", method, a.status)
		}
	}
}

func TestHead(t *testing.T) {
	long := `{"x":"` + strings.Repeat("long ", 20000) + `"}`
	_, base := start(t, Options{Origin: &fakeOrigin{run: func(_ context.Context, q store.Query) (store.Answer, error) {
		if q.Path == "/teams/" {
			return store.Answer{Status: 200, Body: []byte(long)}, nil
		}
		return store.Answer{Status: 200, Body: []byte(`{}`)}, nil
	}}})
	for _, coding := range []string{"", "gzip"} {
		for _, target := range []string{"/teams/", "/athletes/", "/athletes/?limit=x", "/nowhere", "/health"} {
			want := get(t, base, target, "Accept-Encoding", coding)
			got := ask(t, base, "HEAD", target, "Accept-Encoding", coding)
			if got.body != "" {
				t.Errorf("HEAD %s: body %.50q", target, got.body)
			}
			if want.status != got.status {
				t.Errorf("HEAD %s: status %d, want %d", target, got.status, want.status)
			}
			for _, name := range []string{"Content-Type", "Content-Encoding", "Etag", "Vary", "Cache-Control"} {
				if got.header.Get(name) != want.header.Get(name) {
					t.Errorf("HEAD %s: %s %q, want %q", target, name, got.header.Get(name), want.header.Get(name))
				}
			}
			if n := fmt.Sprint(len(want.body)); target != "/health" && got.header.Get("Content-Length") != n {
				t.Errorf("HEAD %s %s: Content-Length %q, want %s", target, coding, got.header.Get("Content-Length"), n)
			}
		}
	}
}

// TestOptions: OPTIONS returns the methods of a target.
func TestOptions(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri"})
	for _, target := range []string{"*", "/", "/athletes/", "/athletes/7", "/athletes/?limit=x", "/health", "/livez", "/readyz", "/iz/xcri/api/teams/"} {
		for _, headers := range [][]string{nil, {"Origin", "https://a"}, {"Access-Control-Request-Method", "GET"}} {
			a := ask(t, base, "OPTIONS", target, headers...)
			if a.status != 204 || a.body != "" || a.header.Get("Allow") != "GET, HEAD, OPTIONS" || a.header.Get("Content-Type") != "" || a.header.Get("Content-Length") != "" {
				t.Errorf("%s %v: %d %s %v", target, headers, a.status, a.body, a.header)
			}
		}
	}
	if a := ask(t, base, "OPTIONS", "/nowhere"); a.status != 404 {
		t.Errorf("/nowhere: %d", a.status)
	}
}
