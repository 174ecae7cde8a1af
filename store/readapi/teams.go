package readapi

import "github.com/lewistv/xcri-proxy/store/param"

// teamEndpoints are the questions about teams. The API answers them under two
// roots.
func teamEndpoints(root string) []*Endpoint {
	return []*Endpoint{
		{
			Path:   root + "/",
			Params: join(oneCalculation, paged, []param.Param{searchTeam, region, conference}),
			Reads:  []string{TeamTable}, Lane: WholeList,
			Answer: list(teams),
		},
		{
			Path:   root + "/{team_hnd}",
			Params: join([]param.Param{handle("team_hnd", "r.anet_team_hnd = ?")}, oneCalculation),
			Reads:  []string{TeamTable}, Lane: ByKey,
			Answer:   single(teams.ordered("r.calculated_at DESC, r.ranking_id")),
			NotFound: "Team {team_hnd} not found for season {season_year}",
		},
		{
			// The division is only repeated in the 404.
			Path: root + "/{team_hnd}/resume",
			Params: []param.Param{handle("team_hnd", "t.IDSchool = ?"), season("2025"), division.KeepZero().On(""),
				gender.Echoed().On("r.gender_fk = CASE WHEN ? IN ('M', 'm') THEN 1 ELSE 2 END")},
			Reads: []string{ResumeTable, SchoolTable}, Lane: ByKey, Span: SpanAll,
			Answer: single(selection{
				from:  ResumeTable + " r JOIN " + SchoolTable + " t ON t.UstfcccaId = r.group_fk",
				fixed: "r.sport_fk = 3", order: "r.updated_at DESC, r.id",
				columns: cols(
					fields(integer, "id", "season_year", "group_fk", "gender_fk", "sport_fk"), fields(text, "season_html"),
					fields(datetime, "created_at", "updated_at")),
			}),
			NotFound: "Season resume not found for team {team_hnd} (season={season_year}, division={division}, gender={gender})",
		},
	}
}

var teams = selection{
	table: TeamTable, from: TeamTable + " r", order: "r.team_rank, r.ranking_id",
	columns: cols(
		fields(integer, "ranking_id"), calculation,
		fields(integer, "anet_team_hnd"), fields(text, "team_name"), fields(integer, "team_group_fk"),
		fields(text, "regl_group_name", "conf_group_name"), fields(integer, "team_rank"), fields(float, "team_xcri_score"),
		fields(date, "most_recent_race_date"), fields(integer, "athletes_count"),
		fields(float, "top7_average", "top5_average", "squad_depth_score"),
		fields(integer, "top_athlete_1_hnd", "top_athlete_2_hnd", "top_athlete_3_hnd", "top_athlete_4_hnd",
			"top_athlete_5_hnd", "top_athlete_6_hnd", "top_athlete_7_hnd"),
		fields(datetime, "calculated_at"), fields(text, "algorithm_version")),
}
