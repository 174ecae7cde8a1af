// Package readapi holds the read API as data. Each endpoint is one entry with
// all its facts: path, parameters, the tables that it reads, SQL, columns and
// the shape of its answer. The entries stand in the files athletes.go to
// health.go, one file a resource; a new endpoint is a new entry there. The
// package knows no driver and no pool: a Query is answered over any Database.
package readapi

import (
	"slices"

	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/scope"
)

// The tables that the endpoints read.
const (
	AthleteTable   = "iz_rankings_xcri_athlete_rankings"
	TeamTable      = "iz_rankings_xcri_team_rankings"
	MetadataTable  = scope.MetadataTable
	ComponentTable = "iz_rankings_xcri_scs_components"
	KnockoutTable  = "iz_rankings_xcri_team_knockout"
	MatchupTable   = "iz_rankings_xcri_team_knockout_matchups"
	SchoolTable    = "iz_athnet_teams"
	ResumeTable    = "iz_groups_season_resumes"
)

// Endpoint is one question of the read API. Endpoints are immutable.
type Endpoint struct {
	// Path names the endpoint, with {name} for each parameter in the path.
	Path string
	// Params are the parameters of the path, then those of the query, in the
	// order in which the API reports errors.
	Params []param.Param
	// Reads lists the tables that the answers come from, apart from the
	// metadata table, which every read consults for its generation.
	Reads []string
	// Lane is the cost of an answer without a search.
	Lane Lane
	// Span widens the scope that the parameters name.
	Span Span

	// Answer writes the answer to the Read's Body, or returns a refusal.
	Answer func(*Read) error
	// Refuse answers without the database. A nil Refuse never does; Refuse
	// returns nil for a question that Answer answers.
	Refuse func(Query) *Answer
	// NotFound is the detail of the 404, with {name} for a parameter.
	NotFound string
}

// Lane is the kind of work that a question is for the database. Questions of
// one lane cost alike, so that slow ones need not delay the others.
type Lane uint8

// The lanes.
const (
	ByKey     Lane = iota // a few rows, found by an index
	WholeList             // all rows of a scope, or a count of them
	Search                // a free-text search: reads every row of a scope
)

// Span is how much of the data an endpoint's answers depend on.
type Span uint8

// The spans.
const (
	SpanParams Span = iota // the scope that the parameters name
	SpanAll                // all calculations, whatever the parameters name
	SpanDated              // all snapshots
)

var endpoints = slices.Concat(
	athleteEndpoints, teamEndpoints("/teams"), teamEndpoints("/team-five"),
	knockoutEndpoints, metadataEndpoints, snapshotEndpoints, scsEndpoints, componentEndpoints, healthEndpoints)

// Endpoints returns the read API. The slice and its elements must not be
// changed.
func Endpoints() []*Endpoint { return endpoints }

// Tables returns the tables that the endpoints read.
func Tables() []string {
	return []string{
		AthleteTable, TeamTable, MetadataTable, ComponentTable, KnockoutTable, MatchupTable, SchoolTable, ResumeTable,
	}
}

// UncoveredTables returns the tables that jobs of their own write: no row of the
// metadata table reports their changes.
func UncoveredTables() []string {
	return []string{KnockoutTable, MatchupTable, SchoolTable, ResumeTable}
}
