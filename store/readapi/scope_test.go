package readapi_test

import (
	"testing"

	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/scope"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// TestScope: each kind of question depends on the expected calculations.
func TestScope(t *testing.T) {
	tested := map[string]bool{}
	for _, tt := range []struct {
		path  string
		given texts
		want  string
	}{
		// Seasons have a default; without a date it is the live rankings.
		{"/athletes/", nil, "2024/*/*/live"},
		{"/athletes/", texts{"season_year": "2025", "division": "2030", "gender": "m"}, "2025/2030/M/live"},
		{"/athletes/", texts{"division": "0", "gender": "F", "checkpoint_date": ""}, "2024/*/F/live"},
		{"/athletes/", texts{"season_year": " +02025.0 ", "division": "2_030"}, "2025/2030/*/live"},
		{"/athletes/", texts{"season_year": "2025", "checkpoint_date": "2025-10-20"}, "2025/*/*/2025-10-20"},
		{"/athletes/", texts{"checkpoint_date": "20251020", "search": "smith", "limit": "7", "min_races": "3"}, "2024/*/*/2025-10-20"},
		{"/athletes/", texts{"algorithm_type": "heavy", "scoring_group": "region_1", "region": "West"}, "2024/*/*/live"},
		{"/athletes/", texts{"season_year": "-1"}, "-1/*/*/live"},
		{"/athletes/{athlete_hnd}", texts{"athlete_hnd": "7", "division": "2031"}, "2024/2031/*/live"},
		{"/athletes/team/{team_hnd}/roster", texts{"team_hnd": "7", "gender": "F"}, "2024/*/F/live"},
		{"/teams/", texts{"season_year": "2025", "division": "2030", "gender": "M"}, "2025/2030/M/live"},
		{"/teams/{team_hnd}", texts{"team_hnd": "7", "division": "2030"}, "2024/2030/*/live"},
		{"/team-five/", texts{"gender": "F"}, "2024/*/F/live"},
		{"/team-five/{team_hnd}", texts{"team_hnd": "7"}, "2024/*/*/live"},
		// Résumés belong to no calculation.
		{"/teams/{team_hnd}/resume", texts{"team_hnd": "7", "division": "2030", "gender": "M"}, "*/*/*/*"},
		{"/team-five/{team_hnd}/resume", texts{"team_hnd": "7"}, "*/*/*/*"},
		// A rank group names a division only if its type is division.
		{"/team-knockout/", texts{"rank_group_fk": "2030", "gender_code": "f"}, "2025/2030/F/live"},
		{"/team-knockout/", texts{"rank_group_fk": "2030", "rank_group_type": "D", "season_year": "2024"}, "2024/2030/*/live"},
		{"/team-knockout/", texts{"rank_group_fk": "3", "rank_group_type": "R"}, "2025/*/*/live"},
		{"/team-knockout/{team_id}", texts{"team_id": "7", "checkpoint_date": "2025-10-13"}, "2025/*/*/2025-10-13"},
		{"/team-knockout/matchups", texts{"team_id": "7", "rank_group_fk": "2030"}, "2025/2030/*/live"},
		{"/team-knockout/matchups/head-to-head", texts{"team_a_id": "7", "team_b_id": "8"}, "2025/*/*/live"},
		{"/team-knockout/matchups/common-opponents", texts{"team_a_id": "7", "team_b_id": "8", "gender_code": "M"}, "2025/*/M/live"},
		{"/team-knockout/matchups/meet/{race_hnd}", texts{"race_hnd": "7"}, "2025/*/*/live"},
		{"/metadata/", texts{"division": "2030"}, "2024/2030/*/live"},
		{"/metadata/", texts{"division": "0", "checkpoint_date": "2025-10-20"}, "2024/0/*/2025-10-20"},
		{"/metadata/latest", nil, "*/*/*/*"},
		{"/metadata/latest/date", nil, "*/*/*/*"},
		{"/metadata/{metadata_id}", texts{"metadata_id": "7"}, "*/*/*/*"},
		{"/metadata/summary/processing", nil, "*/*/*/*"},
		{"/snapshots/", nil, "*/*/*/dated"},
		{"/snapshots/{snapshot_date}/athletes", texts{"snapshot_date": "2025-10-20", "division": "2030", "gender": "m"}, "*/2030/M/2025-10-20"},
		{"/snapshots/{snapshot_date}/teams", texts{"snapshot_date": "2025-10-20", "division": "2030", "gender": "F"}, "*/2030/F/2025-10-20"},
		{"/snapshots/{snapshot_date}/metadata", texts{"snapshot_date": "2025-10-20"}, "*/*/*/2025-10-20"},
		{"/scs/athletes/{athlete_hnd}/components", texts{"athlete_hnd": "7"}, "2024/*/*/*"},
		{"/scs/athletes/{athlete_hnd}/comparison", texts{"athlete_hnd": "7"}, "2024/2030/M/*"},
		// The gender is compared as sent, so the question may match more rows than its
		// scope says.
		{"/scs/leaderboard/{component}", texts{"component": "SAGA", "gender": "m"}, "2024/2030/M/*"},
		{"/scs/leaderboard/{component}", texts{"component": "saga", "gender": "M "}, "2024/2030/*/*"},
		{"/scs/distribution/{component}", texts{"component": "saga", "division": "2032", "gender": "F"}, "2024/2032/F/*"},
		{"/components/athletes/{athlete_hnd}", texts{"athlete_hnd": "7", "gender": "F"}, "2024/*/F/*"},
		{"/components/leaderboard", texts{"component": "saga", "season_year": "2025"}, "2025/*/*/*"},
		{"/health", nil, "*/*/*/*"},
	} {
		tested[tt.path] = true
		of := scratch.Query(t, tt.path, tt.given).Scope()
		if got := of.String(); got != tt.want {
			t.Errorf("%s %v: %s, want %s", tt.path, tt.given, got, tt.want)
		}
		if again, err := scope.Parse(of.String()); again != of || err != nil {
			t.Errorf("%s is read back as %s, %v", of, again, err)
		}
	}
	for _, e := range readapi.Endpoints() {
		if e.Answer != nil && !tested[e.Path] {
			t.Errorf("%s: add the expected scope of a query to the table of this test", e.Path)
		}
	}
}

// TestScopeOfNoDate: a text that is not a date matches no calculation, both in a fill
// and in a poll.
func TestScopeOfNoDate(t *testing.T) {
	s := open(t, options(t))
	g, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, date := range []string{"2025-02-30", "yesterday", "live", "*", "a/b"} {
		q := scratch.Query(t, "/athletes/", texts{"checkpoint_date": date})
		a, err := s.Run(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		of, err := scope.Parse(q.Scope().String())
		if err != nil {
			t.Fatalf("%q: %v", date, err)
		}
		if none := (&scope.Generation{}).ID(); a.Generation != none || g.Of(of) != none {
			t.Errorf("%q, scope %s: %s in the fill, %s in the poll", date, of, a.Generation, g.Of(of))
		}
	}
}
