// Package readapi holds the read API as data, in the terms of package query. Each endpoint
// is one entry with all its facts: path, parameters, the tables that it reads, SQL, columns
// and the shape of its answer. The entries stand in one file a resource, such as
// athletes.go, in a list that the variable endpoints joins with the others; a new endpoint
// is a new entry there. The package knows no driver and no pool: a Query is answered over
// any Database.
package readapi

import (
	"slices"

	"github.com/lewistv/xcri-proxy/store/query"
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

// The types of package query under the names that callers use.
type (
	Endpoint = query.Endpoint
	Query    = query.Query
	Arg      = query.Arg
	Answer   = query.Answer
	Read     = query.Read
	Database = query.Database
	State    = query.State
	Totals   = query.Totals
	Extra    = query.Extra
	Lane     = query.Lane
)

// The lanes.
const (
	ByKey     = query.ByKey
	WholeList = query.WholeList
	Search    = query.Search
)

var endpoints = slices.Concat(
	athleteEndpoints, teamEndpoints("/teams"), teamEndpoints("/team-five"),
	knockoutEndpoints, metadataEndpoints, snapshotEndpoints, scsEndpoints, componentEndpoints, healthEndpoints)

// Endpoints returns the read API. The slice and its elements must not be
// changed.
func Endpoints() []*query.Endpoint { return endpoints }

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

// resources are the answers that extra columns can be added to, by the first part
// of their paths: lists and single rows that show a whole row of the table.
var resources = map[string]*query.Selection{
	"athletes": athletesWithTeams.Build(), "teams": teams.Build(), "team-knockout": knockouts.Build(),
}

// WithColumns returns the extra columns of names such as athletes.national_rank.
func WithColumns(names []string) (*query.Extra, error) { return query.NewExtra(resources, names) }
