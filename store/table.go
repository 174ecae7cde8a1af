package store

const (
	athleteTable   = "iz_rankings_xcri_athlete_rankings"
	teamTable      = "iz_rankings_xcri_team_rankings"
	metadataTable  = "iz_rankings_xcri_calculation_metadata"
	componentTable = "iz_rankings_xcri_scs_components"
	knockoutTable  = "iz_rankings_xcri_team_knockout"
	matchupTable   = "iz_rankings_xcri_team_knockout_matchups"
	schoolTable    = "iz_athnet_teams"
	resumeTable    = "iz_groups_season_resumes"

	lightDivision = "r.algorithm_type = 'light' AND r.scoring_group = 'division'"
	liveDivision  = "r.checkpoint_date IS NULL AND " + lightDivision
)

// Parameters that several endpoints share. Their order within an endpoint is
// the API's: errors are reported in it.
var (
	division     = Param{Name: "division", Kind: Int, Zero: true, Where: "r.division_code = ?"}
	gender       = Param{Name: "gender", Kind: Choice, Choices: []string{"M", "F"}, Fold: upper, Pattern: "^[MFmf]$", Where: "r.gender_code = ?"}
	checkpoint   = Param{Name: "checkpoint_date", Kind: Date, Zero: true, Where: "r.checkpoint_date = ?", Absent: "r.checkpoint_date IS NULL"}
	scoringGroup = Param{Name: "scoring_group", Kind: Text, Default: "division", Where: "r.scoring_group = ?"}
	algorithm    = Param{Name: "algorithm_type", Kind: Text, Default: "light", Where: "r.algorithm_type = ?"}
	offset       = Param{Name: "offset", Kind: Int, Default: "0", Min: bound(0)}
	region       = Param{Name: "region", Kind: Text, Zero: true, Where: "r.regl_group_name = ?"}
	conference   = Param{Name: "conference", Kind: Text, Zero: true, Where: "r.conf_group_name = ?"}
	searchTeam   = search("r.team_name LIKE ?")
	searchPeople = search("(r.athlete_name_first LIKE ? OR r.athlete_name_last LIKE ? OR r.team_name LIKE ?)")

	groupType  = Param{Name: "rank_group_type", Kind: Choice, Default: "D", Choices: []string{"D", "R", "C"}, Pattern: "^[DRC]$", Where: "r.rank_group_type = ?"}
	group      = Param{Name: "rank_group_fk", Kind: Int, Where: "r.rank_group_fk = ?"}
	genderCode = gender.named("gender_code")

	// The scs endpoints compare and repeat the gender as it came.
	anyGender   = Param{Name: "gender", Kind: Text, Default: "M", Where: "r.gender_code = ?"}
	anyDivision = Param{Name: "division", Kind: Int, Default: "2030", Where: "r.division_code = ?"}
	component   = Param{Name: "component", Kind: Choice, InPath: true, Required: true, Choices: components, Fold: lower}
)

var components = []string{"saga", "sewr", "osma", "xcri"}

func season(year string) Param {
	return Param{Name: "season_year", Kind: Int, Default: year, Where: "r.season_year = ?"}
}

func limit(standard string, most int64) Param {
	return Param{Name: "limit", Kind: Int, Default: standard, Min: bound(1), Max: bound(most)}
}

func search(where string) Param {
	return Param{Name: "search", Kind: Text, MinLen: 2, Like: true, Where: where}
}

// handle is a required integer in the path.
func handle(name, where string) Param {
	return Param{Name: name, Kind: Int, InPath: true, Required: true, Where: where}
}

// team is a required integer in the query.
func team(name, where string) Param {
	return Param{Name: name, Kind: Int, Required: true, Where: where}
}

func (p Param) named(name string) Param    { p.Name = name; return p }
func (p Param) where(where string) Param   { p.Where = where; return p }
func (p Param) required() Param            { p.Required = true; return p }
func (p Param) standard(text string) Param { p.Default = text; return p }
func (p Param) zero(zero bool) Param       { p.Zero = zero; return p }
func (p Param) echo() Param                { p.Echo = true; return p }

