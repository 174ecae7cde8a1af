package scope_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/scope"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// TestGenerationOfTheSample: the sample has its known state, all its scopes have
// different states, and the state of a set of scopes is the sum of their states.
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
		got  []scope.Scope
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
	if g.ID() != g.Of(scope.Scope{}) {
		t.Error("the whole is not the state of all scopes")
	}
	seen := map[string]scope.Scope{}
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
	none := (&scope.Generation{}).ID()
	if g.ID() != none || g.Calculated() != "" || g.Live() != nil || g.Snapshot() != nil || g.Has("2025-10-20") {
		t.Errorf("%s, %q, %v, %v", g.ID(), g.Calculated(), g.Live(), g.Snapshot())
	}
	if a := scratch.Ask(t, s, 200, "/athletes/", nil); a.Generation != none {
		t.Errorf("an answer is of %s", a.Generation)
	}
	scratch.Execute(t, db, "DROP TABLE "+readapi.MetadataTable)
	if _, err := s.Generation(t.Context()); !errors.Is(err, store.ErrSetup) {
		t.Errorf("without the table: %v", err)
	}
}

// TestGenerationNamesChanges: every kind of change of a scope changes its state, and
// no other scope's.
func TestGenerationNamesChanges(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	row := func(values map[string]any) { scratch.Insert(t, db, readapi.MetadataTable, values) }
	row(nil)
	row(map[string]any{"gender_code": "F"})
	row(map[string]any{"checkpoint_date": "1990-10-01"})
	row(map[string]any{"algorithm_type": "heavy"})
	row(map[string]any{"season_year": 1991})
	const men = " WHERE season_year = 1990 AND gender_code = 'M' AND checkpoint_date IS NULL"
	const dated = " WHERE checkpoint_date = '1990-10-01'"
	liveMen, snapshot := scope.Scope{Season: "1990", Division: "2030", Gender: "M", Checkpoint: scope.Live}, scope.Scope{Season: "1990", Division: "2030", Gender: "M", Checkpoint: "1990-10-01"}
	read := func() *scope.Generation {
		g, err := s.Generation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	for _, tt := range []struct {
		statement string
		of        scope.Scope
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
		scratch.Execute(t, db, fmt.Sprintf(tt.statement, readapi.MetadataTable))
		after := read()
		if before.ID() == after.ID() {
			t.Errorf("%s: not noticed", tt.statement)
		}
		for _, s := range before.Scopes() {
			if changed := before.Of(s) != after.Of(s); changed != (s == tt.of) {
				t.Errorf("%s: %s has changed: %t", tt.statement, s, changed)
			}
		}
	}
	// A change of other columns does not change the state.
	before := read()
	scratch.Execute(t, db, "UPDATE "+readapi.MetadataTable+" SET processing_time_seconds = 1, error_message = 'x'")
	if after := read(); after.ID() != before.ID() {
		t.Errorf("%s after %s", after.ID(), before.ID())
	}
}

// TestGenerationOfARead: an answer's generation is the generation of its rows, also
// when an import commits between the two reads.
func TestGenerationOfARead(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	scratch.Insert(t, db, readapi.MetadataTable, map[string]any{"season_year": 2024})
	scratch.Insert(t, db, readapi.TeamTable, map[string]any{"season_year": 2024, "team_rank": 1})
	before, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := scratch.Query(t, "/teams/", nil)
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
	if got := scratch.Decoded(t, a)["total"]; got != 1.0 || a.Generation != before.Of(q.Scope()) {
		t.Errorf("%v rows of generation %s, want one of %s", got, a.Generation, before.Of(q.Scope()))
	}
}

func importRow(t *testing.T, db *sql.DB) {
	t.Helper()
	scratch.Insert(t, db, readapi.TeamTable, map[string]any{"season_year": 2024, "team_rank": 2})
	scratch.Execute(t, db, "UPDATE "+readapi.MetadataTable+" SET total_teams = 2")
}

// TestState: the server computes the state of a scope as Generation.Of does.
func TestState(t *testing.T) {
	s := open(t, options(t))
	g, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var scopes []scope.Scope
	for _, season := range []string{"", "2024", "2025", "1900"} {
		for _, division := range []string{"", "2030", "2032"} {
			for _, gender := range []string{"", "M", "F"} {
				for _, checkpoint := range []string{"", scope.Live, scope.Dated, "2025-10-20", param.NoDate} {
					scopes = append(scopes, scope.Scope{Season: season, Division: division, Gender: gender, Checkpoint: checkpoint})
				}
			}
		}
	}
	e := &readapi.Endpoint{Path: "/states", Answer: func(r *readapi.Read) error {
		for _, of := range scopes {
			got, err := scope.State(r.Database, of)
			if err != nil || got != g.Of(of) {
				t.Errorf("%s: %s, %v; want %s", of, got, err, g.Of(of))
			}
			seen[got] = true
		}
		return nil
	}}
	if _, err := s.Run(t.Context(), readapi.Query{Endpoint: e}); err != nil {
		t.Fatal(err)
	}
	if len(seen) < 40 {
		t.Errorf("only %d states", len(seen))
	}
	if _, err := scope.State(failing{}, scope.Scope{}); !errors.Is(err, errFails) {
		t.Errorf("a statement that fails: %v", err)
	}
	if _, err := scope.Read(failing{}); !errors.Is(err, errFails) {
		t.Errorf("a statement that fails: %v", err)
	}
}

var errFails = errors.New("the statement fails")

// failing is a database whose statements fail.
type failing struct{}

func (failing) Rows(string, []any, func([]driver.Value) error) error { return errFails }
