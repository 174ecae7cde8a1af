package readapi

import "github.com/lewistv/xcri-proxy/store/param"

// knockoutScope are the parameters that name one head-to-head calculation.
var knockoutScope = []param.Param{season("2025"), groupType, group, genderCode, checkpoint}

// twoTeams are the parameters of the questions that compare two teams.
var twoTeams = join([]param.Param{team("team_a_id", ""), team("team_b_id", "")}, knockoutScope)

// matchupTables are the tables of games with the names of their teams.
var matchupTables = []string{MatchupTable, KnockoutTable}

var knockoutEndpoints = []*Endpoint{
	{
		Path:   "/team-knockout/",
		Params: join(knockoutScope, []param.Param{limit("100", 500), offset, searchTeam, region, conference}),
		Reads:  []string{KnockoutTable}, Lane: WholeList,
		Answer: list(knockouts),
	},
	{
		Path:   "/team-knockout/matchups",
		Params: join([]param.Param{team("team_id", involves)}, knockoutScope, []param.Param{limit("50", 500), offset}),
		Reads:  matchupTables, Lane: ByKey,
		Answer: teamMatchups,
	},
	{
		Path:   "/team-knockout/matchups/head-to-head",
		Params: twoTeams,
		Reads:  matchupTables, Lane: ByKey,
		Refuse:   differentTeams,
		Answer:   headToHead,
		NotFound: "No matchups found between team_a_id={team_a_id} and team_b_id={team_b_id}",
	},
	{
		Path:   "/team-knockout/matchups/common-opponents",
		Params: twoTeams,
		Reads:  matchupTables, Lane: ByKey,
		Refuse:   differentTeams,
		Answer:   commonOpponents,
		NotFound: "No common opponents found between team_a_id={team_a_id} and team_b_id={team_b_id}",
	},
	{
		Path:   "/team-knockout/matchups/meet/{race_hnd}",
		Params: []param.Param{handle("race_hnd", "r.race_hnd = ?"), season("2025"), checkpoint},
		Reads:  matchupTables, Lane: ByKey,
		Answer:   meetMatchups,
		NotFound: "No matchups found for race_hnd={race_hnd}",
	},
	{
		Path:   "/team-knockout/{team_id}",
		Params: join([]param.Param{handle("team_id", "r.team_id = ?")}, knockoutScope),
		Reads:  []string{KnockoutTable}, Lane: ByKey,
		Answer:   single(knockouts.ordered("r.calculation_date DESC, r.id")),
		NotFound: "Team Knockout ranking not found for team_id={team_id}",
	},
}

var knockouts = selection{
	table: KnockoutTable, from: KnockoutTable + " r", order: "r.knockout_rank, r.id",
	columns: cols(
		fields(integer, "id", "team_id"), fields(text, "team_name", "team_code", "rank_group_type"),
		fields(integer, "rank_group_fk"), fields(text, "gender_code"), fields(integer, "regl_group_fk", "conf_group_fk"),
		fields(text, "regl_group_name", "conf_group_name"),
		fields(integer, "regl_finish", "conf_finish", "knockout_rank", "team_five_rank"),
		fields(text, "elimination_method"), fields(integer, "team_size", "athletes_with_xcri"),
		fields(float, "team_five_xcri_pts"), fields(date, "most_recent_race_date"),
		fields(integer, "h2h_wins", "h2h_losses"), fields(float, "h2h_win_pct"),
		fields(date, "checkpoint_date"), fields(integer, "season_year"), fields(datetime, "calculation_date")),
}
