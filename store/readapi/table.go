// Package readapi holds the read API as data: one table of endpoints, each with
// its parameters, its SQL and its columns. It knows no driver and no pool: a
// question is answered over any Database.
package readapi

import "github.com/lewistv/xcri-proxy/store/param"

// The tables that the endpoints read.
const (
	AthleteTable   = "iz_rankings_xcri_athlete_rankings"
	TeamTable      = "iz_rankings_xcri_team_rankings"
	MetadataTable  = "iz_rankings_xcri_calculation_metadata"
	ComponentTable = "iz_rankings_xcri_scs_components"
	KnockoutTable  = "iz_rankings_xcri_team_knockout"
	MatchupTable   = "iz_rankings_xcri_team_knockout_matchups"
	SchoolTable    = "iz_athnet_teams"
	ResumeTable    = "iz_groups_season_resumes"
)

const (
	lightDivision = "r.algorithm_type = 'light' AND r.scoring_group = 'division'"
	liveDivision  = "r.checkpoint_date IS NULL AND " + lightDivision
)

// Parameters that several endpoints share. Their order within an endpoint is
// the API's: errors are reported in it.
var (
	division     = param.Param{Name: "division", Kind: param.Int, Zero: true, Where: "r.division_code = ?"}
	gender       = param.Param{Name: "gender", Kind: param.Choice, Choices: []string{"M", "F"}, Fold: param.Upper, Pattern: "^[MFmf]$", Where: "r.gender_code = ?"}
	checkpoint   = param.Param{Name: "checkpoint_date", Kind: param.Date, Zero: true, Where: "r.checkpoint_date = ?", Absent: "r.checkpoint_date IS NULL"}
	scoringGroup = param.Param{Name: "scoring_group", Kind: param.Text, Default: "division", Where: "r.scoring_group = ?"}
	algorithm    = param.Param{Name: "algorithm_type", Kind: param.Text, Default: "light", Where: "r.algorithm_type = ?"}
	offset       = param.Param{Name: "offset", Kind: param.Int, Default: "0", Min: bound(0)}
	region       = param.Param{Name: "region", Kind: param.Text, Zero: true, Where: "r.regl_group_name = ?"}
	conference   = param.Param{Name: "conference", Kind: param.Text, Zero: true, Where: "r.conf_group_name = ?"}
	searchTeam   = search("r.team_name LIKE ?")
	searchPeople = search("(r.athlete_name_first LIKE ? OR r.athlete_name_last LIKE ? OR r.team_name LIKE ?)")

	groupType  = param.Param{Name: "rank_group_type", Kind: param.Choice, Default: "D", Choices: []string{"D", "R", "C"}, Pattern: "^[DRC]$", Where: "r.rank_group_type = ?"}
	group      = param.Param{Name: "rank_group_fk", Kind: param.Int, Where: "r.rank_group_fk = ?"}
	genderCode = gender.Named("gender_code")

	// The scs endpoints compare and repeat the gender as it came.
	anyGender   = param.Param{Name: "gender", Kind: param.Text, Default: "M", Where: "r.gender_code = ?"}
	anyDivision = param.Param{Name: "division", Kind: param.Int, Default: "2030", Where: "r.division_code = ?"}
	component   = param.Param{Name: "component", Kind: param.Choice, InPath: true, Required: true, Choices: components, Fold: param.Lower}
)

var components = []string{"saga", "sewr", "osma", "xcri"}

func season(year string) param.Param {
	return param.Param{Name: "season_year", Kind: param.Int, Default: year, Where: "r.season_year = ?"}
}

func limit(standard string, most int64) param.Param {
	return param.Param{Name: "limit", Kind: param.Int, Default: standard, Min: bound(1), Max: bound(most)}
}

func search(where string) param.Param {
	return param.Param{Name: "search", Kind: param.Text, MinLen: 2, Like: true, Where: where}
}

// handle is a required integer in the path.
func handle(name, where string) param.Param {
	return param.Param{Name: name, Kind: param.Int, InPath: true, Required: true, Where: where}
}

// team is a required integer in the query.
func team(name, where string) param.Param {
	return param.Param{Name: name, Kind: param.Int, Required: true, Where: where}
}

func bound(n int64) *int64 { return &n }

// snapshot is the date in the path of /snapshots/: the day's own endpoint
// repeats it as it came.
var snapshot = param.Param{Name: "snapshot_date", Kind: param.Date, InPath: true, Required: true, Where: "r.checkpoint_date = ?"}

func join(lists ...[]param.Param) (all []param.Param) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

