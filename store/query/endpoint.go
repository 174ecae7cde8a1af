// Package query is the language of the read API's endpoints: their parameters,
// the selections of columns and the shapes of lists and single rows, and how a
// question is answered over a Database. Package readapi holds the endpoints.
package query

import "github.com/lewistv/xcri-proxy/store/param"

// Endpoint is one kind of question of the read API. Endpoints are immutable.
type Endpoint struct {
	// Path names the endpoint, with {name} for each parameter in the path.
	Path string
	// Params are the parameters of the path, then the parameters of the query, in the order
	// in which the API reports errors.
	Params []param.Param
	// Reads lists the tables that the answers come from, apart from the
	// metadata table, which every read consults for its generation.
	Reads []string
	// Lane is the cost of an answer without a search.
	Lane Lane
	// Span widens the scope that the parameters name.
	Span Span

	// Own marks an endpoint that the old API does not have, or whose answer describes this
	// program: the database answers it in every setting of the sources, and it is not
	// compared.
	Own bool

	// Answer writes the answer to the Read's Body, or returns a refusal.
	Answer func(*Read) error
	// Refuse answers without the database. A nil Refuse never does; Refuse
	// returns nil for a question that Answer answers.
	Refuse func(Query) *Answer
	// NotFound is the detail of the 404, with {name} for a parameter.
	NotFound string
}

// Lane classifies questions by their cost for the database, so that slow questions
// need not delay the others.
type Lane uint8

// The lanes.
const (
	ByKey     Lane = iota // a few rows, found by an index
	WholeList             // all rows of a scope, or a count of them
	Search                // a free-text search: reads every row of a scope
)

// Span is the part of the data on which an endpoint's answers depend.
type Span uint8

// The spans.
const (
	SpanParams Span = iota // the scope that the parameters name
	SpanAll                // all calculations, independent of the parameters
	SpanDated              // all snapshots
)
