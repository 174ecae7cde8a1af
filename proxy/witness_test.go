package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest/importer"
)

// body requests a target and returns the body and how it was answered.
func answerTo(t testing.TB, base, target string) (body, outcome string) {
	t.Helper()
	resp, err := http.Get(base + target)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp.Header.Get("Cache-Status")
}

// Changes that no calculation reports reach visitors: a row mended by hand in place, a
// school's résumé, a head-to-head table, the status of a calculation, and rows that are
// written after their metadata row.
func TestChangesWithoutACalculation(t *testing.T) {
	opts, db := scratch(t)
	opts.Generations.Changes.Settle = time.Second
	p, base := start(t, opts)
	await(t, "the first publish", func() bool { return p.generations.Status().Published > 0 })
	men := importer.Scope{Season: 2025, Division: 2030, Gender: "M"}
	const athletes = "/athletes/?season_year=2025&division=2030&gender=M&limit=50000"
	const women = "/athletes/?season_year=2025&division=2030&gender=F&limit=50000"
	for name, tt := range map[string]struct{ target, statement, want string }{
		"a row in place": {athletes,
			"UPDATE iz_rankings_xcri_athlete_rankings SET athlete_name_last = 'Mended' WHERE season_year = 2025 AND division_code = 2030" +
				" AND gender_code = 'M' AND checkpoint_date IS NULL ORDER BY athlete_rank LIMIT 1", "Mended"},
		"a knockout row": {"/team-knockout/?season_year=2025&rank_group_fk=2030&gender_code=M&limit=500",
			"UPDATE iz_rankings_xcri_team_knockout SET elimination_method = 'by hand' WHERE season_year = 2025 AND rank_group_fk = 2030 AND gender_code = 'M' LIMIT 1", "by hand"},
		"a résumé": {"/teams/20005/resume",
			"UPDATE iz_groups_season_resumes r JOIN iz_athnet_teams t ON t.UstfcccaId = r.group_fk SET r.season_html = 'by hand' WHERE t.IDSchool = 20005", "by hand"},
		"a status": {"/metadata/latest",
			"UPDATE iz_rankings_xcri_calculation_metadata SET calculation_status = 'withdrawn'", "withdrawn"},
	} {
		t.Run(name, func(t *testing.T) {
			if body, _ := answerTo(t, base, tt.target); strings.Contains(body, tt.want) {
				t.Fatal("the change is there before it is made")
			}
			execute(t, db, tt.statement)
			await(t, "the change", func() bool {
				body, _ := answerTo(t, base, tt.target)
				return strings.Contains(body, tt.want)
			})
		})
	}
	t.Run("rows after their metadata", func(t *testing.T) {
		if err := importer.Import(t.Context(), db, men, 7, importer.Options{Loose: true, MetadataFirst: true, Groups: 3}); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%q", importer.Name(7))
		old := strings.Count(first(answerTo(t, base, athletes)), `"calculated_at"`)
		await(t, "all rows of the calculation", func() bool {
			return strings.Count(first(answerTo(t, base, athletes)), want) >= old && old > 0
		})
		if _, outcome := answerTo(t, base, women); !strings.Contains(outcome, "hit") {
			t.Errorf("another scope: %s", outcome)
		}
	})
}

func first(a, _ string) string { return a }

