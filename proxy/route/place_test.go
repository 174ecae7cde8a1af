package route

import (
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
)

// TestLocate: a target leads to the API, to the proxy's own pages, or to the site, by
// whole segments of its path.
func TestLocate(t *testing.T) {
	const site = true
	for target, want := range map[string]struct {
		path, query, prefix string
		site                bool
	}{
		"/":                               {"/", "", "", false},
		"":                                {"", "", "", false},
		"*":                               {"*", "", "", false},
		"/teams/?a=b?c":                   {"/teams/", "a=b?c", "", false},
		"/api":                            {"", "", "/api", false},
		"/api/":                           {"/", "", "/api", false},
		"/api/teams/?x":                   {"/teams/", "x", "/api", false},
		"/apiary":                         {"/apiary", "", "", false},
		"/api/api/x":                      {"/api/x", "", "/api", false},
		"/iz/xcri/api":                    {"", "", "/iz/xcri/api", false},
		"/iz/xcri/api/teams/":             {"/teams/", "", "/iz/xcri/api", false},
		"/iz/xcri/apiary":                 {"/apiary", "", "/iz/xcri", site},
		"/iz/xcri":                        {"", "", "/iz/xcri", site},
		"/iz/xcri/":                       {"/", "", "/iz/xcri", site},
		"/iz/xcri/teams/?x":               {"/teams/", "x", "/iz/xcri", site},
		"/iz/xcrix":                       {"/iz/xcrix", "", "", false},
		"/iz/xcrix/api/teams/":            {"/iz/xcrix/api/teams/", "", "", false},
		"/iz/xcri/cache":                  {"/cache", "", "/iz/xcri", false},
		"/iz/xcri/cache/stats":            {"/cache/stats", "", "/iz/xcri", false},
		"/iz/xcri/cachex":                 {"/cachex", "", "/iz/xcri", site},
		"/iz/xcri/cache.html":             {"/cache.html", "", "/iz/xcri", site},
		"/iz/xcri/cached-page":            {"/cached-page", "", "/iz/xcri", site},
		"http://a":                        {"/", "", "", false},
		"http://a?x":                      {"", "x", "", false},
		"http:///teams/?x":                {"/teams/", "x", "", false},
		"http://a/teams/?x":               {"/teams/", "x", "", false},
		"https://a:80/iz/xcri/api/teams/": {"/teams/", "", "/iz/xcri/api", false},
		"/teams/?to=http://a/":            {"/teams/", "to=http://a/", "", false},
		"/http://a/teams/":                {"/http://a/teams/", "", "", false},
	} {
		got := testRouter.Locate([]byte(target))
		if string(got.Path) != want.path || string(got.Query) != want.query || got.Prefix != want.prefix || got.Site != want.site {
			t.Errorf("%s: %q %q %q site %t, want %+v", target, got.Path, got.Query, got.Prefix, got.Site, want)
		}
		if root := want.path == "" || want.path == "/"; got.Root() != root {
			t.Errorf("%s: root %t", target, got.Root())
		}
	}
	bare := NewRouter(store.Endpoints(), "")
	for target, prefix := range map[string]string{"/teams/": "", "/api/teams/": "/api"} {
		if got := bare.Locate([]byte(target)); string(got.Path) != "/teams/" || got.Prefix != prefix || got.Site {
			t.Errorf("without a base path, %s: %+v", target, got)
		}
	}
}

// TestMatchPaths: a path belongs to a route by its segments, and nothing in it is folded.
func TestMatchPaths(t *testing.T) {
	for path, want := range map[string]string{
		"/athletes/": "/athletes/", "/athletes": "/athletes/", "athletes": "/athletes/", "/%61thletes": "/athletes/",
		"/athletes/7": "/athletes/{athlete_hnd}", "/athletes/7/": "/athletes/{athlete_hnd}", "/athletes/..": "/athletes/{athlete_hnd}",
		"/athletes/team/7/roster": "/athletes/team/{team_hnd}/roster",
		"/scs/leaderboard/a+b":    "/scs/leaderboard/{component}",
		"":                        "", "/": "", "//": "", "/athletes//": "", "//athletes/": "", "/athletes/7//": "", "/athletes%2F7": "", "/athletes/7%2F8": "", "/athletes/%2F": "",
		"/ATHLETES/": "", "/athletes/7/8": "", "/a/b/c/d/e/f/g/h/i": "", "/teams/../athletes/": "",
	} {
		got := ""
		if m := testRouter.Match([]byte(path), nil); m != nil {
			got = m.Route.Path()
			m.Release()
		}
		if got != want {
			t.Errorf("%q belongs to %q, want %q", path, got, want)
		}
	}
	if key, problems := keyOf(t, "/scs/leaderboard/a+b"); key != "/scs/leaderboard/a%2Bb" {
		t.Errorf("a plus in a path: %q %s", key, problems)
	}
}

