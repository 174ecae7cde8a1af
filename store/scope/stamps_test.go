package scope_test

import (
	"testing"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/scope"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// stampsOf polls and returns the stamps of a table.
func stampsOf(t *testing.T, s *store.Store, table string) scope.Stamp {
	t.Helper()
	g, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return g.Stamps()[table]
}

// The server changes a table's stamp with each statement that may change the result of
// a read, and shows it to an account that may only read.
func TestStamps(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	// Two changes within a second may leave the same stamp: each table has one change.
	for table, statement := range map[string]string{
		readapi.ResumeTable:   "INSERT INTO " + readapi.ResumeTable + " (season_year, group_fk, gender_fk, sport_fk, season_html) VALUES (2025, 1, 1, 3, '')",
		readapi.SchoolTable:   "INSERT INTO " + readapi.SchoolTable + " (IDSchool) VALUES (1)",
		readapi.KnockoutTable: "ALTER TABLE " + readapi.KnockoutTable + " ADD COLUMN more INT",
	} {
		scratch.Execute(t, db, "DO SLEEP(1.1)") // creating a table is a change, too
		before := stampsOf(t, s, table)
		scratch.Execute(t, db, statement)
		if after := stampsOf(t, s, table); after.Same(before) || !after.Recent || after.Created == "" {
			t.Errorf("%s: %+v, before %+v", statement, after, before)
		}
	}
	for _, truncate := range []string{readapi.SchoolTable, readapi.ResumeTable} { // of one row each
		scratch.Execute(t, db, "TRUNCATE "+truncate)
		if !stampsOf(t, s, truncate).Empty {
			t.Errorf("%s: TRUNCATE is not seen", truncate)
		}
	}
	scratch.Execute(t, db, "INSERT INTO "+readapi.SchoolTable+" (IDSchool) VALUES (2)")
	if stampsOf(t, s, readapi.SchoolTable).Empty {
		t.Error("a table with a row is empty")
	}
	if !stampsOf(t, s, readapi.SchoolTable).Known() {
		t.Error("the server does not record changes of rows")
	}
	g, err := s.Generation(t.Context())
	if err != nil || len(g.Stamps()) != len(readapi.Tables()) {
		t.Errorf("%v, error %v", g.Stamps(), err)
	}
}

// The sums of a table's rows differ for exactly the scopes whose rows differ, for a change
// of any column, also if NULL moves to another column.
func TestScopeRows(t *testing.T) {
	s, execute := sampleDatabase(t)
	sums := func() map[scope.Scope]scope.Rows {
		t.Helper()
		rows, err := s.ScopeRows(t.Context(), readapi.AthleteTable)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	before := sums()
	men := scope.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: scope.Live}
	if len(before) < 10 || before[men].Count == 0 {
		t.Fatalf("%d scopes, %+v", len(before), before[men])
	}
	const one = " WHERE season_year = 2025 AND division_code = 2030 AND gender_code = 'M' AND checkpoint_date IS NULL ORDER BY ranking_id LIMIT 1"
	for _, change := range []string{
		"SET athlete_name_last = CONCAT(athlete_name_last, 'x')", "SET xcri_score = xcri_score + 0.0001", "SET algorithm_version = NULL",
		"SET most_recent_race_date = NULL", "SET team_name = 'a', regl_group_name = NULL", "SET team_name = NULL, regl_group_name = 'a'",
		"SET calculated_at = calculated_at + INTERVAL 1 SECOND",
	} {
		execute("UPDATE " + readapi.AthleteTable + " " + change + one)
		after := sums()
		if changed := scope.Changed(before, after); len(changed) != 1 || changed[0] != men || after[men].Count != before[men].Count {
			t.Errorf("%s: %v", change, changed)
		}
		before = after
	}
	execute("UPDATE " + readapi.AthleteTable + " SET team_group_fk = team_group_fk")
	if changed := scope.Changed(before, sums()); len(changed) != 0 {
		t.Errorf("nothing changed, but %v", changed)
	}
	execute("UPDATE " + readapi.AthleteTable + " SET checkpoint_date = '1999-01-01'" + one)
	after := sums()
	dated := men
	dated.Checkpoint = "1999-01-01"
	if changed := scope.Changed(before, after); len(changed) != 2 || changed[0] != dated || changed[1] != men {
		t.Errorf("moved to another scope: %v", changed)
	}
	execute("DELETE FROM " + readapi.AthleteTable + " WHERE checkpoint_date = '1999-01-01'")
	if changed := scope.Changed(after, sums()); len(changed) != 1 || changed[0] != dated {
		t.Errorf("scope without rows: %v", changed)
	}
}

// Every table can be summed up by an account that only reads. The rows of a table without
// scopes are all of the same scope, which holds every other.
func TestScopedTables(t *testing.T) {
	s, execute := sampleDatabase(t)
	for _, table := range readapi.Tables() {
		rows, err := s.ScopeRows(t.Context(), table)
		if err != nil || len(rows) == 0 {
			t.Errorf("%s: %d scopes, error %v", table, len(rows), err)
		}
	}
	for table, change := range map[string]struct {
		scope     scope.Scope
		statement string
	}{
		readapi.SchoolTable: {scope.Scope{}, "INSERT INTO " + readapi.SchoolTable + " (IDSchool) VALUES (1)"},
		readapi.ResumeTable: {scope.Scope{Season: "2025"}, "UPDATE " + readapi.ResumeTable + " SET season_html = 'mended' WHERE season_year = 2025 LIMIT 1"},
	} {
		before, _ := s.ScopeRows(t.Context(), table)
		execute(change.statement)
		after, err := s.ScopeRows(t.Context(), table)
		if changed := scope.Changed(before, after); err != nil || len(changed) != 1 || changed[0] != change.scope {
			t.Errorf("%s: changed %v, error %v", table, changed, err)
		}
		execute("DELETE FROM " + table)
		if rows, err := s.ScopeRows(t.Context(), table); len(rows) != 0 || err != nil {
			t.Errorf("%s without rows: %v, error %v", table, rows, err)
		}
	}
}

// Connections that keep the time zone from before a change of the server's return the
// same stamps as connections from after it.
func TestStampsInTwoTimeZones(t *testing.T) {
	opts, db := emptyTables(t)
	scratch.Execute(t, db, "INSERT INTO "+readapi.SchoolTable+" (IDSchool) VALUES (1)")
	var zone string
	if err := db.QueryRow("SELECT @@GLOBAL.time_zone").Scan(&zone); err != nil {
		t.Fatal(err)
	}
	before := stampsOf(t, open(t, opts), readapi.SchoolTable)
	scratch.Execute(t, db, "SET GLOBAL time_zone = '-07:00'")
	defer scratch.Execute(t, db, "SET GLOBAL time_zone = '"+zone+"'")
	if after := stampsOf(t, open(t, opts), readapi.SchoolTable); !before.Known() || !after.Same(before) {
		t.Errorf("%+v, before %+v", after, before)
	}
}
