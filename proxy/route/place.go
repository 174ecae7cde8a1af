package route

import "bytes"

// Place is the part of the site that a request target leads to.
type Place struct {
	// Path is the raw path below the API's root, or below the base path if Site is
	// set. It points into the target, as Query does.
	Path, Query []byte
	// Prefix is the text before Path in the target's path: Apache may have removed it.
	Prefix string
	// Site is set for paths below the base path that are neither the API's nor among
	// the proxy's own pages.
	Site bool
}

// Root reports whether the place is the API's root.
func (p Place) Root() bool { return len(p.Path) == 0 || string(p.Path) == "/" }

// basePath is the path below which Apache shows the site, and the API's below it.
type basePath struct{ site, api string }

func newBasePath(path string) basePath { return basePath{path, path + "/api"} }

// Locate returns the place of a request target. The API is below the base path's
// /api, below /api and at the root, and the proxy's own pages are at the root and
// below the base path.
func (rt *Router) Locate(target []byte) Place {
	b := rt.base
	path, query := SplitTarget(target)
	at := Place{Path: path, Query: query}
	rest, below := bytes.CutPrefix(path, []byte(b.site))
	if b.site == "" || !below || len(rest) > 0 && rest[0] != '/' {
		rest, below = path, false
	}
	if api, ok := bytes.CutPrefix(rest, []byte("/api")); ok && (len(api) == 0 || api[0] == '/') {
		at.Path, at.Prefix = api, "/api"
		if below {
			at.Prefix = b.api
		}
		return at
	}
	if below {
		at.Path, at.Prefix = rest, b.site
		page, own := bytes.CutPrefix(rest, []byte("/cache"))
		at.Site = !own || len(page) > 0 && page[0] != '/'
	}
	return at
}

// SplitTarget returns the raw path and the query of a request target. A target in
// absolute form loses its scheme and host.
func SplitTarget(target []byte) (path, query []byte) {
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
