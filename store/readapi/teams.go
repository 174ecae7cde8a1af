package readapi

import (
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
)

// teamEndpoints are the questions about teams. The API answers them under two
// roots.
func teamEndpoints(root string) []*query.Endpoint {
	return []*query.Endpoint{
		{
			Path:   root + "/",
			Params: join(oneCalculation, paged, []param.Param{searchTeam, region, conference}),
			Reads:  []string{TeamTable}, Lane: query.WholeList,
			Answer: query.List(teams),
		},
		{
			Path:   root + "/{team_hnd}",
			Params: join([]param.Param{handle("team_hnd", "r.anet_team_hnd = ?")}, oneCalculation),
			Reads:  []string{TeamTable}, Lane: query.ByKey,
			Answer:   query.Single(teams.Ordered("r.calculated_at DESC, r.ranking_id")),
			NotFound: "Team {team_hnd} not found for season {season_year}",
		},
		{
			// The division is only repeated in the 404.
			Path: root + "/{team_hnd}/resume",
			Params: []param.Param{handle("team_hnd", "t.IDSchool = ?"), season("2025"), division.KeepZero().On(""),
				gender.Echoed().On("r.gender_fk = CASE WHEN ? IN ('M', 'm') THEN 1 ELSE 2 END")},
			Reads: []string{ResumeTable, SchoolTable}, Lane: query.ByKey, Span: query.SpanAll,
			Answer: query.Single(query.Selection{
				From:  ResumeTable + " r JOIN " + SchoolTable + " t ON t.UstfcccaId = r.group_fk",
				Fixed: "r.sport_fk = 3", Order: "r.updated_at DESC, r.id",
				Columns: query.Cols(
					query.Fields(integer, "id", "season_year", "group_fk", "gender_fk", "sport_fk"), query.Fields(text, "season_html"),
					query.Fields(datetime, "created_at", "updated_at")),
			}),
			NotFound: "Season resume not found for team {team_hnd} (season={season_year}, division={division}, gender={gender})",
		},
	}
}

var teams = query.Selection{
	Table: TeamTable, From: TeamTable + " r", Order: "r.team_rank, r.ranking_id",
	Columns: query.Cols(
		query.Fields(integer, "ranking_id"), calculation,
		query.Fields(integer, "anet_team_hnd"), query.Fields(text, "team_name"), query.Fields(integer, "team_group_fk"),
		query.Fields(text, "regl_group_name", "conf_group_name"), query.Fields(integer, "team_rank"), query.Fields(float, "team_xcri_score"),
		query.Fields(date, "most_recent_race_date"), query.Fields(integer, "athletes_count"),
		query.Fields(float, "top7_average", "top5_average", "squad_depth_score"),
		query.Fields(integer, "top_athlete_1_hnd", "top_athlete_2_hnd", "top_athlete_3_hnd", "top_athlete_4_hnd",
			"top_athlete_5_hnd", "top_athlete_6_hnd", "top_athlete_7_hnd"),
		query.Fields(datetime, "calculated_at"), query.Fields(text, "algorithm_version")),
}
