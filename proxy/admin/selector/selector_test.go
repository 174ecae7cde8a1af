package selector

import (
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

func TestMatch(t *testing.T) {
	routes := route.NewRouter(store.Endpoints(), "")
	key := func(path string) string {
		q, err := routes.Resolve(path)
		if err != nil {
			t.Fatal(err)
		}
		return q.Key
	}
	teams := &cache.Entry{Key: key("/teams/?season_year=2025&limit=10"), Content: cache.Content{Scope: "2025/*/*/live"}}
	athletes := &cache.Entry{Key: key("/athletes/?season_year=2024"), Content: cache.Content{Scope: "2024/*/*/live"}}
	for text, tt := range map[string]struct {
		req             api.PurgeRequest
		teams, athletes bool
	}{
		"all":                                    {api.PurgeRequest{All: true}, true, true},
		"all, hard":                              {api.PurgeRequest{All: true, Hard: true}, true, true},
		"path /teams/?limit=10&season_year=2025": {api.PurgeRequest{Path: new("/teams/?limit=10&season_year=2025")}, true, false},
		"route /athletes/":                       {api.PurgeRequest{Route: new("/athletes/")}, false, true},
		"scope 2025/2030/M/live":                 {api.PurgeRequest{Scope: new("2025/2030/M/live")}, true, false},
	} {
		match, err := Match(tt.req, routes)
		if err != nil || match(teams) != tt.teams || match(athletes) != tt.athletes || Text(tt.req) != text {
			t.Errorf("%s: %v, %q", text, err, Text(tt.req))
		}
	}
	for name, req := range map[string]api.PurgeRequest{
		"nothing": {}, "two": {All: true, Route: new("/teams/")}, "no path": {Path: new("/teams/?limit=x")},
		"no route": {Route: new("/nowhere/")}, "no scope": {Scope: new("2025/2030")},
	} {
		if _, err := Match(req, routes); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
