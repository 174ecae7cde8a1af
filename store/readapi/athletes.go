package readapi

import (
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
)

var athleteEndpoints = []*query.Endpoint{
	{
		Path: "/athletes/",
		Params: join(oneCalculation, paged, []param.Param{searchPeople,
			{Name: "min_races", Kind: param.Int, Range: param.Range{Min: new(int64(1))}, Where: "r.races_count >= ?"},
			region.On("t.regl_group_name = ?"), conference.On("t.conf_group_name = ?")}),
		Reads: []string{AthleteTable, TeamTable}, Lane: query.WholeList,
		Answer: query.List(athletesWithTeams),
	},
	{
		Path:   "/athletes/{athlete_hnd}",
		Params: join([]param.Param{handle("athlete_hnd", "r.anet_athlete_hnd = ?")}, oneCalculation),
		Reads:  []string{AthleteTable}, Lane: query.ByKey,
		Answer:   query.Single(athletes.Ordered("r.calculated_at DESC, r.ranking_id")),
		NotFound: "Athlete {athlete_hnd} not found for season {season_year}",
	},
	{
		Path:   "/athletes/team/{team_hnd}/roster",
		Params: join([]param.Param{handle("team_hnd", "r.anet_team_hnd = ?")}, oneCalculation, []param.Param{limit("100", 500)}),
		Reads:  []string{AthleteTable}, Lane: query.ByKey,
		Answer: query.List(athletes),
	},
}

var athleteColumns = query.Cols(
	query.Fields(integer, "ranking_id"), calculation,
	query.Fields(integer, "anet_athlete_hnd"), query.Fields(text, "athlete_name_first", "athlete_name_last"),
	query.Fields(integer, "anet_team_hnd"), query.Fields(text, "team_name"), query.Fields(integer, "team_group_fk"),
	query.Fields(text, "regl_group_name", "conf_group_name"),
	query.Fields(integer, "athlete_rank"), query.Fields(float, "xcri_score"), query.Fields(integer, "races_count"),
	query.Fields(float, "season_average", "best_performance"), query.Fields(date, "most_recent_race_date"),
	query.Fields(integer, "h2h_wins", "h2h_losses", "h2h_meetings"),
	query.Fields(float, "h2h_win_rate", "min_opponent_quality", "avg_opponent_quality"),
	query.Fields(float, "scs_score"), query.Fields(integer, "scs_rank"), componentScores(float, "saga", "sewr", "osma"),
	query.Fields(datetime, "calculated_at"), query.Fields(text, "algorithm_version"), query.Fields(float, "processing_time_seconds"))

// athletes have null for region, conference and date of the last race: only the
// list of the API shows them.
var athletes = query.Selection{
	Table: AthleteTable, From: AthleteTable + " r",
	Order: "r.athlete_rank, r.ranking_id",
	Columns: query.Swapped(athleteColumns, query.Column{Name: "regl_group_name", Kind: null},
		query.Column{Name: "conf_group_name", Kind: null}, query.Column{Name: "most_recent_race_date", Kind: null}),
}

const (
	withTeam = " LEFT JOIN " + TeamTable + " t" + ofTeam
	ofTeam   = " ON t.anet_team_hnd = r.anet_team_hnd" +
		" AND t.season_year = r.season_year AND t.division_code = r.division_code" +
		" AND t.gender_code = r.gender_code AND t.checkpoint_date <=> r.checkpoint_date"
	teamsOfScope = "SELECT r.anet_team_hnd, r.regl_group_name, r.conf_group_name FROM " + TeamTable + " r WHERE " + query.Condition
)

// athletesWithTeams joins on neither algorithm nor scoring group, as the API
// does: a team with several rows repeats its athletes.
var athletesWithTeams = query.Selection{
	Table: AthleteTable, From: athletes.From + withTeam,
	Order: athletes.Order + ", t.ranking_id",
	Late: &query.LateJoin{From: athletes.From, Order: athletes.Order, Text: withTeam,
		Rows: teamsOfScope, Key: "anet_team_hnd", Same: []string{"season_year", "division", "gender", "checkpoint_date"},
		By: "r.anet_team_hnd, r.season_year, r.division_code, r.gender_code, r.checkpoint_date"},
	Columns: query.Swapped(athleteColumns, query.As("regl_group_name", text, "t.regl_group_name"),
		query.As("conf_group_name", text, "t.conf_group_name")),
}
