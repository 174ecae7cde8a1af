package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/lewistv/xcri-proxy/store/readapi"
)

// TestScope holds which calculations each kind of question depends on.
func TestScope(t *testing.T) {
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
		{"/team-five/{team_hnd}", texts{"team_hnd": "7"}, "2024/*/*/live"},
		// Résumés are of no calculation.
		{"/teams/{team_hnd}/resume", texts{"team_hnd": "7", "division": "2030", "gender": "M"}, "*/*/*/*"},
		// Only the group of a division is a division.
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
		// Compared as it came, so it may match more than it says.
		{"/scs/leaderboard/{component}", texts{"component": "SAGA", "gender": "m"}, "2024/2030/M/*"},
		{"/scs/leaderboard/{component}", texts{"component": "saga", "gender": "M "}, "2024/2030/*/*"},
		{"/scs/distribution/{component}", texts{"component": "saga", "division": "2032", "gender": "F"}, "2024/2032/F/*"},
		{"/components/athletes/{athlete_hnd}", texts{"athlete_hnd": "7", "gender": "F"}, "2024/*/F/*"},
		{"/components/leaderboard", texts{"component": "saga", "season_year": "2025"}, "2025/*/*/*"},
		{"/health", nil, "*/*/*/*"},
	} {
		scope := query(t, tt.path, tt.given).Scope()
		if got := scope.String(); got != tt.want {
			t.Errorf("%s %v: %s, want %s", tt.path, tt.given, got, tt.want)
		}
		if again, err := ParseScope(scope.String()); again != scope || err != nil {
			t.Errorf("%s is read back as %s, %v", scope, again, err)
		}
	}
}

