package origin

import (
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// TestLaneOf: keys whose parameters the client chooses freely are costly, and fills
// from other tables form another group.
func TestLaneOf(t *testing.T) {
	routes := route.NewRouter(store.Endpoints(), "")
	groups := map[string]string{}
	for _, tt := range []struct {
		key  string
		lane cache.Lane
	}{
		{"/athletes/?division=1", cache.Heavy},
		{"/athletes/?search=ab", cache.Costly},
		{"/athletes/?offset=99999999999999999999", cache.Costly},
		{"/athletes/1", cache.Quick},
		{"/teams/", cache.Heavy},
		{"/metadata/", cache.Quick},
		{"/team-knockout/?search=ab", cache.Costly},
	} {
		lane, group := LaneOf(routes, tt.key)
		if lane != tt.lane || group == "" {
			t.Errorf("%s: lane %s, group %q", tt.key, lane, group)
		}
		groups[tt.key] = group
	}
	if groups["/athletes/1"] != groups["/athletes/?search=ab"] || groups["/athletes/1"] == groups["/teams/"] || groups["/metadata/"] == groups["/teams/"] {
		t.Errorf("groups: %v", groups)
	}
	if lane, group := LaneOf(routes, "/nothing"); lane != cache.Quick || group != "" {
		t.Errorf("a key without a route: lane %s, group %q", lane, group)
	}
	for _, key := range []string{"/scs/biggest-discrepancies", "/scs/athletes/1/discrepancy"} { // they read no table
		if _, err := routes.Question(key); err != nil {
			t.Fatal(err)
		}
		if lane, group := LaneOf(routes, key); lane != cache.Quick || group != "" {
			t.Errorf("%s: lane %s, group %q", key, lane, group)
		}
	}
}
