// Package selector finds the entries that a purge selects.
package selector

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/plural"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// Text describes the selector of a purge.
func Text(req api.PurgeRequest) string {
	text := "all"
	switch {
	case req.Path != nil:
		text = "path " + *req.Path
	case req.Route != nil:
		text = "route " + *req.Route
	case req.Scope != nil:
		text = "scope " + *req.Scope
	}
	if req.Hard {
		return text + ", hard"
	}
	return text
}

// Purged describes a purge of n entries.
func Purged(n int, req api.PurgeRequest) string {
	return plural.Of(n, "entry") + " purged, " + Text(req)
}

// Match returns the condition by which a request selects entries. The error names the value at
// fault.
func Match(req api.PurgeRequest, routes *route.Router) (match func(*cache.Entry) bool, err error) {
	given := 0
	for _, is := range []bool{req.Path != nil, req.Route != nil, req.Scope != nil, req.All} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, fmt.Errorf("give one of path, route, scope and all; there are %d", given)
	case req.Path != nil:
		s, err := routes.Resolve(*req.Path)
		if err != nil {
			return nil, fmt.Errorf("path %q: %w", *req.Path, err)
		}
		return func(e *cache.Entry) bool { return e.Key == s.Key }, nil
	case req.Route != nil:
		return ofRoute(*req.Route, routes)
	case req.Scope != nil:
		return inScope(*req.Scope)
	}
	return func(*cache.Entry) bool { return true }, nil
}

// ofRoute matches the entries of one endpoint.
func ofRoute(name string, routes *route.Router) (func(*cache.Entry) bool, error) {
	r, err := routes.Named(name)
	return func(e *cache.Entry) bool { return routes.Of(e.Key) == r }, err
}

// inScope matches the entries that depend on a scope.
func inScope(text string) (func(*cache.Entry) bool, error) {
	wanted, err := store.ParsePattern(text)
	if err != nil {
		return nil, err
	}
	return func(e *cache.Entry) bool {
		s, err := store.ParseScope(e.Scope)
		return err == nil && s.Overlaps(wanted)
	}, nil
}
