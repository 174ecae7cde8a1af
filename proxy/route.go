package proxy

import (
	"bytes"
	"strings"

	"github.com/lewistv/xcri-proxy/store"
)

// route is an endpoint with its path taken apart for matching.
type route struct {
	endpoint *store.Endpoint
	segments []segment
	// keyParts are what precedes and follows each parameter in the key's path.
	keyParts []string
	// defaults are the canonical defaults of the parameters.
	defaults []string
	figures  figures
}

// segment is a part of a path between slashes: a literal, or a parameter.
type segment struct {
	literal string
	param   int // index in the endpoint's Params; -1 for a literal
}

// maxSegments is more than any route has.
const maxSegments = 6

// router finds the route of a path.
type router struct {
	routes []*route
	// bySegments holds the routes by their number of segments, in the order in
	// which they are tried: literals come before parameters in their place.
	bySegments [maxSegments + 1][]*route
}

func newRouter(endpoints []*store.Endpoint) *router {
	rt := &router{}
	for _, e := range endpoints {
		r := newRoute(e)
		rt.routes = append(rt.routes, r)
		n := len(r.segments)
		rt.bySegments[n] = append(rt.bySegments[n], r)
	}
	return rt
}

func newRoute(e *store.Endpoint) *route {
	r := &route{endpoint: e}
	part, param := "", 0
	path := strings.Trim(e.Path, "/")
	for name := range strings.SplitSeq(path, "/") {
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
	for i := range e.Params {
		r.defaults = append(r.defaults, e.Params[i].Default)
	}
	return r
}

// match finds the route of a raw path, one final slash more or less, and puts
// the values of its parameters in. It compares segment by segment and folds
// nothing: an empty segment, a dot or an encoded slash is never part of one.
func (rt *router) match(path []byte, in *input) *route {
	var segments [maxSegments][]byte
	n := 0
	path = bytes.TrimPrefix(path, []byte("/"))
	path = bytes.TrimSuffix(path, []byte("/"))
	for more := len(path) > 0; more; n++ {
		if n == maxSegments {
			return nil
		}
		segments[n], path, more = bytes.Cut(path, []byte("/"))
		segments[n] = in.decode(segments[n], false)
		if len(segments[n]) == 0 || bytes.IndexByte(segments[n], '/') >= 0 {
			return nil
		}
	}
	for _, r := range rt.bySegments[n] {
		if r.matches(segments[:n], in) {
			return r
		}
	}
	return nil
}

func (r *route) matches(segments [][]byte, in *input) bool {
	for i, s := range r.segments {
		if s.param < 0 && s.literal != string(segments[i]) {
			return false
		}
	}
	in.reset(len(r.endpoint.Params))
	for i, s := range r.segments {
		if s.param >= 0 {
			in.raw[s.param] = segments[i]
		}
	}
	return true
}

// place is where a request's path leads.
type place struct {
	// path is the raw path below the API's root, or below the base path if site
	// is set.
	path, query []byte
	// prefix is what stood before path: Apache may or may not have taken it off.
	prefix string
	// site is set for what is below the base path and neither the API's nor one
	// of the proxy's own pages.
	site bool
}

// basePath is where Apache shows the site, and where the API is below it.
type basePath struct{ site, api string }

func newBasePath(path string) basePath { return basePath{path, path + "/api"} }

// locate finds out where a request target leads. The API is below the base path's
// /api, below /api and at the root, the proxy's own pages below the base path too.
func (b basePath) locate(target []byte) place {
	path, query := splitTarget(target)
	at := place{path: path, query: query}
	rest, below := bytes.CutPrefix(path, []byte(b.site))
	if b.site == "" || !below || len(rest) > 0 && rest[0] != '/' {
		rest, below = path, false
	}
	if api, ok := bytes.CutPrefix(rest, []byte("/api")); ok && (len(api) == 0 || api[0] == '/') {
		at.path, at.prefix = api, "/api"
		if below {
			at.prefix = b.api
		}
		return at
	}
	if below {
		at.path, at.prefix = rest, b.site
		at.site = !bytes.HasPrefix(rest, []byte("/cache"))
	}
	return at
}

// splitTarget takes a request target apart into raw path and query. A target in
// absolute form loses its scheme and host.
func splitTarget(target []byte) (path, query []byte) {
	if len(target) > 0 && target[0] != '/' {
		if i := bytes.Index(target, []byte("://")); i >= 0 {
			target = target[i+3:]
			if i = bytes.IndexAny(target, "/?"); i < 0 {
				return []byte("/"), nil
			}
			target = target[i:]
		}
	}
	path, query, _ = bytes.Cut(target, []byte("?"))
	return path, query
}
