package readapi

import (
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
)

// knockoutScope are the parameters that name one head-to-head calculation.
var knockoutScope = []param.Param{season("2025"), groupType, group, genderCode, checkpoint}

// twoTeams are the parameters of the questions that compare two teams.
var twoTeams = join([]param.Param{team("team_a_id", ""), team("team_b_id", "")}, knockoutScope)

// matchupTables are the tables of games with the names of their teams.
var matchupTables = []string{MatchupTable, KnockoutTable}

var knockoutEndpoints = []*query.Endpoint{
	{
		Path:   "/team-knockout/",
		Params: join(knockoutScope, []param.Param{limit("100", 500), offset, searchTeam, region, conference}),
		Reads:  []string{KnockoutTable}, Lane: query.WholeList,
		Answer: query.List(knockouts),
	},
	{
		Path:   "/team-knockout/matchups",
		Params: join([]param.Param{team("team_id", involves)}, knockoutScope, []param.Param{limit("50", 500), offset}),
		Reads:  matchupTables, Lane: query.ByKey,
		Answer: teamMatchups,
	},
	{
		Path:   "/team-knockout/matchups/head-to-head",
		Params: twoTeams,
		Reads:  matchupTables, Lane: query.ByKey,
		Refuse:   differentTeams,
		Answer:   headToHead,
		NotFound: "No matchups found between team_a_id={team_a_id} and team_b_id={team_b_id}",
	},
	{
		Path:   "/team-knockout/matchups/common-opponents",
		Params: twoTeams,
		Reads:  matchupTables, Lane: query.ByKey,
		Refuse:   differentTeams,
		Answer:   commonOpponents,
		NotFound: "No common opponents found between team_a_id={team_a_id} and team_b_id={team_b_id}",
	},
	{
		Path:   "/team-knockout/matchups/meet/{race_hnd}",
		Params: []param.Param{handle("race_hnd", "r.race_hnd = ?"), season("2025"), checkpoint},
		Reads:  matchupTables, Lane: query.ByKey,
		Answer:   meetMatchups,
		NotFound: "No matchups found for race_hnd={race_hnd}",
	},
	{
		Path:   "/team-knockout/{team_id}",
		Params: join([]param.Param{handle("team_id", "r.team_id = ?")}, knockoutScope),
		Reads:  []string{KnockoutTable}, Lane: query.ByKey,
		Answer:   query.Single(knockouts.Ordered("r.calculation_date DESC, r.id")),
		NotFound: "Team Knockout ranking not found for team_id={team_id}",
	},
}

var knockouts = query.Selection{
	Table: KnockoutTable, From: KnockoutTable + " r", Order: "r.knockout_rank, r.id",
	Columns: query.Cols(
		query.Fields(integer, "id", "team_id"), query.Fields(text, "team_name", "team_code", "rank_group_type"),
		query.Fields(integer, "rank_group_fk"), query.Fields(text, "gender_code"), query.Fields(integer, "regl_group_fk", "conf_group_fk"),
		query.Fields(text, "regl_group_name", "conf_group_name"),
		query.Fields(integer, "regl_finish", "conf_finish", "knockout_rank", "team_five_rank"),
		query.Fields(text, "elimination_method"), query.Fields(integer, "team_size", "athletes_with_xcri"),
		query.Fields(float, "team_five_xcri_pts"), query.Fields(date, "most_recent_race_date"),
		query.Fields(integer, "h2h_wins", "h2h_losses"), query.Fields(float, "h2h_win_pct"),
		query.Fields(date, "checkpoint_date"), query.Fields(integer, "season_year"), query.Fields(datetime, "calculation_date")),
}
