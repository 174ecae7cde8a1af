package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// The generation does not depend on the time zone of the server.
func TestGenerationInAnyTimeZone(t *testing.T) {
	db := root(t, "")
	seen := map[string]bool{}
	for _, zone := range []string{"SYSTEM", "+05:45", "-11:00"} {
		execute(t, db, "SET GLOBAL time_zone = '"+zone+"'")
		s := open(t, options(t))
		g, err := s.Generation(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a := ask(t, s, 200, "/metadata/latest/date", nil)
		seen[g.ID()+" "+a.Generation] = true
		execute(t, db, "SET GLOBAL time_zone = 'SYSTEM'")
	}
	if len(seen) != 1 {
		t.Errorf("generations %v", seen)
	}
}

// Every answer carries the generation of its own scope, also after an import of another
// scope.
func TestGenerationOfEveryScope(t *testing.T) {
	opts, db := emptyTables(t)
	s := open(t, opts)
	queries := []Query{
		query(t, "/athletes/", texts{"season_year": "1990", "division": "2030", "gender": "M"}),
		query(t, "/athletes/", texts{"season_year": "1990", "gender": "f"}),
		query(t, "/athletes/", texts{"season_year": "1990", "checkpoint_date": "1990-10-01"}),
		query(t, "/athletes/", texts{"season_year": "1991", "division": "2031"}),
		query(t, "/snapshots/", nil),
		query(t, "/snapshots/{snapshot_date}/athletes", texts{"snapshot_date": "1990-10-01", "division": "2030", "gender": "M"}),
		query(t, "/metadata/latest", nil),
		query(t, "/health", nil),
	}
	for _, q := range queries {
		before := ""
		for _, row := range []map[string]any{
			nil, {"gender_code": "F"}, {"checkpoint_date": "1990-10-01"}, {"checkpoint_date": "1990-11-01"},
			{"season_year": 1991, "division_code": 2031}, {"season_year": 1991, "division_code": 2031, "checkpoint_date": "1991-10-01"},
		} {
			insert(t, db, metadataTable, row)
			g, err := s.Generation(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			a, err := s.Run(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if want := g.Of(q.Scope()); a.Generation != want {
				t.Errorf("%s of %s after an import of %v: generation %s, want %s", q.Path, q.Scope(), row, a.Generation, want)
			}
			before = a.Generation
		}
		if before == "" {
			t.Errorf("%s has no generation", q.Path)
		}
	}
}

// A search for characters that a column can't hold matches no row, with tables of
// every character set; any other search matches as usual.
func TestSearchForAnyCharacters(t *testing.T) {
	for _, charset := range []string{"utf8mb4", "utf8mb3", "latin1"} {
		t.Run(charset, func(t *testing.T) {
			opts, db := emptyTables(t)
			for _, table := range []string{athleteTable, teamTable, knockoutTable} {
				execute(t, db, "ALTER TABLE "+table+" CONVERT TO CHARACTER SET "+charset)
			}
			insert(t, db, teamTable, map[string]any{"team_name": "Müller"})
			insert(t, db, athleteTable, map[string]any{"athlete_name_last": "Müller", "team_name": "Müller"})
			s := open(t, opts)
			for _, path := range []string{"/teams/", "/athletes/", "/team-knockout/"} {
				for given, want := range map[string]float64{"müller": 1, "🏃🏃": 0, "日本": 0, "m🏃": 0} {
					if path == "/team-knockout/" {
						want = 0
					}
					a := ask(t, s, 200, path, texts{"season_year": "1990", "search": given})
					if total := decoded(t, a)["total"]; total != want {
						t.Errorf("%s search=%s: %v rows, want %v", path, given, total, want)
					}
				}
				for _, name := range []string{"region", "conference"} {
					if total := decoded(t, ask(t, s, 200, path, texts{"season_year": "1990", name: "🏃"}))["total"]; total != 0.0 {
						t.Errorf("%s %s=🏃: %v rows", path, name, total)
					}
				}
			}
		})
	}
}

// A comparison that fails because of the tables' collations stays an error for every
// search text.
func TestBrokenCollationsAreAnError(t *testing.T) {
	opts, db := emptyTables(t)
	insert(t, db, teamTable, map[string]any{"gender_code": "M"})
	insert(t, db, athleteTable, map[string]any{"gender_code": "M"})
	execute(t, db, "ALTER TABLE "+teamTable+" MODIFY gender_code VARCHAR(1) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
	execute(t, db, "ALTER TABLE "+athleteTable+" MODIFY gender_code VARCHAR(1) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
	s := open(t, opts)
	for _, search := range []string{"mu", "mü"} {
		a, err := s.Run(t.Context(), query(t, "/athletes/", texts{"season_year": "1990", "search": search, "region": search}))
		if err == nil {
			t.Errorf("search=%s: %d %s", search, a.Status, a.Body)
		}
		if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrSetup) {
			t.Errorf("search=%s: %v", search, err)
		}
	}
}

// A read that meets a table which an import truncates and fills, statement by
// statement, gets a new snapshot instead of an error.
func TestReadsBesideTruncates(t *testing.T) {
	s, do := sampleDatabase(t)
	do("CREATE TABLE kept AS SELECT * FROM " + athleteTable)
	do("CREATE TABLE kept_metadata AS SELECT * FROM " + metadataTable)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 3 {
			do("TRUNCATE TABLE " + athleteTable)
			do("INSERT INTO " + athleteTable + " SELECT * FROM kept")
			do("TRUNCATE TABLE " + metadataTable)
			do("INSERT INTO " + metadataTable + " SELECT * FROM kept_metadata")
		}
	}()
	var reads atomic.Int64
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			ctx := t.Context()
			if i == 0 {
				ctx = s.WithSeries(ctx)
			}
			for n := 0; ; n++ {
				select {
				case <-ended:
					return
				default:
				}
				q := query(t, "/athletes/", texts{"season_year": "2025", "limit": fmt.Sprint(1 + i*1000 + n%1000)})
				if a, err := s.Run(ctx, q); err != nil || a.Status != 200 {
					t.Errorf("read %d of reader %d: %d, %v", n, i, a.Status, err)
				}
				reads.Add(1)
			}
		})
	}
	all.Wait()
	if reads.Load() < 20 {
		t.Errorf("only %d reads", reads.Load())
	}
}