func bound(n int64) *int64 { return &n }

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// snapshot is the date in the path of /snapshots/: the day's own endpoint
// repeats it as it came.
var snapshot = Param{Name: "snapshot_date", Kind: Date, InPath: true, Required: true, Where: "r.checkpoint_date = ?"}

func join(lists ...[]Param) (all []Param) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

var (
	// scope is what tells one calculation from another.
	scope = []Param{season("2024"), division, gender, scoringGroup, checkpoint, algorithm}
	paged = []Param{limit("100", 50000), offset}

	knockoutScope = []Param{season("2025"), groupType, group, genderCode, checkpoint}
	twoTeams      = []Param{team("team_a_id", ""), team("team_b_id", "")}
	scsScope      = []Param{season("2024"), anyDivision, anyGender}
	// The metadata endpoint tells a zero from nothing.
	metadataScope = []Param{season("2024"), division.zero(false), gender, scoringGroup.standard(""),
		checkpoint.zero(false), algorithm.standard("")}
)

// Endpoints returns the read API. The answers under /team-five are those under
// /teams. The slice and what it holds must not be changed.
func Endpoints() []*Endpoint { return endpoints }

var endpoints = []*Endpoint{
	{Path: "/athletes/", answer: list(athletesWithTeams), Params: join(scope, paged, []Param{searchPeople,
		{Name: "min_races", Kind: Int, Min: bound(1), Where: "r.races_count >= ?"},
		region.where("t.regl_group_name = ?"), conference.where("t.conf_group_name = ?")})},
	{Path: "/athletes/{athlete_hnd}", answer: single(athletes.ordered("r.calculated_at DESC, r.ranking_id")),
		Params:   join([]Param{handle("athlete_hnd", "r.anet_athlete_hnd = ?")}, scope),
		notFound: "Athlete {athlete_hnd} not found for season {season_year}"},
	{Path: "/athletes/team/{team_hnd}/roster", answer: list(athletes),
		Params: join([]Param{handle("team_hnd", "r.anet_team_hnd = ?")}, scope, []Param{limit("100", 500)})},

	teamList("/teams/"), oneTeam("/teams/{team_hnd}"), resume("/teams/{team_hnd}/resume"),
	teamList("/team-five/"), oneTeam("/team-five/{team_hnd}"), resume("/team-five/{team_hnd}/resume"),

	{Path: "/team-knockout/", answer: list(knockouts),
		Params: join(knockoutScope, []Param{limit("100", 500), offset, searchTeam, region, conference})},
	{Path: "/team-knockout/matchups", answer: teamMatchups,
		Params: join([]Param{team("team_id", involves)}, knockoutScope, []Param{limit("50", 500), offset})},
	{Path: "/team-knockout/matchups/head-to-head", answer: headToHead, refuse: differentTeams,
		Params:   join(twoTeams, knockoutScope),
		notFound: "No matchups found between team_a_id={team_a_id} and team_b_id={team_b_id}"},
	{Path: "/team-knockout/matchups/common-opponents", answer: commonOpponents, refuse: differentTeams,
		Params:   join(twoTeams, knockoutScope),
		notFound: "No common opponents found between team_a_id={team_a_id} and team_b_id={team_b_id}"},
	{Path: "/team-knockout/matchups/meet/{race_hnd}", answer: meetMatchups,
		Params:   []Param{handle("race_hnd", "r.race_hnd = ?"), season("2025"), checkpoint},
		notFound: "No matchups found for race_hnd={race_hnd}"},
	{Path: "/team-knockout/{team_id}", answer: single(knockouts.ordered("r.calculation_date DESC, r.id")),
		Params:   join([]Param{handle("team_id", "r.team_id = ?")}, knockoutScope),
		notFound: "Team Knockout ranking not found for team_id={team_id}"},

	{Path: "/metadata/", answer: whole("results", metadata), Params: metadataScope},
	{Path: "/metadata/latest", answer: whole("results", latestMetadata)},
	{Path: "/metadata/latest/date", answer: latestDate, notFound: "No calculation metadata found"},
	{Path: "/metadata/summary/processing", answer: summary},
	{Path: "/metadata/{metadata_id}", answer: single(metadata),
		Params:   []Param{handle("metadata_id", "r.metadata_id = ?")},
		notFound: "Metadata record {metadata_id} not found"},

	{Path: "/snapshots/", answer: snapshotDates, span: spanDated},
	{Path: "/snapshots/{snapshot_date}/athletes", answer: list(snapshotAthletes),
		Params: join([]Param{snapshot, division.zero(false).required(), gender.required()}, paged,
			[]Param{searchPeople, region, conference})},
	{Path: "/snapshots/{snapshot_date}/teams", answer: list(snapshotTeams),
		Params: join([]Param{snapshot, division.zero(false).required(), gender.required()}, paged,
			[]Param{searchTeam, region, conference})},
	{Path: "/snapshots/{snapshot_date}/metadata", answer: snapshotScopes, Params: []Param{snapshot.echo()},
		notFound: "Snapshot {snapshot_date} not found"},

	{Path: "/scs/athletes/{athlete_hnd}/components", answer: single(athleteComponents),
		Params: []Param{handle("athlete_hnd", "r.anet_athlete_hnd = ?"), season("2024"), division.zero(false),
			{Name: "gender", Kind: Choice, Choices: []string{"M", "F"}, Fold: upper, Where: "r.gender_code = ?"}},
		notFound: "SCS components not found for athlete {athlete_hnd}"},
	{Path: "/scs/athletes/{athlete_hnd}/comparison", answer: comparison,
		Params:   join([]Param{handle("athlete_hnd", "")}, scsScope),
		notFound: "SCS components not found for athlete {athlete_hnd}"},
	{Path: "/scs/athletes/{athlete_hnd}/discrepancy", refuse: comingSoon,
		Params: join([]Param{handle("athlete_hnd", "")}, scsScope)},
	{Path: "/scs/biggest-discrepancies", refuse: comingSoon, Params: join(scsScope, []Param{scsLimit})},
	{Path: "/scs/leaderboard/{component}", answer: leaderboard, Params: join([]Param{component}, scsScope, []Param{scsLimit}),
		refuse: knownComponent(". Must be one of {'saga', 'sewr', 'osma', 'xcri'}")},
	{Path: "/scs/distribution/{component}", answer: distribution, refuse: knownComponent(""),
		Params: join([]Param{component}, scsScope, []Param{{Name: "bins", Kind: Int, Default: "10", Min: bound(5), Max: bound(20)}})},

	{Path: "/components/athletes/{athlete_hnd}", answer: single(athleteComponents),
		Params:   []Param{handle("athlete_hnd", "r.anet_athlete_hnd = ?"), season("2024"), division, gender},
		notFound: "Component data not found for athlete {athlete_hnd}"},
	{Path: "/components/leaderboard", answer: componentList, Params: join([]Param{
		{Name: "component", Kind: Choice, Required: true, Choices: components, Pattern: "^(saga|sewr|osma|xcri)$"},
		season("2024"), division, gender}, paged)},

	// The proxy adds the rest to what is read here.
	{Path: "/health", answer: counts},
}

// scsLimit has no lower bound in the API.
var scsLimit = Param{Name: "limit", Kind: Int, Default: "25", Max: bound(100)}

func teamList(path string) *Endpoint {
	return &Endpoint{Path: path, answer: list(teams), Params: join(scope, paged, []Param{searchTeam, region, conference})}
}

func oneTeam(path string) *Endpoint {
	return &Endpoint{Path: path, answer: single(teams.ordered("r.calculated_at DESC, r.ranking_id")),
		Params:   join([]Param{handle("team_hnd", "r.anet_team_hnd = ?")}, scope),
		notFound: "Team {team_hnd} not found for season {season_year}"}
}

func resume(path string) *Endpoint {
	return &Endpoint{Path: path, answer: single(resumes), span: spanAll,
		Params: []Param{handle("team_hnd", "t.IDSchool = ?"), season("2025"),
			division.zero(false).where(""), gender.echo().where("r.gender_fk = CASE WHEN ? IN ('M', 'm') THEN 1 ELSE 2 END")},
		notFound: "Season resume not found for team {team_hnd} (season={season_year}, division={division}, gender={gender})"}
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
func componentList(r *read) error {
	return componentLists[r.Arg("component").Text](r)
}
