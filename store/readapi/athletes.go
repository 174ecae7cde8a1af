package readapi

import "github.com/lewistv/xcri-proxy/store/param"

var athleteEndpoints = []*Endpoint{
	{
		Path: "/athletes/",
		Params: join(oneCalculation, paged, []param.Param{searchPeople,
			{Name: "min_races", Kind: param.Int, Min: new(int64(1)), Where: "r.races_count >= ?"},
			region.On("t.regl_group_name = ?"), conference.On("t.conf_group_name = ?")}),
		Reads: []string{AthleteTable, TeamTable}, Lane: WholeList,
		Answer: list(athletesWithTeams),
	},
	{
		Path:   "/athletes/{athlete_hnd}",
		Params: join([]param.Param{handle("athlete_hnd", "r.anet_athlete_hnd = ?")}, oneCalculation),
		Reads:  []string{AthleteTable}, Lane: ByKey,
		Answer:   single(athletes.ordered("r.calculated_at DESC, r.ranking_id")),
		NotFound: "Athlete {athlete_hnd} not found for season {season_year}",
	},
	{
		Path:   "/athletes/team/{team_hnd}/roster",
		Params: join([]param.Param{handle("team_hnd", "r.anet_team_hnd = ?")}, oneCalculation, []param.Param{limit("100", 500)}),
		Reads:  []string{AthleteTable}, Lane: ByKey,
		Answer: list(athletes),
	},
}

var athleteColumns = cols(
	fields(integer, "ranking_id"), calculation,
	fields(integer, "anet_athlete_hnd"), fields(text, "athlete_name_first", "athlete_name_last"),
	fields(integer, "anet_team_hnd"), fields(text, "team_name"), fields(integer, "team_group_fk"),
	fields(text, "regl_group_name", "conf_group_name"),
	fields(integer, "athlete_rank"), fields(float, "xcri_score"), fields(integer, "races_count"),
	fields(float, "season_average", "best_performance"), fields(date, "most_recent_race_date"),
	fields(integer, "h2h_wins", "h2h_losses", "h2h_meetings"),
	fields(float, "h2h_win_rate", "min_opponent_quality", "avg_opponent_quality"),
	fields(float, "scs_score"), fields(integer, "scs_rank"), componentScores(float, "saga", "sewr", "osma"),
	fields(datetime, "calculated_at"), fields(text, "algorithm_version"), fields(float, "processing_time_seconds"))

// athletes have null for region, conference and date of the last race: only the
// list of the API shows them.
var athletes = selection{
	table: AthleteTable, from: AthleteTable + " r",
	order: "r.athlete_rank, r.ranking_id",
	columns: swapped(athleteColumns, column{name: "regl_group_name", kind: null},
		column{name: "conf_group_name", kind: null}, column{name: "most_recent_race_date", kind: null}),
}

const withTeam = " LEFT JOIN " + TeamTable + " t ON t.anet_team_hnd = r.anet_team_hnd" +
	" AND t.season_year = r.season_year AND t.division_code = r.division_code" +
	" AND t.gender_code = r.gender_code AND t.checkpoint_date <=> r.checkpoint_date"

// athletesWithTeams joins on neither algorithm nor scoring group, as the API
// does: a team with several rows repeats its athletes.
var athletesWithTeams = selection{
	table: AthleteTable, from: athletes.from + withTeam,
	order: athletes.order + ", t.ranking_id",
	late: &lateJoin{from: athletes.from, order: athletes.order, text: withTeam,
		by: "r.anet_team_hnd, r.season_year, r.division_code, r.gender_code, r.checkpoint_date"},
	columns: swapped(athleteColumns, column{"regl_group_name", text, "t.regl_group_name"},
		column{"conf_group_name", text, "t.conf_group_name"}),
}
