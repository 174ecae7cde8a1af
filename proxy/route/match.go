package route

import (
	"bytes"
	"fmt"

	"github.com/lewistv/xcri-proxy/store"
)

// maxParams is at least the number of parameters of any endpoint.
const maxParams = 16

// Match is a request whose path belongs to a route: the raw values of the route's
// parameters, and the key that they make. It belongs to one goroutine until Release,
// and its slices point into the path and the query that it was made of.
type Match struct {
	Route *Route

	router   *Router
	query    []byte
	raw      [maxParams][]byte // decoded values; nil for a parameter that is not given
	scratch  []byte            // holds the values in raw that were encoded
	key      []byte
	problems []problem
}

// Match returns the match of a raw path and query, or nil if the path belongs to no
// route. The caller releases it.
func (rt *Router) Match(path, query []byte) *Match {
	m := rt.matches.Get().(*Match)
	m.query = query
	m.reserve(len(path) + len(query))
	if !m.find(path) {
		m.Release()
		return nil
	}
	return m
}

// Release makes m, and all that it returned, available for another request.
func (m *Match) Release() {
	m.Route, m.query = nil, nil
	m.router.matches.Put(m)
}

// Key returns the key of the answer: equal for all requests that ask the same of the
// route, and itself a target of it. It is nil if the value of a parameter is wrong.
func (m *Match) Key() []byte {
	m.parse()
	if !m.canonical() {
		return nil
	}
	return m.key
}

// parse sets the values that the query has for the route's parameters. The last value
// of a repeated parameter counts and unknown parameters are ignored, as in the old
// API. A query parameter with the name of a path parameter is unknown.
func (m *Match) parse() {
	params := m.Route.Endpoint.Params
	query := m.query
	for more := len(query) > 0; more; {
		var pair []byte
		pair, query, more = bytes.Cut(query, []byte("&"))
		name, value, _ := bytes.Cut(pair, []byte("="))
		name = m.decode(name, true)
		for i := range params {
			if !params[i].InPath && params[i].Name == string(name) {
				m.raw[i] = m.decode(value, true)
			}
		}
	}
}

// canonical checks the values and makes the key. Values that equal the default are
// left out. It returns false, with problems, if a value is wrong.
func (m *Match) canonical() bool {
	r := m.Route
	m.key, m.problems = m.key[:0], m.problems[:0]
	var space [64]byte
	inPath := len(r.keyParts) - 1
	for i, part := range r.keyParts {
		m.key = append(m.key, part...)
		if i < inPath {
			text, _ := m.value(i, space[:0])
			m.key = appendEscaped(m.key, text)
		}
	}
	separator := byte('?')
	for i := inPath; i < len(r.Endpoint.Params); i++ {
		text, given := m.value(i, space[:0])
		if p := &r.Endpoint.Params[i]; given && (p.Default == "" || p.Default != string(text)) {
			m.key = append(m.key, separator)
			m.key = append(append(m.key, p.Name...), '=')
			m.key = appendEscaped(m.key, text)
			separator = '&'
		}
	}
	return len(m.problems) == 0
}

// value returns the canonical value of parameter i, in space if it fits there, and
// whether the request gives it. It adds to problems if the value is wrong.
func (m *Match) value(i int, space []byte) (text []byte, given bool) {
	p, raw := &m.Route.Endpoint.Params[i], m.raw[i]
	if raw == nil {
		if p.Required {
			m.problems = append(m.problems, problem{p, store.Missing, nil})
		}
		return nil, false
	}
	text, given, kind := p.Canonical(space, raw)
	if kind != store.OK {
		m.problems = append(m.problems, problem{p, kind, raw})
	}
	return text, given
}

// LegacyTarget returns the request for the old API: the route's path, with or without
// its final slash as the old API wants it, so that it answers without a redirect, and
// the query as it was given. Characters that a target must not contain are
// percent-encoded.
func (m *Match) LegacyTarget() string {
	var target []byte
	for i, part := range m.Route.keyParts {
		target = append(target, part...)
		if i < len(m.Route.keyParts)-1 {
			target = appendEscaped(target, m.raw[i])
		}
	}
	if len(m.query) == 0 {
		return string(target)
	}
	target = append(target, '?')
	for _, c := range m.query {
		if c <= ' ' || c >= 0x7f || c == '#' {
			target = fmt.Appendf(target, "%%%02X", c)
		} else {
			target = append(target, c)
		}
	}
	return string(target)
}
