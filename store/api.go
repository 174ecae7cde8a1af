package store

import (
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/scope"
	"github.com/lewistv/xcri-proxy/store/subjects"
)

// The types of the read API under the names that callers of a Store use.
type (
	Endpoint = readapi.Endpoint
	Query    = readapi.Query
	Arg      = readapi.Arg
	Answer   = readapi.Answer
	Lane     = readapi.Lane
	Scope    = scope.Scope
	Param    = param.Param
	Problem  = param.Problem

	Generation  = scope.Generation
	Calculation = scope.Calculation
	Stamp       = scope.Stamp
	Rows        = scope.Rows

	Subjects = subjects.Subjects
)

// The kinds of work that a query is for the database.
const (
	ByKey     = readapi.ByKey
	WholeList = readapi.WholeList
	Search    = readapi.Search
)

// The kinds of parameters.
const (
	Int    = param.Int
	Text   = param.Text
	Choice = param.Choice
	Date   = param.Date
)

// The problems of a parameter's text.
const (
	OK              = param.OK
	Missing         = param.Missing
	IntParsing      = param.IntParsing
	IntParsingSize  = param.IntParsingSize
	TooSmall        = param.TooSmall
	TooLarge        = param.TooLarge
	TooShort        = param.TooShort
	PatternMismatch = param.PatternMismatch
)

// The checkpoints that are no date.
const (
	Live  = scope.Live
	Dated = scope.Dated
)

// Endpoints returns the read API. The slice and its elements must not be
// changed.
func Endpoints() []*Endpoint { return readapi.Endpoints() }

// UncoveredTables returns the tables whose changes no calculation reports.
func UncoveredTables() []string { return readapi.UncoveredTables() }

// Changed returns the scopes whose rows differ between two states of a table.
func Changed(before, after map[Scope]Rows) []Scope { return scope.Changed(before, after) }

// ParseScope reads the text that Scope.String writes.
func ParseScope(text string) (Scope, error) { return scope.Parse(text) }

// ParsePattern reads a scope as an operator writes it, with * for any.
func ParsePattern(text string) (Scope, error) { return scope.ParsePattern(text) }

// NewGeneration returns the generation of calculations, in the order of their
// scopes.
func NewGeneration(calculations ...Calculation) *Generation {
	return scope.NewGeneration(calculations...)
}
