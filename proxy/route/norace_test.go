//go:build !race

// The race detector makes a sync.Pool drop items at random.

package route

import (
	"testing"

	"github.com/lewistv/xcri-proxy/store"
)

// TestMatchesAreReleased: each way to use a match ends with its release.
func TestMatchesAreReleased(t *testing.T) {
	const times = 1000
	for name, use := range map[string]func(rt *Router){
		"a request":           func(rt *Router) { rt.Match([]byte("/teams/"), nil).Release() },
		"no route":            func(rt *Router) { rt.Match([]byte("/nowhere"), nil) },
		"the route of a key":  func(rt *Router) { rt.Of("/teams/") },
		"a question":          func(rt *Router) { rt.Question("/teams/") },
		"a target":            func(rt *Router) { rt.Resolve("/teams/") },
		"a refused key":       func(rt *Router) { rt.Question("/teams/?limit=x") },
		"a refused parameter": func(rt *Router) { rt.Resolve("/teams/?limit=x") },
	} {
		rt, made := NewRouter(store.Endpoints(), ""), 0
		rt.matches.New = func() any { made++; return &Match{router: rt} }
		for range times {
			use(rt)
		}
		// The garbage collector may empty the pool.
		if made == 0 || made > times/2 {
			t.Errorf("%s: %d of %d times the match was new", name, made, times)
		}
	}
}
