package readapi_test

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// row holds the columns of a row that matter to a test.
type row = map[string]any

// equal checks that a list in an answer has these values of a field.
func equal(t testing.TB, what string, got []any, want ...any) {
	t.Helper()
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func in1990(more texts) texts {
	given := texts{"season_year": "1990"}
	for name, text := range more {
		given[name] = text
	}
	return given
}

func TestAthletesList(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	for i := range 5 {
		scratch.Insert(t, db, readapi.AthleteTable, row{"anet_athlete_hnd": 10 - i, "athlete_rank": 1 + i/3, "anet_team_hnd": 1 + i%2,
			"regl_group_name": "own", "conf_group_name": "own", "races_count": i, "most_recent_race_date": "1990-10-01"})
	}
	list := func(more texts) object { return scratch.Decoded(t, scratch.Ask(t, s, 200, "/athletes/", in1990(more))) }

	// Ties are broken by the primary key, and pages neither repeat nor lose.
	equal(t, "by rank, then key", scratch.FieldOf(list(nil)["results"], "anet_athlete_hnd"), 10.0, 9.0, 8.0, 7.0, 6.0)
	var paged []any
	for offset := range 6 {
		page := list(texts{"limit": "1", "offset": strconv.Itoa(offset)})
		if page["total"] != 5.0 || page["offset"] != float64(offset) || page["limit"] != 1.0 {
			t.Errorf("offset %d: %v", offset, page)
		}
		paged = append(paged, scratch.FieldOf(page["results"], "anet_athlete_hnd")...)
	}
	equal(t, "page by page", paged, 10.0, 9.0, 8.0, 7.0, 6.0)

	// Without a team there is neither region nor conference.
	equal(t, "regions without teams", scratch.FieldOf(list(texts{"limit": "1"})["results"], "regl_group_name"), nil)
	scratch.Insert(t, db, readapi.TeamTable, row{"anet_team_hnd": 1, "regl_group_name": "West", "conf_group_name": "Ivy"})
	scratch.Insert(t, db, readapi.TeamTable, row{"anet_team_hnd": 1, "regl_group_name": "East", "algorithm_type": "heavy", "scoring_group": "region_1"})
	scratch.Insert(t, db, readapi.TeamTable, row{"anet_team_hnd": 2, "regl_group_name": "South", "checkpoint_date": "1990-11-01"})
	scratch.Insert(t, db, readapi.TeamTable, row{"anet_team_hnd": 2, "regl_group_name": "Other", "gender_code": "F"})

	// The join ignores the algorithm and the scoring group: team 1's athletes are
	// repeated and counted twice. Team 2 has no live row of this gender.
	all := list(nil)
	if all["total"] != 8.0 {
		t.Errorf("total %v, want 8", all["total"])
	}
	equal(t, "athletes", scratch.FieldOf(all["results"], "anet_athlete_hnd"), 10.0, 10.0, 9.0, 8.0, 8.0, 7.0, 6.0, 6.0)
	equal(t, "regions", scratch.FieldOf(all["results"], "regl_group_name"), "West", "East", nil, "West", "East", nil, "West", "East")
	equal(t, "the team's region, not the athlete's", scratch.FieldOf(list(texts{"region": "West"})["results"], "anet_athlete_hnd"), 10.0, 8.0, 6.0)
	equal(t, "the athlete's own region", scratch.FieldOf(list(texts{"region": "own"})["results"], "anet_athlete_hnd"))
	equal(t, "conference", scratch.FieldOf(list(texts{"conference": "Ivy", "limit": "1"})["results"], "conf_group_name"), "Ivy")
	equal(t, "min_races", scratch.FieldOf(list(texts{"min_races": "4"})["results"], "anet_athlete_hnd"), 6.0, 6.0)
	equal(t, "races' dates", scratch.FieldOf(list(texts{"min_races": "4", "limit": "1"})["results"], "most_recent_race_date"), "1990-10-01")

	// A single athlete and a roster have none of these fields.
	one := scratch.Decoded(t, scratch.Ask(t, s, 200, "/athletes/{athlete_hnd}", in1990(texts{"athlete_hnd": "10"})))
	roster := scratch.Decoded(t, scratch.Ask(t, s, 200, "/athletes/team/{team_hnd}/roster", in1990(texts{"team_hnd": "1"})))
	for _, field := range []string{"regl_group_name", "conf_group_name", "most_recent_race_date"} {
		if one[field] != nil {
			t.Errorf("one athlete: %s is %v", field, one[field])
		}
		equal(t, "roster "+field, scratch.FieldOf(roster["results"], field), nil, nil, nil)
	}
	equal(t, "roster", scratch.FieldOf(roster["results"], "anet_athlete_hnd"), 10.0, 8.0, 6.0)
}

// TestCheckpoint: NULL is a scope of its own, and matches NULL in the join.
func TestCheckpoint(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	for i, day := range []any{nil, "1990-10-01", "1990-11-01"} {
		scratch.Insert(t, db, readapi.AthleteTable, row{"anet_athlete_hnd": 1, "checkpoint_date": day, "athlete_rank": 1 + i, "calculated_at": fmt.Sprintf("199%d-01-01", i)})
		scratch.Insert(t, db, readapi.TeamTable, row{"checkpoint_date": day, "regl_group_name": fmt.Sprint("region ", i)})
	}
	for i, day := range []string{"", "1990-10-01", "1990/11/1"} {
		given := in1990(texts{"checkpoint_date": day})
		results := scratch.Decoded(t, scratch.Ask(t, s, 200, "/athletes/", given))["results"]
		equal(t, "ranks at "+day, scratch.FieldOf(results, "athlete_rank"), float64(1+i))
		equal(t, "regions at "+day, scratch.FieldOf(results, "regl_group_name"), fmt.Sprint("region ", i))
		given["athlete_hnd"] = "1"
		if one := scratch.Decoded(t, scratch.Ask(t, s, 200, "/athletes/{athlete_hnd}", given)); one["athlete_rank"] != float64(1+i) {
			t.Errorf("one athlete at %q: %v", day, one["athlete_rank"])
		}
	}
	for _, day := range []string{"1990-12-01", "foo", "0000-00-00"} {
		if o := scratch.Decoded(t, scratch.Ask(t, s, 200, "/athletes/", in1990(texts{"checkpoint_date": day}))); o["total"] != 0.0 {
			t.Errorf("at %q: %v", day, o)
		}
	}
	// The newest calculation is the one athlete that is shown.
	scratch.Insert(t, db, readapi.AthleteTable, row{"anet_athlete_hnd": 1, "division_code": 2032, "athlete_rank": 9, "calculated_at": "1999-01-01"})
	if one := scratch.Decoded(t, scratch.Ask(t, s, 200, "/athletes/{athlete_hnd}", in1990(texts{"athlete_hnd": "1"}))); one["athlete_rank"] != 9.0 {
		t.Errorf("the newest row has rank 9, not %v", one["athlete_rank"])
	}
}

func TestSearch(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	for i, name := range []string{"Cañón", "100% pure", "a_b", "axb", `back\slash`, "O'Brien", "ends with a%"} {
		scratch.Insert(t, db, readapi.TeamTable, row{"team_name": name, "team_rank": i})
		scratch.Insert(t, db, readapi.AthleteTable, row{"athlete_name_first": name, "athlete_rank": 10 + i})
		scratch.Insert(t, db, readapi.AthleteTable, row{"athlete_name_last": name, "athlete_rank": 20 + i, "anet_team_hnd": 99})
		scratch.Insert(t, db, readapi.AthleteTable, row{"team_name": name, "athlete_rank": 30 + i, "anet_team_hnd": 99})
	}
	for search, want := range map[string][]any{
		"canon": {0.0}, "CAÑÓN": {0.0}, "a_b": {2.0, 3.0}, "0% p": {1.0}, "%%": {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0},
		"o'b": {5.0}, "1%e": {1.0}, `a\_b`: {2.0}, `\%`: {1.0, 6.0}, `k\\s`: {4.0}, `k\s`: nil, `a\`: {6.0}, "no such": nil,
		`' OR 1=1 -- `: nil, "__": {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0},
	} {
		given := in1990(texts{"search": search})
		equal(t, "teams like "+search, scratch.FieldOf(scratch.Decoded(t, scratch.Ask(t, s, 200, "/teams/", given))["results"], "team_rank"), want...)
		var ranks []any
		for _, more := range []float64{10, 20, 30} {
			for _, rank := range want {
				ranks = append(ranks, rank.(float64)+more)
			}
		}
		// Team 1 has seven rows, so its athletes come seven times.
		var once []any
		for _, rank := range scratch.FieldOf(scratch.Decoded(t, scratch.Ask(t, s, 200, "/athletes/", given))["results"], "athlete_rank") {
			if len(once) == 0 || once[len(once)-1] != rank {
				once = append(once, rank)
			}
		}
		equal(t, "athletes like "+search, once, ranks...)
	}
}

// TestZero: most endpoints read 0 and the empty text as "not given", but /metadata/ as
// values.
func TestZero(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	scratch.Insert(t, db, readapi.AthleteTable, nil)
	scratch.Insert(t, db, readapi.TeamTable, nil)
	scratch.Insert(t, db, readapi.MetadataTable, nil)
	given := in1990(texts{"division": "00.0", "checkpoint_date": "", "region": "", "conference": ""})
	for _, path := range []string{"/athletes/", "/teams/"} {
		if o := scratch.Decoded(t, scratch.Ask(t, s, 200, path, given)); o["total"] != 1.0 {
			t.Errorf("%s: %v", path, o)
		}
	}
	for _, tt := range []struct {
		given texts
		total float64
	}{
		{nil, 1}, {texts{"division": "0"}, 0}, {texts{"checkpoint_date": ""}, 0}, {texts{"scoring_group": ""}, 0},
		{texts{"algorithm_type": ""}, 0}, {texts{"division": "2030", "gender": "m"}, 1},
	} {
		if o := scratch.Decoded(t, scratch.Ask(t, s, 200, "/metadata/", in1990(tt.given))); o["total"] != tt.total {
			t.Errorf("/metadata/ %v: %v", tt.given, o)
		}
	}
	// The empty text is a scoring group of its own, not the default.
	if o := scratch.Decoded(t, scratch.Ask(t, s, 200, "/athletes/", in1990(texts{"scoring_group": ""}))); o["total"] != 0.0 {
		t.Errorf("an empty scoring group: %v", o)
	}
}

func TestHugeNumbers(t *testing.T) {
	s := open(t, options(t))
	huge := strings.Repeat("9", 30)
	a := scratch.Ask(t, s, 200, "/athletes/", texts{"season_year": "2025", "offset": " " + huge, "limit": "50000"})
	if want := `,"limit":50000,"offset":` + huge + `,"results":[]}`; !strings.HasSuffix(string(a.Body), want) || strings.HasPrefix(string(a.Body), `{"total":0,`) {
		t.Errorf("a huge offset: %.200s", a.Body)
	}
	longest := strings.Repeat("7", 4300)
	a = scratch.Ask(t, s, 200, "/components/leaderboard", texts{"component": "saga", "offset": longest})
	if !strings.Contains(string(a.Body), `"offset":`+longest+`,`) {
		t.Errorf("the longest offset: %.200s", a.Body)
	}
	for _, season := range []string{huge, "-" + huge, "32768", "2147483648", "9223372036854775808"} {
		a = scratch.Ask(t, s, 200, "/athletes/", texts{"season_year": season})
		if want := `{"total":0,"limit":100,"offset":0,"results":[]}`; string(a.Body) != want {
			t.Errorf("season %s: %s", season, a.Body)
		}
		a = scratch.Ask(t, s, 404, "/athletes/{athlete_hnd}", texts{"athlete_hnd": huge, "season_year": season})
		if want := `{"detail":"Athlete ` + huge + ` not found for season ` + season + `"}`; string(a.Body) != want {
			t.Errorf("season %s: %s", season, a.Body)
		}
		a = scratch.Ask(t, s, 200, "/scs/distribution/{component}", texts{"component": "saga", "season_year": season})
		if !strings.Contains(string(a.Body), `"season_year":`+season+`,`) {
			t.Errorf("season %s: %s", season, a.Body)
		}
	}
	for _, id := range []string{huge, "-1", "0", "4294967296"} {
		scratch.Ask(t, s, 404, "/metadata/{metadata_id}", texts{"metadata_id": id})
	}
}

// TestLeaderboardLimit: the scs leaderboard has no lower bound.
func TestLeaderboardLimit(t *testing.T) {
	s := open(t, options(t))
	given := func(limit string) texts { return texts{"component": "Saga", "season_year": "2025", "limit": limit} }
	whole := scratch.Decoded(t, scratch.Ask(t, s, 200, "/scs/leaderboard/{component}", given("100")))
	if whole["component"] != "SAGA" || whole["total_athletes"] == 0.0 {
		t.Fatalf("the leaderboard: %v", whole)
	}
	for _, limit := range []string{"0", "-1", "-" + strings.Repeat("9", 30)} {
		a := scratch.Ask(t, s, 200, "/scs/leaderboard/{component}", given(limit))
		o := scratch.Decoded(t, a)
		if o["total_athletes"] != whole["total_athletes"] || len(o["results"].([]any)) != 0 || !strings.Contains(string(a.Body), `"limit":`+limit+`,`) {
			t.Errorf("limit %s: %.300s", limit, a.Body)
		}
	}
}

func TestComparison(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	scratch.Insert(t, db, readapi.ComponentTable, row{"anet_athlete_hnd": 1, "saga_score": 0, "saga_rank": 1, "sewr_score": "12.5000", "best_ags": 0, "avg_ags": -0.5})
	scratch.Insert(t, db, readapi.ComponentTable, row{"anet_athlete_hnd": 2, "athlete_name_first": "Zoë", "saga_score": 1})
	scratch.Insert(t, db, readapi.ComponentTable, row{"anet_athlete_hnd": 3, "athlete_name_first": "", "athlete_name_last": `O"B`, "team_name": "T"})
	about := func(hnd string) object {
		return scratch.Decoded(t, scratch.Ask(t, s, 200, "/scs/athletes/{athlete_hnd}/comparison", in1990(texts{"athlete_hnd": hnd})))
	}
	for hnd, want := range map[string]string{"1": "None None", "2": "Zoë None", "3": ` O"B`} {
		if got := about(hnd)["athlete_info"].(object)["name"]; got != want {
			t.Errorf("athlete %s is %q, want %q", hnd, got, want)
		}
	}
	o := about("1")
	if info := o["athlete_info"].(object); info["team"] != nil || info["races_used"] != nil {
		t.Errorf("no team: %v", info)
	}
	c := o["components"].(object)
	if saga := c["saga"].(object); saga["score"] != nil || saga["rank"] != 1.0 || saga["percentile"] != 66.7 {
		t.Errorf("a score of zero: %v", saga)
	}
	if sewr := c["sewr"].(object); sewr["score"] != 12.5 || sewr["rank"] != nil || sewr["percentile"] != nil {
		t.Errorf("no rank: %v", sewr)
	}
	if ags := o["detail_metrics"].(object)["ags"].(object); ags["best"] != nil || ags["average"] != -0.5 || ags["worst"] != nil {
		t.Errorf("ags: %v", ags)
	}
	if context := o["context"].(object); context["total_athletes"] != 3.0 || context["gender_code"] != "M" {
		t.Errorf("context: %v", context)
	}
	scratch.Ask(t, s, 404, "/scs/athletes/{athlete_hnd}/comparison", in1990(texts{"athlete_hnd": "4"}))
}

func TestDistribution(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	spread := func() string {
		a := scratch.Ask(t, s, 200, "/scs/distribution/{component}", in1990(texts{"component": "saga"}))
		return string(mariadb.ShortDeviation(a.Body))
	}
	const context = `,"context":{"season_year":1990,"division_code":2030,"gender_code":"M"}}`
	if got, want := spread(), `{"component":"SAGA","statistics":{"min":null,"max":null,"mean":null,"std":null,"count":0},`+
		`"percentiles":{"25th":null,"50th":null,"75th":null}`+context; got != want {
		t.Errorf("of nothing:\n got %s\nwant %s", got, want)
	}
	scratch.Insert(t, db, readapi.ComponentTable, nil) // no score
	scratch.Insert(t, db, readapi.ComponentTable, row{"saga_score": 0})
	if got, want := spread(), `{"component":"SAGA","statistics":{"min":null,"max":null,"mean":null,"std":null,"count":1},`+
		`"percentiles":{"25th":0.0,"50th":0.0,"75th":0.0}`+context; got != want {
		t.Errorf("of a zero:\n got %s\nwant %s", got, want)
	}
	for _, score := range []string{"1", "2.5", "-3.5"} {
		scratch.Insert(t, db, readapi.ComponentTable, row{"saga_score": score})
	}
	if got, want := spread(), `{"component":"SAGA","statistics":{"min":-3.5,"max":2.5,"mean":null,"std":2.20794022,"count":4},`+
		`"percentiles":{"25th":0.0,"50th":1.0,"75th":2.5}`+context; got != want {
		t.Errorf("of four:\n got %s\nwant %s", got, want)
	}
}

func TestResume(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	scratch.Insert(t, db, "iz_athnet_teams", row{"IDSchool": 7, "UstfcccaId": 70})
	for i, r := range []row{
		{"gender_fk": 1, "season_html": "men", "updated_at": "1990-01-01"},
		{"gender_fk": 2, "season_html": "women", "updated_at": "1990-02-01"},
		{"gender_fk": 1, "season_html": "track", "sport_fk": 1, "updated_at": "1999-01-01"},
		{"gender_fk": 1, "season_html": "other team", "group_fk": 7, "updated_at": "1999-01-01"},
		{"gender_fk": 1, "season_html": "old men", "updated_at": "1980-01-01"},
		{"gender_fk": 2, "season_html": "undated women"},
	} {
		if r["group_fk"] == nil {
			r["group_fk"] = 70
		}
		r["id"] = 100 + i
		scratch.Insert(t, db, "iz_groups_season_resumes", r)
	}
	for gender, want := range map[string]string{"M": "men", "m": "men", "F": "women", "f": "women", "": "women"} {
		given := in1990(texts{"team_hnd": "7", "division": "9"})
		if gender != "" {
			given["gender"] = gender
		}
		for _, path := range []string{"/teams/{team_hnd}/resume", "/team-five/{team_hnd}/resume"} {
			if o := scratch.Decoded(t, scratch.Ask(t, s, 200, path, given)); o["season_html"] != want {
				t.Errorf("gender %q: %v, want %s", gender, o["season_html"], want)
			}
		}
		given["team_hnd"] = "70"
		shown := gender
		if shown == "" {
			shown = "None"
		}
		a := scratch.Ask(t, s, 404, "/teams/{team_hnd}/resume", given)
		if want := `{"detail":"Season resume not found for team 70 (season=1990, division=9, gender=` + shown + `)"}`; string(a.Body) != want {
			t.Errorf("got %s, want %s", a.Body, want)
		}
	}
}

func TestMatchups(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	// Team 1 is a or b; the other's ko_rank orders its games, NULL first.
	for i, r := range []row{
		{"team_b_id": 2, "team_b_ko_rank": 5, "race_date": "1990-09-01"},
		{"team_b_id": 3, "team_b_ko_rank": nil, "race_date": "1990-09-02"},
		{"team_a_id": 4, "team_b_id": 1, "team_a_ko_rank": 2, "team_b_ko_rank": 9, "winner_team_id": 4},
		{"team_b_id": 2, "team_b_ko_rank": 5, "race_date": "1990-10-01", "winner_team_id": 2, "race_hnd": 5, "team_a_rank": 4},
		{"team_b_id": 2, "team_b_ko_rank": 5, "race_date": "1990-10-01", "race_hnd": 5, "team_a_rank": 3, "meet_name": "Zoë \"Cup\""},
		{"team_a_id": 8, "team_b_id": 9},
	} {
		r["matchup_id"] = 1 + i
		scratch.Insert(t, db, readapi.MatchupTable, r)
	}
	scratch.Insert(t, db, readapi.KnockoutTable, row{"team_id": 1, "team_name": "One"})
	scratch.Insert(t, db, readapi.KnockoutTable, row{"team_id": 2, "team_name": ""})

	games := func(more texts) object {
		given := in1990(texts{"team_id": "1"})
		for name, text := range more {
			given[name] = text
		}
		return scratch.Decoded(t, scratch.Ask(t, s, 200, "/team-knockout/matchups", given))
	}
	o := games(nil)
	equal(t, "games", scratch.FieldOf(o["matchups"], "matchup_id"), 2.0, 3.0, 4.0, 5.0, 1.0)
	equal(t, "names", scratch.FieldOf(o["matchups"], "team_a_name"), "One", nil, "One", "One", "One")
	want := object{"total_matchups": 5.0, "wins": 3.0, "losses": 2.0, "win_pct": 60.0}
	if o["total"] != 5.0 || !reflect.DeepEqual(o["stats"], want) {
		t.Errorf("stats: %v", o["stats"])
	}
	o = games(texts{"limit": "2", "offset": "3"})
	equal(t, "a page", scratch.FieldOf(o["matchups"], "matchup_id"), 5.0, 1.0)
	if !reflect.DeepEqual(o["stats"], want) {
		t.Errorf("stats beside a page: %v", o["stats"])
	}
	if a := scratch.Ask(t, s, 200, "/team-knockout/matchups", in1990(texts{"team_id": "77"})); string(a.Body) != `{"total":0,"limit":50,"offset":0,`+
		`"stats":{"total_matchups":0,"wins":0,"losses":0,"win_pct":0.0},"matchups":[]}` {
		t.Errorf("no games: %s", a.Body)
	}

	// The order of the two teams does not matter. Of the latest day's winners the
	// highest ID counts. An empty name counts as missing.
	for _, teams := range [][2]string{{"1", "2"}, {"2", "1"}} {
		o = scratch.Decoded(t, scratch.Ask(t, s, 200, "/team-knockout/matchups/head-to-head", in1990(texts{"team_a_id": teams[0], "team_b_id": teams[1]})))
		equal(t, "their games", scratch.FieldOf(o["matchups"], "matchup_id"), 4.0, 5.0, 1.0)
		if teams[0] == "1" && (o["team_a_name"] != "One" || o["team_b_name"] != nil || o["team_a_wins"] != 2.0 || o["team_b_wins"] != 1.0) ||
			teams[0] == "2" && (o["team_b_name"] != "One" || o["team_a_name"] != nil || o["team_a_wins"] != 1.0 || o["team_b_wins"] != 2.0) {
			t.Errorf("%v: %v", teams, o)
		}
		if o["latest_matchup_date"] != "1990-10-01" || o["latest_winner_id"] != 2.0 || o["total_matchups"] != 3.0 {
			t.Errorf("%v: %v", teams, o)
		}
	}
	scratch.Ask(t, s, 404, "/team-knockout/matchups/head-to-head", in1990(texts{"team_a_id": "1", "team_b_id": "8"}))

	o = scratch.Decoded(t, scratch.Ask(t, s, 200, "/team-knockout/matchups/meet/{race_hnd}", in1990(texts{"race_hnd": "5"})))
	equal(t, "a meet's games", scratch.FieldOf(o["matchups"], "matchup_id"), 5.0, 4.0)
	if o["meet_name"] != `Zoë "Cup"` || o["race_date"] != "1990-10-01" || o["total_matchups"] != 2.0 {
		t.Errorf("a meet: %v", o)
	}
}

// TestCommonOpponents: each game of A is joined with each game of B, so the counts
// multiply. A and B are not opponents of their own.
func TestCommonOpponents(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	game := func(a, b, winner int) {
		scratch.Insert(t, db, readapi.MatchupTable, row{"team_a_id": a, "team_b_id": b, "winner_team_id": winner})
	}
	game(1, 3, 1)
	game(3, 1, 3)
	game(2, 3, 2)
	game(2, 3, 2)
	game(3, 2, 3)
	game(1, 4, 4)
	game(4, 2, 4)
	game(1, 2, 1)
	game(1, 5, 1) // B never met 5
	scratch.Insert(t, db, readapi.MatchupTable, row{"team_a_id": 2, "team_b_id": 5, "winner_team_id": 2, "gender_code": "F"})
	a := scratch.Ask(t, s, 200, "/team-knockout/matchups/common-opponents", in1990(texts{"team_a_id": "1", "team_b_id": "2"}))
	o := scratch.Decoded(t, a)
	equal(t, "opponents", scratch.FieldOf(o["common_opponents"], "opponent_id"), 3.0, 4.0)
	for field, want := range map[string][]any{"team_a_wins": {3.0, 0.0}, "team_a_losses": {3.0, 1.0}, "team_b_wins": {4.0, 0.0}, "team_b_losses": {2.0, 1.0}} {
		equal(t, field, scratch.FieldOf(o["common_opponents"], field), want...)
	}
	if o["team_a_record_vs_common"] != "3-4" || o["team_b_record_vs_common"] != "4-3" || o["total_common_opponents"] != 2.0 {
		t.Errorf("got %s", a.Body)
	}
	a = scratch.Ask(t, s, 404, "/team-knockout/matchups/common-opponents", in1990(texts{"team_a_id": "1", "team_b_id": "6"}))
	if want := `{"detail":"No common opponents found between team_a_id=1 and team_b_id=6"}`; string(a.Body) != want {
		t.Errorf("got %s", a.Body)
	}
}

func TestEmptyTables(t *testing.T) {
	opts, _ := emptyTables(t)
	s := open(t, opts)
	for path, want := range map[string]string{
		"/snapshots/": `{"total":0,"snapshots":[]}`, "/metadata/": `{"total":0,"results":[]}`, "/metadata/latest": `{"total":0,"results":[]}`,
		"/athletes/": `{"total":0,"limit":100,"offset":0,"results":[]}`, "/team-knockout/": `{"total":0,"limit":100,"offset":0,"results":[]}`,
		"/metadata/summary/processing": `{"total_calculations":0,"total_athletes_all":null,"total_teams_all":null,` +
			`"avg_processing_time":null,"avg_cache_hit_rate":null,"first_calculation":null,"latest_calculation":null}`,
		"/health": `{"` + readapi.AthleteTable + `":0,"` + readapi.TeamTable + `":0,"` + readapi.ComponentTable + `":0,"` + readapi.MetadataTable + `":0}`,
	} {
		if a := scratch.Ask(t, s, 200, path, nil); string(a.Body) != want {
			t.Errorf("%s:\n got %s\nwant %s", path, a.Body, want)
		}
	}
	a := scratch.Ask(t, s, 404, "/metadata/latest/date", nil)
	if want := `{"detail":"No calculation metadata found"}`; string(a.Body) != want {
		t.Errorf("got %s", a.Body)
	}
	a = scratch.Ask(t, s, 404, "/snapshots/{snapshot_date}/metadata", texts{"snapshot_date": "2025-10-20"})
	if want := `{"detail":"Snapshot 2025-10-20 not found"}`; string(a.Body) != want {
		t.Errorf("got %s", a.Body)
	}
}

// TestMetadata: the summary and the latest date use live light/division rows only, and
// averages ignore NULL.
func TestMetadata(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	for i, r := range []row{
		{"calculated_at": "1990-01-01 00:00:00", "total_athletes": 5, "processing_time_seconds": "1.00", "cache_hit_rate": "0.5000"},
		{"calculated_at": "1990-03-01 12:30:15", "total_athletes": nil, "processing_time_seconds": "2.01", "cache_hit_rate": nil, "cache_used": 1},
		{"calculated_at": "1990-03-01 12:30:15", "gender_code": "F", "total_athletes": 7, "processing_time_seconds": nil, "error_message": "a\nb"},
		{"calculated_at": "1999-01-01", "checkpoint_date": "1990-10-01", "total_athletes": 1000},
		{"calculated_at": "1999-01-02", "algorithm_type": "heavy", "total_athletes": 1000},
		{"calculated_at": "1999-01-03", "scoring_group": "region_1", "total_athletes": 1000},
		{"calculated_at": "1990-03-01 12:30:15", "total_athletes": 1},
	} {
		r["metadata_id"] = 1 + i
		scratch.Insert(t, db, readapi.MetadataTable, r)
	}
	if a := scratch.Ask(t, s, 200, "/metadata/summary/processing", nil); string(a.Body) != `{"total_calculations":4,"total_athletes_all":13,"total_teams_all":null,`+
		`"avg_processing_time":1.505,"avg_cache_hit_rate":0.5,"first_calculation":"1990-01-01T00:00:00","latest_calculation":"1990-03-01T12:30:15"}` {
		t.Errorf("the summary: %s", a.Body)
	}
	if a := scratch.Ask(t, s, 200, "/metadata/latest/date", nil); string(a.Body) != `{"calculated_at":"1990-03-01T12:30:15"}` {
		t.Errorf("the latest date: %s", a.Body)
	}
	o := scratch.Decoded(t, scratch.Ask(t, s, 200, "/metadata/latest", nil))
	equal(t, "the latest", scratch.FieldOf(o["results"], "metadata_id"), 3.0, 2.0, 7.0)
	o = scratch.Decoded(t, scratch.Ask(t, s, 200, "/metadata/", in1990(nil)))
	equal(t, "all live rows, newest first", scratch.FieldOf(o["results"], "metadata_id"), 6.0, 5.0, 2.0, 3.0, 7.0, 1.0)
	equal(t, "cache_used", scratch.FieldOf(o["results"], "cache_used"), false, false, true, false, false, false)
	o = scratch.Decoded(t, scratch.Ask(t, s, 200, "/metadata/", in1990(texts{"checkpoint_date": "1990-10-01"})))
	equal(t, "a snapshot's", scratch.FieldOf(o["results"], "metadata_id"), 4.0)
}

func TestSnapshots(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	for i, r := range []row{
		{"checkpoint_date": "1990-10-05", "athlete_name_first": "A", "athlete_name_last": "B", "regl_group_name": "own"},
		{"checkpoint_date": "1990-10-05", "gender_code": "F", "division_code": 2032},
		{"checkpoint_date": "1990-11-25", "athlete_name_first": "A"},
		{"checkpoint_date": "1990-11-25", "algorithm_type": "heavy"},
		{"checkpoint_date": "1990-12-25", "scoring_group": "region_1"},
		{},
	} {
		r["athlete_rank"] = 10 - i
		scratch.Insert(t, db, readapi.AthleteTable, r)
	}
	a := scratch.Ask(t, s, 200, "/snapshots/", nil)
	if want := `{"total":2,"snapshots":[{"date":"1990-11-25","season":1990,"divisions":1,"genders":1,"total_athletes":1,"display_name":"November 25, 1990"},` +
		`{"date":"1990-10-05","season":1990,"divisions":2,"genders":2,"total_athletes":2,"display_name":"October 05, 1990"}]}`; string(a.Body) != want {
		t.Errorf("got %s", a.Body)
	}
	given := texts{"snapshot_date": "1990-10-05", "division": "2030", "gender": "m"}
	results := scratch.Decoded(t, scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/athletes", given))["results"]
	equal(t, "names", scratch.FieldOf(results, "athlete_name"), "A B")
	equal(t, "the row's own region", scratch.FieldOf(results, "regl_group_name"), "own")
	given["snapshot_date"] = "1990-11-25"
	results = scratch.Decoded(t, scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/athletes", given))["results"]
	equal(t, "a name that lacks a half", scratch.FieldOf(results, "athlete_name"), nil)
	given["division"] = "0"
	if o := scratch.Decoded(t, scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/athletes", given)); o["total"] != 0.0 {
		t.Errorf("division 0: %v", o)
	}
}
