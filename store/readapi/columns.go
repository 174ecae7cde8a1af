package readapi

import "github.com/lewistv/xcri-proxy/store/jsontext"

// The kinds of columns.
const (
	integer  = jsontext.Integer
	text     = jsontext.Text
	float    = jsontext.Float
	decimal  = jsontext.Exact
	date     = jsontext.Date
	datetime = jsontext.DateTime
	boolean  = jsontext.Boolean
	null     = jsontext.Null
)

// column is a field of an answer and the source of its value.
type column struct {
	name string
	kind jsontext.Kind
	expr string // SQL; empty means the table's column of that name
}

func fieldsOf(columns []column) (fields []jsontext.Field) {
	for _, c := range columns {
		fields = append(fields, jsontext.Field{Name: c.name, Kind: c.kind})
	}
	return fields
}

// fields are columns of one kind under the table's own names.
func fields(kind jsontext.Kind, names ...string) (columns []column) {
	for _, n := range names {
		columns = append(columns, column{name: n, kind: kind})
	}
	return columns
}

func cols(lists ...[]column) (all []column) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// swapped returns columns with those of the same name replaced.
func swapped(columns []column, by ...column) []column {
	all := cols(columns)
	for i := range all {
		for _, c := range by {
			if all[i].name == c.name {
				all[i] = c
			}
		}
	}
	return all
}

func (s selection) ordered(by string) selection { s.order = by; return s }

var calculation = cols(
	fields(integer, "season_year", "division_code"), fields(text, "gender_code"), fields(date, "checkpoint_date"),
	fields(text, "algorithm_type", "scoring_group"))

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

// athletes have no region, conference or date of their last race: the API
// gives those in the list alone.
var athletes = selection{
	from:  AthleteTable + " r",
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
	from:  athletes.from + withTeam,
	order: athletes.order + ", t.ranking_id",
	late: &lateJoin{from: athletes.from, order: athletes.order, text: withTeam,
		by: "r.anet_team_hnd, r.season_year, r.division_code, r.gender_code, r.checkpoint_date"},
	columns: swapped(athleteColumns, column{"regl_group_name", text, "t.regl_group_name"},
		column{"conf_group_name", text, "t.conf_group_name"}),
}

var snapshotAthletes = selection{
	from: AthleteTable + " r", fixed: lightDivision, order: "r.athlete_rank, r.ranking_id",
	columns: cols(
		[]column{{"rank", integer, "r.athlete_rank"},
			{"athlete_name", text, "CONCAT(r.athlete_name_first, ' ', r.athlete_name_last)"}},
		fields(text, "team_name"),
		[]column{{"division", integer, "r.division_code"}}, fields(float, "xcri_score"),
		[]column{{"num_races", integer, "r.races_count"}, {"season_avg", float, "r.season_average"}},
		fields(integer, "h2h_wins", "h2h_losses"),
		[]column{{"quality_of_wins", float, "r.min_opponent_quality"}},
		fields(integer, "anet_athlete_hnd"), fields(float, "saga_score", "sewr_score", "osma_score", "scs_score"),
		fields(text, "regl_group_name", "conf_group_name")),
}

