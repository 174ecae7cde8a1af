package readapi

import (
	"fmt"
	"strings"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
)

// Endpoint is one question of the read API, as data: where it is asked, what
// it may be asked with, and how it is answered. Endpoints are immutable.
type Endpoint struct {
	// Path names the endpoint, with {name} for each parameter in the path.
	Path string
	// Params are those of the path first, then those of the query, in the
	// order in which the API reports errors.
	Params []param.Param

	// Answer writes the answer to the Read's Body, or returns a refusal.
	Answer func(*Read) error
	// Refuse answers without the database; a nil Refuse, and a nil Answer of it,
	// leave the question to Answer.
	Refuse func(Query) *Answer
	// NotFound is the detail of the 404, with {name} for a parameter.
	NotFound string
	// Span widens the scope that the parameters name.
	Span Span
}

// Span is how much of the data an endpoint's answers depend on.
type Span uint8

// The spans.
const (
	SpanParams Span = iota // the scope that the parameters name
	SpanAll                // all calculations, whatever the parameters name
	SpanDated              // all snapshots
)

// Arg is the value of a parameter, in canonical form.
type Arg struct {
	Given bool
	Text  string
}

// Query is a question: an endpoint and a value for each of its parameters.
type Query struct {
	*Endpoint
	Args []Arg // parallel to Params, with defaults filled in
}

// Arg returns the value of the parameter called name, which must exist.
func (q Query) Arg(name string) Arg {
	for i := range q.Params {
		if q.Params[i].Name == name {
			return q.Args[i]
		}
	}
	panic("store: " + q.Path + " has no parameter " + name)
}

// Int returns the value of an Int parameter, clamped to the range of int64.
func (q Query) Int(name string) int64 { return param.ClampInt(q.Arg(name).Text) }

// where returns the conditions of all parameters and the values to bind.
func (q Query) where() (condition string, args []any) {
	var parts []string
	for i := range q.Params {
		p, arg := &q.Params[i], q.Args[i]
		switch {
		case !arg.Given && p.Absent != "":
			parts = append(parts, p.Absent)
		case arg.Given && p.Where != "":
			parts = append(parts, p.Where)
			for range strings.Count(p.Where, "?") {
				args = append(args, p.Bind(arg.Text))
			}
		}
	}
	return strings.Join(parts, " AND "), args
}

// expand replaces each {name} in text with that parameter's value.
func (q Query) expand(text string) string {
	for i := range q.Params {
		value := "None" // as Python prints an absent value
		if q.Args[i].Given {
			value = q.Args[i].Text
		}
		text = strings.ReplaceAll(text, "{"+q.Params[i].Name+"}", value)
	}
	return text
}

// Answer is what a Query is answered with.
type Answer struct {
	Status int    // 200, or 400, 404, 501 with a body that says why
	Body   []byte // JSON; the caller may keep but not change it
	// Generation names the state of the query's Scope that the answer comes
	// from, as Generation.Of does. It is empty where the database was not asked.
	Generation string
}

func refusal(status int, format string, args ...any) *Answer {
	body := jsontext.AppendString([]byte(`{"detail":`), fmt.Sprintf(format, args...))
	return &Answer{Status: status, Body: append(body, '}')}
}
