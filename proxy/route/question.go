package route

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/lewistv/xcri-proxy/store"
)

// ErrNoRoute is the error of a target that belongs to no route.
var ErrNoRoute = errors.New("not a path of the API")

// Question is a request of the read API.
type Question struct {
	Route *Route
	Key   string
	Query store.Query
}

// Resolve returns the question that a target asks, as a visitor sends it: below the
// API's root or the base path. The error is ErrNoRoute or names the parameters that
// are wrong.
func (rt *Router) Resolve(target string) (Question, error) {
	at := rt.Locate([]byte(target))
	if at.Site {
		return Question{}, ErrNoRoute
	}
	m := rt.Match(at.Path, at.Query)
	if m == nil {
		return Question{}, ErrNoRoute
	}
	defer m.Release()
	key := m.Key()
	if key == nil {
		return Question{}, errors.New(m.Problems())
	}
	return rt.Question(string(key))
}

// Question returns the question of a key.
func (rt *Router) Question(key string) (Question, error) {
	path, query, _ := bytes.Cut([]byte(key), []byte("?"))
	m := rt.Match(path, query)
	if m == nil {
		return Question{}, fmt.Errorf("key %q names no endpoint", key)
	}
	defer m.Release()
	m.parse()
	m.problems = m.problems[:0]
	q := store.Query{Endpoint: m.Route.Endpoint, Args: make([]store.Arg, len(m.Route.Endpoint.Params))}
	for i := range q.Args {
		text, given := m.value(i, nil)
		if d := m.Route.Endpoint.Params[i].Default; !given && m.raw[i] == nil && d != "" {
			text, given = []byte(d), true
		}
		q.Args[i] = store.Arg{Given: given, Text: string(text)}
	}
	if len(m.problems) > 0 {
		return Question{}, fmt.Errorf("key %q: %s", key, m.Problems())
	}
	return Question{m.Route, key, q}, nil
}