var (
	// scope is what tells one calculation from another.
	scope = []param.Param{season("2024"), division, gender, scoringGroup, checkpoint, algorithm}
	paged = []param.Param{limit("100", 50000), offset}

	knockoutScope = []param.Param{season("2025"), groupType, group, genderCode, checkpoint}
	twoTeams      = []param.Param{team("team_a_id", ""), team("team_b_id", "")}
	scsScope      = []param.Param{season("2024"), anyDivision, anyGender}
	// The metadata endpoint tells a zero from nothing.
	metadataScope = []param.Param{season("2024"), division.KeepZero(), gender, scoringGroup.Or(""),
		checkpoint.KeepZero(), algorithm.Or("")}
)

// Tables returns the tables that the endpoints read.
func Tables() []string {
	return []string{
		AthleteTable, TeamTable, MetadataTable, ComponentTable, KnockoutTable, MatchupTable, SchoolTable, ResumeTable,
	}
}

// Endpoints returns the read API. The answers under /team-five are those under
// /teams. The slice and what it holds must not be changed.
func Endpoints() []*Endpoint { return endpoints }

var endpoints = []*Endpoint{
	{Path: "/athletes/", Answer: list(athletesWithTeams), Params: join(scope, paged, []param.Param{searchPeople,
		{Name: "min_races", Kind: param.Int, Min: bound(1), Where: "r.races_count >= ?"},
		region.On("t.regl_group_name = ?"), conference.On("t.conf_group_name = ?")})},
	{Path: "/athletes/{athlete_hnd}", Answer: single(athletes.ordered("r.calculated_at DESC, r.ranking_id")),
		Params:   join([]param.Param{handle("athlete_hnd", "r.anet_athlete_hnd = ?")}, scope),
		NotFound: "Athlete {athlete_hnd} not found for season {season_year}"},
	{Path: "/athletes/team/{team_hnd}/roster", Answer: list(athletes),
		Params: join([]param.Param{handle("team_hnd", "r.anet_team_hnd = ?")}, scope, []param.Param{limit("100", 500)})},

	teamList("/teams/"), oneTeam("/teams/{team_hnd}"), resume("/teams/{team_hnd}/resume"),
	teamList("/team-five/"), oneTeam("/team-five/{team_hnd}"), resume("/team-five/{team_hnd}/resume"),

	{Path: "/team-knockout/", Answer: list(knockouts),
		Params: join(knockoutScope, []param.Param{limit("100", 500), offset, searchTeam, region, conference})},
	{Path: "/team-knockout/matchups", Answer: teamMatchups,
		Params: join([]param.Param{team("team_id", involves)}, knockoutScope, []param.Param{limit("50", 500), offset})},
	{Path: "/team-knockout/matchups/head-to-head", Answer: headToHead, Refuse: differentTeams,
		Params:   join(twoTeams, knockoutScope),
		NotFound: "No matchups found between team_a_id={team_a_id} and team_b_id={team_b_id}"},
	{Path: "/team-knockout/matchups/common-opponents", Answer: commonOpponents, Refuse: differentTeams,
		Params:   join(twoTeams, knockoutScope),
		NotFound: "No common opponents found between team_a_id={team_a_id} and team_b_id={team_b_id}"},
	{Path: "/team-knockout/matchups/meet/{race_hnd}", Answer: meetMatchups,
		Params:   []param.Param{handle("race_hnd", "r.race_hnd = ?"), season("2025"), checkpoint},
		NotFound: "No matchups found for race_hnd={race_hnd}"},
	{Path: "/team-knockout/{team_id}", Answer: single(knockouts.ordered("r.calculation_date DESC, r.id")),
		Params:   join([]param.Param{handle("team_id", "r.team_id = ?")}, knockoutScope),
		NotFound: "Team Knockout ranking not found for team_id={team_id}"},

	{Path: "/metadata/", Answer: whole("results", metadata), Params: metadataScope},
	{Path: "/metadata/latest", Answer: whole("results", latestMetadata)},
	{Path: "/metadata/latest/date", Answer: latestDate, NotFound: "No calculation metadata found"},
	{Path: "/metadata/summary/processing", Answer: summary},
	{Path: "/metadata/{metadata_id}", Answer: single(metadata),
		Params:   []param.Param{handle("metadata_id", "r.metadata_id = ?")},
		NotFound: "Metadata record {metadata_id} not found"},

	{Path: "/snapshots/", Answer: snapshotDates, Span: SpanDated},
	{Path: "/snapshots/{snapshot_date}/athletes", Answer: list(snapshotAthletes),
		Params: join([]param.Param{snapshot, division.KeepZero().Needed(), gender.Needed()}, paged,
			[]param.Param{searchPeople, region, conference})},
	{Path: "/snapshots/{snapshot_date}/teams", Answer: list(snapshotTeams),
		Params: join([]param.Param{snapshot, division.KeepZero().Needed(), gender.Needed()}, paged,
			[]param.Param{searchTeam, region, conference})},
	{Path: "/snapshots/{snapshot_date}/metadata", Answer: snapshotScopes, Params: []param.Param{snapshot.Echoed()},
		NotFound: "Snapshot {snapshot_date} not found"},

	{Path: "/scs/athletes/{athlete_hnd}/components", Answer: single(athleteComponents),
		Params: []param.Param{handle("athlete_hnd", "r.anet_athlete_hnd = ?"), season("2024"), division.KeepZero(),
			{Name: "gender", Kind: param.Choice, Choices: []string{"M", "F"}, Fold: param.Upper, Where: "r.gender_code = ?"}},
		NotFound: "SCS components not found for athlete {athlete_hnd}"},
	{Path: "/scs/athletes/{athlete_hnd}/comparison", Answer: comparison,
		Params:   join([]param.Param{handle("athlete_hnd", "")}, scsScope),
		NotFound: "SCS components not found for athlete {athlete_hnd}"},
	{Path: "/scs/athletes/{athlete_hnd}/discrepancy", Refuse: comingSoon,
		Params: join([]param.Param{handle("athlete_hnd", "")}, scsScope)},
	{Path: "/scs/biggest-discrepancies", Refuse: comingSoon, Params: join(scsScope, []param.Param{scsLimit})},
	{Path: "/scs/leaderboard/{component}", Answer: leaderboard, Params: join([]param.Param{component}, scsScope, []param.Param{scsLimit}),
		Refuse: knownComponent(". Must be one of {'saga', 'sewr', 'osma', 'xcri'}")},
	{Path: "/scs/distribution/{component}", Answer: distribution, Refuse: knownComponent(""),
		Params: join([]param.Param{component}, scsScope, []param.Param{{Name: "bins", Kind: param.Int, Default: "10", Min: bound(5), Max: bound(20)}})},

	{Path: "/components/athletes/{athlete_hnd}", Answer: single(athleteComponents),
		Params:   []param.Param{handle("athlete_hnd", "r.anet_athlete_hnd = ?"), season("2024"), division, gender},
		NotFound: "Component data not found for athlete {athlete_hnd}"},
	{Path: "/components/leaderboard", Answer: componentList, Params: join([]param.Param{
		{Name: "component", Kind: param.Choice, Required: true, Choices: components, Pattern: "^(saga|sewr|osma|xcri)$"},
		season("2024"), division, gender}, paged)},

	// The proxy adds the rest to what is read here.
	{Path: "/health", Answer: counts},
}