// TestLegacyTarget: the old API gets the route's own path, and the query as it came.
func TestLegacyTarget(t *testing.T) {
	for _, tt := range []struct{ path, query, want string }{
		{"/teams", "", "/teams/"}, {"/teams/", "", "/teams/"}, {"/athletes/7/", "", "/athletes/7"},
		{"/teams", "limit=5&limit=x&unknown", "/teams/?limit=5&limit=x&unknown"},
		{"/teams", "a=%20+~", "/teams/?a=%20+~"},
		{"/teams", "a= b\x00\x1f\x7f\xff#c", "/teams/?a=%20b%00%1F%7F%FF%23c"},
		{"/athletes/team/%37/roster", "x", "/athletes/team/7/roster?x"},
		{"/scs/leaderboard/a b\xc3\xb1", "", "/scs/leaderboard/a%20b%C3%B1"},
	} {
		m := testRouter.Match([]byte(tt.path), []byte(tt.query))
		if m == nil {
			t.Fatalf("%s: no route", tt.path)
		}
		if got := m.LegacyTarget(); got != tt.want {
			t.Errorf("%s %q: %s, want %s", tt.path, tt.query, got, tt.want)
		}
		m.Release()
	}
}

// TestMatchIsReused: a reused match holds nothing of the previous request.
func TestMatchIsReused(t *testing.T) {
	const full = "/teams/?gender=M&limit=7&search=St%20Mary"
	for range 100 {
		for _, target := range []string{full, "/teams/", "/athletes/5", "/teams/?limit=7"} {
			if key, problems := keyOf(t, target); key != target {
				t.Fatalf("%s: key %q %s", target, key, problems)
			}
		}
		if _, problems := keyOf(t, "/teams/?limit=x&gender=MF"); strings.Count(problems, `"type"`) != 2 {
			t.Fatal(problems)
		}
	}
}

// TestLongTarget: values that are encoded stay right however long the target is.
func TestLongTarget(t *testing.T) {
	long := ""
	for range 2000 {
		long += "%61+"
	}
	q, err := testRouter.Resolve("/teams/?search=" + long + "&region=" + long)
	want := ""
	for range 2000 {
		want += "a "
	}
	if err != nil || q.Query.Arg("search").Text != want {
		t.Errorf("%v, %d bytes, want %d", err, len(q.Query.Arg("search").Text), len(want))
	}
}

// TestLegacyTargetOfAParsedRequest: the request for the old API is the same before and
// after the query was read.
func TestLegacyTargetOfAParsedRequest(t *testing.T) {
	for _, target := range []string{"/athletes/?season_year=2025&division=2030", "/athletes/5?season_year=2024", "/scs/leaderboard/saga?limit=5"} {
		m := testRouter.Match(SplitTarget([]byte(target)))
		if m == nil {
			t.Fatal(target)
		}
		before := m.LegacyTarget()
		if m.Key(); m.LegacyTarget() != before || before != target {
			t.Errorf("%s: %s, then %s", target, before, m.LegacyTarget())
		}
		m.Release()
	}
}

// TestRoutes: each endpoint has a route, at the index of its ID, and a Router works
// without a base path.
func TestRoutes(t *testing.T) {
	endpoints := store.Endpoints()
	for _, rt := range []*Router{testRouter, NewRouter(endpoints, "")} {
		routes := rt.Routes()
		if len(routes) != len(endpoints) {
			t.Fatalf("%d routes", len(routes))
		}
		for i, r := range routes {
			if r.ID != ID(i) || r.Endpoint.Path != endpoints[i].Path {
				t.Errorf("route %d is %s with the ID %d", i, r.Path(), r.ID)
			}
		}
	}
}
