// Package route turns a request target into a question of the read API: the route
// that answers it, the key of the answer and the query of the store, or the errors of
// its parameters. It imports only the store's table of endpoints.
package route

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/lewistv/xcri-proxy/store"
)

// HealthPath is the path of the one endpoint whose answer the proxy adds to.
const HealthPath = "/health"

// ID numbers the routes of a Router from 0, without gaps.
type ID int

// Route is an endpoint with its path taken apart for matching. It is immutable.
type Route struct {
	ID       ID
	Endpoint *store.Endpoint

	segments []segment
	// keyParts are the parts of the key's path before and after each parameter.
	keyParts []string
}

// Path returns the path of the route's endpoint, such as /athletes/{athlete_hnd}.
func (r *Route) Path() string { return r.Endpoint.Path }

// segment is a part of a path between slashes: a literal, or a parameter.
type segment struct {
	literal string
	param   int // index in the endpoint's Params; -1 for a literal
}

// maxSegments is at least the number of segments of any route.
const maxSegments = 6

// Router finds the route of a target. It is safe for concurrent use.
type Router struct {
	base   basePath
	routes []*Route
	// bySegments holds the routes by their number of segments, in the order in which
	// they are tried: literals come before parameters in their place.
	bySegments [maxSegments + 1][]*Route
	matches    sync.Pool
}

// NewRouter returns a Router for endpoints below a base path, which has no final
// slash and may be empty.
func NewRouter(endpoints []*store.Endpoint, base string) *Router {
	rt := &Router{base: newBasePath(base)}
	rt.matches.New = func() any { return &Match{router: rt} }
	for i, e := range endpoints {
		r := newRoute(ID(i), e)
		rt.routes = append(rt.routes, r)
		n := len(r.segments)
		rt.bySegments[n] = append(rt.bySegments[n], r)
	}
	return rt
}

func newRoute(id ID, e *store.Endpoint) *Route {
	r := &Route{ID: id, Endpoint: e}
	part, param := "", 0
	for name := range strings.SplitSeq(strings.Trim(e.Path, "/"), "/") {
		part += "/"
		if !strings.HasPrefix(name, "{") {
			r.segments = append(r.segments, segment{name, -1})
			part += name
			continue
		}
		r.segments = append(r.segments, segment{"", param})
		r.keyParts = append(r.keyParts, part)
		part, param = "", param+1
	}
	if strings.HasSuffix(e.Path, "/") {
		part += "/"
	}
	r.keyParts = append(r.keyParts, part)
	return r
}

// Routes returns all routes in the order of their IDs. It must not be changed.
func (rt *Router) Routes() []*Route { return rt.routes }

// Named returns the route whose endpoint has a path, with or without the slashes at
// its ends.
func (rt *Router) Named(path string) (*Route, error) {
	for _, r := range rt.routes {
		if strings.Trim(r.Path(), "/") == strings.Trim(path, "/") {
			return r, nil
		}
	}
	paths := make([]string, 0, len(rt.routes))
	for _, r := range rt.routes {
		paths = append(paths, r.Path())
	}
	return nil, fmt.Errorf("route %q: there is none; want one of %s", path, strings.Join(paths, " "))
}

// Of returns the route of a key, or nil.
func (rt *Router) Of(key string) *Route {
	path, _, _ := bytes.Cut([]byte(key), []byte("?"))
	m := rt.Match(path, nil)
	if m == nil {
		return nil
	}
	defer m.Release()
	return m.Route
}

// find sets the route of a raw path, with or without a final slash, and the values of
// its path parameters. It compares segment by segment and folds nothing: an empty
// segment, a dot or an encoded slash is never part of a route.
func (m *Match) find(path []byte) bool {
	var segments [maxSegments][]byte
	n := 0
	path = bytes.TrimPrefix(path, []byte("/"))
	path = bytes.TrimSuffix(path, []byte("/"))
	for more := len(path) > 0; more; n++ {
		if n == maxSegments {
			return false
		}
		segments[n], path, more = bytes.Cut(path, []byte("/"))
		segments[n] = m.decode(segments[n], false)
		if len(segments[n]) == 0 || bytes.IndexByte(segments[n], '/') >= 0 {
			return false
		}
	}
	for _, r := range m.router.bySegments[n] {
		if r.matches(segments[:n]) {
			m.setRoute(r, segments[:n])
			return true
		}
	}
	return false
}

func (r *Route) matches(segments [][]byte) bool {
	for i, s := range r.segments {
		if s.param < 0 && s.literal != string(segments[i]) {
			return false
		}
	}
	return true
}

func (m *Match) setRoute(r *Route, segments [][]byte) {
	m.Route = r
	clear(m.raw[:len(r.Endpoint.Params)])
	for i, s := range r.segments {
		if s.param >= 0 {
			m.raw[s.param] = segments[i]
		}
	}
}