var teams = selection{
	from: TeamTable + " r", order: "r.team_rank, r.ranking_id",
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

var snapshotTeams = selection{
	from: TeamTable + " r", fixed: lightDivision, order: "r.team_rank, r.ranking_id",
	columns: cols(
		[]column{{"rank", integer, "r.team_rank"}}, fields(text, "team_name"), fields(integer, "anet_team_hnd"),
		[]column{{"division", integer, "r.division_code"}}, fields(text, "gender_code"),
		[]column{{"team_score", float, "r.team_xcri_score"}, {"squad_size", integer, "r.athletes_count"},
			{"top5_avg", float, "r.top5_average"}, {"top7_avg", float, "r.top7_average"}},
		fields(text, "regl_group_name", "conf_group_name")),
}

var resumes = selection{
	from:  ResumeTable + " r JOIN " + SchoolTable + " t ON t.UstfcccaId = r.group_fk",
	fixed: "r.sport_fk = 3", order: "r.updated_at DESC, r.id",
	columns: cols(
		fields(integer, "id", "season_year", "group_fk", "gender_fk", "sport_fk"), fields(text, "season_html"),
		fields(datetime, "created_at", "updated_at")),
}

var knockouts = selection{
	from: KnockoutTable + " r", order: "r.knockout_rank, r.id",
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

// named joins the ranking of the team that column refers to, for its name.
func named(alias, column string) string {
	return " LEFT JOIN " + KnockoutTable + " " + alias + " ON " + alias + ".team_id = r." + column +
		" AND " + alias + ".season_year = r.season_year AND " + alias + ".rank_group_type = r.rank_group_type" +
		" AND " + alias + ".rank_group_fk = r.rank_group_fk AND " + alias + ".gender_code = r.gender_code" +
		" AND " + alias + ".checkpoint_date <=> r.checkpoint_date"
}

var matchups = selection{
	from:  MatchupTable + " r" + named("ta", "team_a_id") + named("tb", "team_b_id") + named("tw", "winner_team_id"),
	order: "r.matchup_id",
	columns: cols(
		fields(integer, "matchup_id", "race_hnd", "meet_id"), fields(date, "race_date"), fields(text, "meet_name"),
		fields(integer, "team_a_id"), []column{{"team_a_name", text, "ta.team_name"}},
		fields(integer, "team_a_rank", "team_a_score", "team_a_ko_rank"),
		fields(integer, "team_b_id"), []column{{"team_b_name", text, "tb.team_name"}},
		fields(integer, "team_b_rank", "team_b_score", "team_b_ko_rank"),
		fields(integer, "winner_team_id"), []column{{"winner_team_name", text, "tw.team_name"}},
		fields(integer, "season_year"), fields(text, "rank_group_type"), fields(integer, "rank_group_fk"),
		fields(text, "gender_code"), fields(date, "checkpoint_date"), fields(datetime, "calculation_date")),
}.build()

var metadata = selection{
	from: MetadataTable + " r", order: "r.calculated_at DESC, r.metadata_id",
	columns: cols(
		fields(integer, "metadata_id"), calculation, fields(datetime, "calculated_at"), fields(text, "algorithm_version"),
		fields(integer, "total_performances", "total_athletes", "total_teams", "total_races"),
		fields(float, "processing_time_seconds"), fields(boolean, "cache_used"), fields(float, "cache_hit_rate"),
		fields(integer, "athletes_with_h2h", "athletes_no_h2h", "heavy_fallback_count"),
		fields(text, "calculation_status", "error_message")),
}

// latestMetadata has the newest live row of each division and gender.
var latestMetadata = selection{
	from: MetadataTable + " r JOIN (SELECT r.division_code, r.gender_code, MAX(r.calculated_at) AS newest FROM " +
		MetadataTable + " r WHERE " + liveDivision + " GROUP BY r.division_code, r.gender_code) l" +
		" ON l.division_code = r.division_code AND l.gender_code = r.gender_code AND l.newest = r.calculated_at",
	fixed: liveDivision, order: "r.division_code, r.gender_code, r.metadata_id",
	columns: metadata.columns,
}

func componentScores(kind jsontext.Kind, names ...string) (columns []column) {
	for _, n := range names {
		columns = append(columns, column{name: n + "_score", kind: kind}, column{name: n + "_rank", kind: integer})
	}
	return columns
}

var athleteOfComponent = cols(
	fields(integer, "anet_athlete_hnd"), fields(text, "athlete_name_first", "athlete_name_last", "team_name"))

var calculatedComponent = cols(
	fields(integer, "component_id", "ranking_id", "season_year", "division_code"), fields(text, "gender_code"),
	athleteOfComponent)

var athleteComponents = selection{
	from: ComponentTable + " r", order: "r.created_at DESC, r.component_id",
	columns: cols(
		calculatedComponent, componentScores(float, components...), fields(integer, "races_used"),
		fields(float, "best_ags", "avg_ags", "worst_ags", "best_cpr", "avg_cpr", "worst_cpr",
			"avg_race_quality", "best_race_quality", "avg_opponent_count"),
		fields(integer, "total_opponents"), fields(datetime, "created_at", "updated_at")),
}

// leaderboards are the scs answers by component. Scores are text there.
var leaderboards = byComponent(func(c string) *selection {
	return selection{
		from: ComponentTable + " r", fixed: "r." + c + "_rank IS NOT NULL", order: "r." + c + "_rank, r.component_id",
		columns: cols(athleteOfComponent,
			[]column{{"component_score", decimal, "r." + c + "_score"}, {"component_rank", integer, "r." + c + "_rank"}},
			componentScores(decimal, components...), fields(integer, "races_used")),
	}.build()
})

// componentLists are the answers of /components/leaderboard by component.
var componentLists = byComponent(func(c string) func(*Read) error {
	return list(selection{
		from: ComponentTable + " r", fixed: "r." + c + "_score IS NOT NULL", order: "r." + c + "_rank, r.component_id",
		columns: cols(calculatedComponent,
			[]column{{"score", float, "r." + c + "_score"}, {"rank", integer, "r." + c + "_rank"}},
			componentScores(float, components...), fields(integer, "races_used")),
	})
})

func byComponent[T any](make func(component string) T) map[string]T {
	all := map[string]T{}
	for _, c := range components {
		all[c] = make(c)
	}
	return all
}