// scsLimit has no lower bound in the API.
var scsLimit = param.Param{Name: "limit", Kind: param.Int, Default: "25", Max: bound(100)}

func teamList(path string) *Endpoint {
	return &Endpoint{Path: path, Answer: list(teams), Params: join(scope, paged, []param.Param{searchTeam, region, conference})}
}

func oneTeam(path string) *Endpoint {
	return &Endpoint{Path: path, Answer: single(teams.ordered("r.calculated_at DESC, r.ranking_id")),
		Params:   join([]param.Param{handle("team_hnd", "r.anet_team_hnd = ?")}, scope),
		NotFound: "Team {team_hnd} not found for season {season_year}"}
}

func resume(path string) *Endpoint {
	return &Endpoint{Path: path, Answer: single(resumes), Span: SpanAll,
		Params: []param.Param{handle("team_hnd", "t.IDSchool = ?"), season("2025"),
			division.KeepZero().On(""), gender.Echoed().On("r.gender_fk = CASE WHEN ? IN ('M', 'm') THEN 1 ELSE 2 END")},
		NotFound: "Season resume not found for team {team_hnd} (season={season_year}, division={division}, gender={gender})"}
}

func comingSoon(Query) *Answer { return refusal(501, "Endpoint not yet implemented - coming soon") }

func knownComponent(hint string) func(Query) *Answer {
	return func(q Query) *Answer {
		c := q.Arg("component").Text
		for _, known := range components {
			if c == known {
				return nil
			}
		}
		return refusal(400, "Invalid component: %s%s", c, hint)
	}
}

func (q Query) has(name string) bool {
	for i := range q.Params {
		if q.Params[i].Name == name {
			return true
		}
	}
	return false
}

// componentList answers with a page of the athletes by the component asked for.
func componentList(r *Read) error {
	return componentLists[r.Arg("component").Text](r)
}