// The change of a transaction that commits late reaches visitors, although the server's
// stamp is the same as after another change, which was made at the begin of the
// transaction and is accounted for.
func TestLateCommit(t *testing.T) {
	opts, db := scratch(t)
	opts.Generations.Changes.Settle, opts.Generations.Changes.MaxAge = time.Second, time.Second
	p, base := start(t, opts)
	await(t, "the first publish", func() bool { return p.generations.Status().Published > 0 })
	const target = "/teams/?season_year=2025&division=2030&gender=M&limit=50000"
	change := func(rank int, name string) string {
		var id int
		err := db.QueryRow("SELECT ranking_id FROM iz_rankings_xcri_team_rankings WHERE season_year = 2025 AND division_code = 2030"+
			" AND gender_code = 'M' AND checkpoint_date IS NULL ORDER BY team_rank, ranking_id LIMIT 1 OFFSET ?", rank).Scan(&id)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("UPDATE iz_rankings_xcri_team_rankings SET team_name = '%s' WHERE ranking_id = %d", name, id)
	}
	late, other := change(0, "Late"), change(1, "Other")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(late); err != nil {
		t.Fatal(err)
	}
	execute(t, db, other)
	await(t, "the other change", func() bool { return strings.Contains(first(answerTo(t, base, target)), "Other") })
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	await(t, "the late change", func() bool { return strings.Contains(first(answerTo(t, base, target)), "Late") })
}

// An import that empties tables statement by statement is not published half-way:
// visitors get the old answers until the new answers are complete.
func TestTruncatingImport(t *testing.T) {
	opts, db := scratch(t)
	opts.Generations.Changes.Settle = time.Second
	p, base := start(t, opts)
	await(t, "the first publish", func() bool { return p.generations.Status().Published > 0 })
	const latest = "/metadata/latest"
	before, _ := answerTo(t, base, latest)
	execute(t, db, "CREATE TABLE kept AS SELECT * FROM iz_rankings_xcri_calculation_metadata", "TRUNCATE iz_rankings_xcri_calculation_metadata")
	await(t, "the empty generation is held back", func() bool { return p.generations.Status().Held != "" })
	if body, outcome := answerTo(t, base, latest); body != before || !strings.Contains(outcome, "hit") {
		t.Errorf("%s, %.80s", outcome, body)
	}
	execute(t, db, "INSERT INTO iz_rankings_xcri_calculation_metadata SELECT * FROM kept", "UPDATE iz_rankings_xcri_calculation_metadata SET algorithm_version = 'whole'")
	await(t, "the whole generation", func() bool {
		body, _ := answerTo(t, base, latest)
		return strings.Contains(body, "whole") && p.generations.Status().Held == ""
	})
}

// A list that was read between TRUNCATE and INSERT does not stay, although the rows are
// the same afterwards.
func TestReadBetweenTruncateAndInsert(t *testing.T) {
	opts, db := scratch(t)
	opts.Generations.Changes.Settle = time.Second
	p, base := start(t, opts)
	await(t, "the first publish", func() bool { return p.generations.Status().Published > 0 })
	const warm = "/team-knockout/?season_year=2025&rank_group_fk=2030&gender_code=M&limit=500"
	const cold = "/team-knockout/?season_year=2025&limit=12"
	before := first(answerTo(t, base, warm))
	const table = "iz_rankings_xcri_team_knockout"
	execute(t, db, "CREATE TABLE kept AS SELECT * FROM "+table, "TRUNCATE "+table)
	await(t, "the change is held back", func() bool {
		for _, table := range p.generations.Tables() {
			if table.Held != "" {
				return true
			}
		}
		return false
	})
	if state := get(t, base, "/cache/warm").body; !strings.Contains(state, `"`+table+`: the table is empty"`) {
		t.Errorf("the state of the warm-up: %s", state)
	}
	await(t, "an event of it", func() bool { return strings.Contains(get(t, base, "/cache/stats").body, "new data held back: "+table) })
	if body := first(answerTo(t, base, cold)); !strings.HasPrefix(body, `{"total":0,`) {
		t.Fatalf("%.80s", body)
	}
	if body, outcome := answerTo(t, base, warm); body != before || !strings.Contains(outcome, "hit") {
		t.Errorf("%s, %.80s", outcome, body)
	}
	execute(t, db, "INSERT INTO "+table+" SELECT * FROM kept")
	await(t, "the rows are back", func() bool { return !strings.HasPrefix(first(answerTo(t, base, cold)), `{"total":0,`) })
	if body := first(answerTo(t, base, warm)); body != before {
		t.Errorf("%.80s", body)
	}
}
