package route

import (
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/param"
)

// TestEveryEndpointIsReached: no endpoint's path hides another endpoint.
func TestEveryEndpointIsReached(t *testing.T) {
	for _, e := range store.Endpoints() {
		path := strings.NewReplacer("{component}", "saga", "{snapshot_date}", "2025-10-20").Replace(e.Path)
		for strings.Contains(path, "{") {
			i, j := strings.IndexByte(path, '{'), strings.IndexByte(path, '}')
			path = path[:i] + "12" + path[j+1:]
		}
		if r := testRouter.Of(path); r == nil || r.Endpoint != e {
			t.Errorf("%s does not reach %s", path, e.Path)
		}
	}
}

// TestIDs: IDs are dense, so that a slice can be indexed by route.
func TestIDs(t *testing.T) {
	for i, r := range testRouter.Routes() {
		if int(r.ID) != i || r.Endpoint != store.Endpoints()[i] {
			t.Errorf("route %d has ID %d and endpoint %s", i, r.ID, r.Path())
		}
	}
}

// TestNamed: a route is found by its endpoint's path, with any number of slashes at its
// ends.
func TestNamed(t *testing.T) {
	for _, r := range testRouter.Routes() {
		bare := strings.Trim(r.Path(), "/")
		for _, name := range []string{r.Path(), bare, "/" + bare, bare + "/"} {
			if got, err := testRouter.Named(name); got != r || err != nil {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
	}
	for _, name := range []string{"", "/", "/nowhere", "/athletes/7"} {
		if r, err := testRouter.Named(name); r != nil || err == nil {
			t.Errorf("%q names %v", name, r)
		}
	}
}

// TestResolve: a target means the same below each root, and an error says why it
// means nothing.
func TestResolve(t *testing.T) {
	for _, root := range []string{"", "/api", "/iz/xcri/api", "http://proxy.example", "http://proxy.example/iz/xcri/api"} {
		q, err := testRouter.Resolve(root + "/teams?limit=7&division=0")
		if err != nil || q.Key != "/teams/?limit=7" || q.Route.Path() != "/teams/" || q.Query.Int("limit") != 7 {
			t.Errorf("below %q: %+v, %v", root, q, err)
		}
	}
	for target, want := range map[string]string{
		"/nowhere": ErrNoRoute.Error(), "": ErrNoRoute.Error(), "/iz/xcri/teams/": ErrNoRoute.Error(),
		"/teams/?limit=x":              "limit: Input should be a valid integer, unable to parse string as an integer",
		"/athletes/?limit=0&offset=-1": "limit: Input should be greater than or equal to 1; offset: Input should be greater than or equal to 0",
		"/team-knockout/matchups":      "team_id: Field required",
		"/teams/?limit=50001&gender=F": "limit: Input should be less than or equal to 50000",
	} {
		if _, err := testRouter.Resolve(target); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", target, err, want)
		}
	}
}

// TestPathParameterStands: a query parameter with the name of a path parameter does
// not override it.
func TestPathParameterStands(t *testing.T) {
	for target, key := range map[string]string{
		"/athletes/5?athlete_hnd=6":                             "/athletes/5",
		"/teams/5/resume?team_hnd=6":                            "/teams/5/resume",
		"/scs/leaderboard/saga?component=x&limit=3":             "/scs/leaderboard/saga?limit=3",
		"/snapshots/2025-10-20/metadata?snapshot_date=2024-1-1": "/snapshots/2025-10-20/metadata",
	} {
		if got, problems := keyOf(t, target); got != key {
			t.Errorf("%s: key %q, want %q %s", target, got, key, problems)
		}
	}
}

// TestUnknownKeyHasNoRoute: a key outside the routes has none.
func TestUnknownKeyHasNoRoute(t *testing.T) {
	for _, key := range []string{"", "/", "/nowhere?limit=1", "/iz/xcri/api/teams/"} {
		if r := testRouter.Of(key); r != nil {
			t.Errorf("%q: %s", key, r.Path())
		}
	}
}

// TestSeveralPathParameters: the parameters of a path get the values in its order.
func TestSeveralPathParameters(t *testing.T) {
	e := &store.Endpoint{Path: "/{a}/of/{b}/{c}"}
	for _, name := range []string{"a", "b", "c", "d"} {
		e.Params = append(e.Params, store.Param{Name: name, Kind: param.Text, InPath: name != "d"})
	}
	q, err := NewRouter([]*store.Endpoint{e}, "").Resolve("/1/of/2/3?d=4")
	if err != nil || q.Key != "/1/of/2/3?d=4" {
		t.Fatalf("%q, %v", q.Key, err)
	}
	for name, want := range map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"} {
		if got := q.Query.Arg(name).Text; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
