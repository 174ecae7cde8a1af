package readapi_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// TestExtraColumns: an operator can show a new column of a table before a release
// knows it.
func TestExtraColumns(t *testing.T) {
	t.Parallel()
	opts, db := emptyTables(t)
	for _, column := range []struct{ name, definition string }{
		{"national_rank", "INT NULL"}, {"note", "VARCHAR(20) NULL"}, {"points", "DECIMAL(8,3) NULL"}, {"seen", "DATE NULL"},
		{"touched", "DATETIME(3) NULL"}, {"weight", "FLOAT NULL"}, {"secret", "INT NULL"}, {"odd", "TINYINT(1) NULL"},
	} {
		scratch.Execute(t, db, "ALTER TABLE "+readapi.AthleteTable+" ADD "+column.name+" "+column.definition)
	}
	scratch.Execute(t, db, "ALTER TABLE "+readapi.TeamTable+" ADD national_rank BIGINT UNSIGNED NULL FIRST")
	scratch.Execute(t, db, "ALTER TABLE "+readapi.KnockoutTable+" ADD seed TIMESTAMP NULL")
	scratch.Insert(t, db, readapi.AthleteTable, row{"anet_athlete_hnd": 7, "national_rank": 12, "note": `a"b`, "points": "1.500", "seen": "2025-10-20",
		"touched": "2025-10-20 01:02:03.5", "weight": 0.1, "odd": 1, "secret": 1})
	scratch.Insert(t, db, readapi.TeamTable, row{"national_rank": uint64(1 << 63)})
	scratch.Insert(t, db, readapi.KnockoutTable, nil)

	s, err := store.Open(opts, "athletes.national_rank", "athletes.note", "athletes.points", "athletes.seen", "athletes.touched", "athletes.weight",
		"athletes.odd", "teams.national_rank", "team-knockout.seed")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	const athlete = `,"national_rank":12,"note":"a\"b","points":1.5,"seen":"2025-10-20","touched":"2025-10-20T01:02:03.500000","weight":0.1,"odd":1}`
	const team = `,"national_rank":9223372036854775808}`
	for range 2 { // the second time the columns are known
		for path, want := range map[string]string{
			"/athletes/": athlete, "/athletes/{athlete_hnd}": athlete, "/athletes/team/{team_hnd}/roster": athlete,
			"/teams/": team, "/team-five/{team_hnd}": team, "/team-knockout/": `,"seed":null}`, "/team-knockout/{team_id}": `,"seed":null}`,
		} {
			a := scratch.Ask(t, s, 200, path, in1990(texts{"athlete_hnd": "7", "team_hnd": "1", "team_id": "1"}))
			if body := strings.TrimSuffix(string(a.Body), "]}"); !strings.HasSuffix(body, want) {
				t.Errorf("%s: %s, want it to end with %s", path, body, want)
			}
		}
	}
	// Snapshots have column lists of their own.
	scratch.Execute(t, db, "UPDATE "+readapi.AthleteTable+" SET checkpoint_date = '1990-10-20'")
	a := scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/athletes", texts{"snapshot_date": "1990-10-20", "division": "2030", "gender": "M"})
	if strings.Contains(string(a.Body), "national_rank") || !strings.Contains(string(a.Body), `"total":1,`) {
		t.Errorf("a snapshot: %s", a.Body)
	}

	if got, err := s.Unshown(t.Context()); err != nil || !reflect.DeepEqual(got, map[string][]string{readapi.AthleteTable: {"secret"}}) {
		t.Errorf("unshown columns: %v, %v", got, err)
	}
	plain := open(t, opts)
	got, err := plain.Unshown(t.Context())
	want := map[string][]string{readapi.AthleteTable: {"national_rank", "note", "points", "seen", "touched", "weight", "secret", "odd"},
		readapi.TeamTable: {"national_rank"}, readapi.KnockoutTable: {"seed"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("unshown columns: %v, %v", got, err)
	}
	if got, err := open(t, options(t)).Unshown(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("unshown columns of the contract: %v, %v", got, err)
	}
}

// TestExtraColumnIsMissing: the start fails with the name of a column that the
// table does not have.
func TestExtraColumnIsMissing(t *testing.T) {
	t.Parallel()
	s, err := store.Open(options(t), "teams.no_such")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Check(t.Context()); store.ClassOf(err) != store.Setup || !strings.Contains(fmt.Sprint(err), "no_such") {
		t.Errorf("got %v", err)
	}
}

func TestExtraColumnsAreRefused(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{
		{"athletes"}, {"athletes."}, {".national_rank"}, {"nobody.national_rank"}, {"athletes.a b"}, {"athletes.`a`"}, {"athletes.1a"},
		{"Athletes.a"}, {"athletes.xcri_score"}, {"teams.a", "teams.a"}, {"athletes.a", "snapshots.a"}, {"athletes." + strings.Repeat("a", 65)}, {""},
	} {
		if _, err := store.Open(options(t), names...); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", names[len(names)-1])) {
			t.Errorf("%q: %v", names, err)
		}
	}
	if _, err := store.Open(options(t), "athletes.a", "teams.a", "team-knockout.A_1"); err != nil {
		t.Error(err)
	}
}

// TestExtraColumnsFail: an answer fails with the statement that reads the names.
func TestExtraColumnsFail(t *testing.T) {
	t.Parallel()
	x, err := readapi.WithColumns([]string{"teams.national_rank"})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := scratch.Query(t, "/teams/", nil).Run(failing{}, readapi.State{Extra: x}); err == nil {
		t.Errorf("answers with %s", a.Body)
	}
	if c, err := x.Unshown(failing{}); err == nil {
		t.Errorf("all but %v are shown", c)
	}
}