// TestScopeOfNoDate: what is no date matches no calculation, in a fill and in
// the poll alike.
func TestScopeOfNoDate(t *testing.T) {
	s := open(t, options(t))
	g, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, date := range []string{"2025-02-30", "yesterday", "live", "*", "a/b"} {
		q := query(t, "/athletes/", texts{"checkpoint_date": date})
		a, err := s.Run(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		scope, err := ParseScope(q.Scope().String())
		if err != nil {
			t.Fatalf("%q: %v", date, err)
		}
		if none := (&Generation{}).ID(); a.Generation != none || g.Of(scope) != none {
			t.Errorf("%q, scope %s: %s in the fill, %s in the poll", date, scope, a.Generation, g.Of(scope))
		}
	}
}

// TestGenerationOfTheSample also holds that a state tells each of its scopes
// apart, and that all are what their parts add up to.
func TestGenerationOfTheSample(t *testing.T) {
	s := open(t, options(t))
	g, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var live, dated []string
	for _, division := range []string{"2030", "2032", "19781"} {
		for _, gender := range []string{"F", "M"} {
			live = append(live, "2025/"+division+"/"+gender+"/live")
			dated = append(dated, "2025/"+division+"/"+gender+"/2025-10-20")
		}
	}
	for name, tt := range map[string]struct {
		got  []Scope
		want []string
	}{"live": {g.Live(), live}, "snapshot": {g.Snapshot(), dated}} {
		var got []string
		for _, s := range tt.got {
			got = append(got, s.String())
		}
		slices.Sort(got)
		slices.Sort(tt.want)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	for date, want := range map[string]bool{"2025-10-20": true, "2024-11-25": true, "2025-10-21": false, "": false} {
		if g.Has(date) != want {
			t.Errorf("has %q: %t", date, !want)
		}
	}
	if got := g.Calculated(); got != "2025-10-26T22:42:22" {
		t.Errorf("calculated at %s", got)
	}
	if g.ID() != g.Of(Scope{}) {
		t.Error("the whole is not the state of all scopes")
	}
	seen := map[string]Scope{}
	for _, s := range g.Scopes() {
		if other, ok := seen[g.Of(s)]; ok {
			t.Errorf("%s and %s are alike", s, other)
		}
		seen[g.Of(s)] = s
	}
}

func TestGenerationWithoutData(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	g, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	none := (&Generation{}).ID()
	if g.ID() != none || g.Calculated() != "" || g.Live() != nil || g.Snapshot() != nil || g.Has("2025-10-20") {
		t.Errorf("%s, %q, %v, %v", g.ID(), g.Calculated(), g.Live(), g.Snapshot())
	}
	if a := ask(t, s, 200, "/athletes/", nil); a.Generation != none {
		t.Errorf("an answer is of %s", a.Generation)
	}
	execute(t, db, "DROP TABLE "+metadataTable)
	if _, err := s.Generation(t.Context()); !errors.Is(err, ErrSetup) {
		t.Errorf("without the table: %v", err)
	}
}

// TestGenerationTellsChanges: every way in which a scope may change gives it
// another state, and leaves all others as they were.
func TestGenerationTellsChanges(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	row := func(values map[string]any) { insert(t, db, metadataTable, values) }
	row(nil)
	row(map[string]any{"gender_code": "F"})
	row(map[string]any{"checkpoint_date": "1990-10-01"})
	row(map[string]any{"algorithm_type": "heavy"})
	row(map[string]any{"season_year": 1991})
	const men = " WHERE season_year = 1990 AND gender_code = 'M' AND checkpoint_date IS NULL"
	const dated = " WHERE checkpoint_date = '1990-10-01'"
	liveMen, snapshot := Scope{Season: "1990", Division: "2030", Gender: "M", Checkpoint: Live}, Scope{Season: "1990", Division: "2030", Gender: "M", Checkpoint: "1990-10-01"}
	read := func() *Generation {
		g, err := s.Generation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for _, tt := range []struct {
		statement string
		scope     Scope
	}{
		{"UPDATE %s SET calculated_at = '1990-01-02'" + men, liveMen},
		{"UPDATE %s SET calculated_at = '1990-01-01 12:00:00'" + men + " AND algorithm_type = 'heavy'", liveMen}, // not the newest
		{"UPDATE %s SET total_athletes = 5" + men, liveMen},
		{"UPDATE %s SET total_teams = 1" + men, liveMen},
		{"UPDATE %s SET total_performances = 1" + dated, snapshot},
		{"UPDATE %s SET calculated_at = '1990-10-02'" + dated, snapshot},
		{"INSERT INTO %[1]s (season_year, division_code, gender_code, scoring_group, calculated_at)" +
			" SELECT season_year, division_code, gender_code, scoring_group, calculated_at FROM %[1]s" + men + " LIMIT 1", liveMen},
		{"UPDATE %s SET metadata_id = 1000" + men + " ORDER BY metadata_id LIMIT 1", liveMen}, // written again
		{"DELETE FROM %s" + men + " LIMIT 1", liveMen},
		{"DELETE FROM %s" + men, liveMen},
	} {
		before := read()
		execute(t, db, fmt.Sprintf(tt.statement, metadataTable))
		after := read()
		if before.ID() == after.ID() {
			t.Errorf("%s: not noticed", tt.statement)
		}
		for _, s := range before.Scopes() {
			if changed := before.Of(s) != after.Of(s); changed != (s == tt.scope) {
				t.Errorf("%s: %s has changed: %t", tt.statement, s, changed)
			}
		}
	}
	// What is not a part of the data is not a change.
	before := read()
	execute(t, db, "UPDATE "+metadataTable+" SET processing_time_seconds = 1, error_message = 'x'")
	if after := read(); after.ID() != before.ID() {
		t.Errorf("%s after %s", after.ID(), before.ID())
	}
}

// TestGenerationOfARead: an answer's generation is that of its rows, also when
// an import ends between the two reads.
func TestGenerationOfARead(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	insert(t, db, metadataTable, map[string]any{"season_year": 2024})
	insert(t, db, teamTable, map[string]any{"season_year": 2024, "team_rank": 1})
	before, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := query(t, "/teams/", nil)
	answer := q.Answer
	withImport := *q.Endpoint
	withImport.Answer = func(r *readapi.Read) error {
		importRow(t, db)
		return answer(r)
	}
	q.Endpoint = &withImport
	a, err := s.Run(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if got := decoded(t, a)["total"]; got != 1.0 || a.Generation != before.Of(q.Scope()) {
		t.Errorf("%v rows of generation %s, want one of %s", got, a.Generation, before.Of(q.Scope()))
	}
}

func importRow(t *testing.T, db *sql.DB) {
	t.Helper()
	insert(t, db, teamTable, map[string]any{"season_year": 2024, "team_rank": 2})
	execute(t, db, "UPDATE "+metadataTable+" SET total_teams = 2")
}
