package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest"
)

// sampleDatabase makes a database of the test's own with the sample data.
func sampleDatabase(t testing.TB) (*Store, func(statement string, args ...any)) {
	t.Helper()
	opts, db := emptyDatabase(t)
	if err := storetest.Load(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return open(t, opts), func(statement string, args ...any) {
		t.Helper()
		execute(t, db, statement, args...)
	}
}

const (
	addAthlete = "INSERT INTO " + athleteTable + " (season_year, division_code, gender_code, algorithm_type, scoring_group," +
		" anet_athlete_hnd, anet_team_hnd, athlete_rank, calculated_at) VALUES (2025, 2030, 'M', 'light', 'division', 1, 1, 1, NOW())"
	addMetadata = "INSERT INTO " + metadataTable + " (season_year, division_code, gender_code, algorithm_type, scoring_group," +
		" calculated_at) VALUES (2025, 2030, 'M', 'light', 'division', NOW())"
)

// TestConsistentRead: while imports run, each total matches the generation of its
// answer, also for reads that share transactions.
func TestConsistentRead(t *testing.T) {
	opts, db := emptyDatabase(t)
	if err := storetest.Load(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	s := open(t, opts)
	q := query(t, "/athletes/", texts{"season_year": "2025", "division": "2030", "gender": "M", "limit": "1"})
	figures := func(ctx context.Context) (calculations, total int) {
		a, err := s.Run(ctx, q)
		if err != nil {
			t.Error(err)
			return 0, 0
		}
		if _, err := fmt.Sscanf(a.Generation, "%d-", &calculations); err != nil {
			t.Errorf("generation %q: %v", a.Generation, err)
		}
		if _, err := fmt.Sscanf(string(a.Body), `{"total":%d,`, &total); err != nil {
			t.Errorf("answer %.60s: %v", a.Body, err)
		}
		return calculations, total
	}
	calculations, total := figures(t.Context())
	if total < 10 {
		t.Fatalf("only %d athletes", total)
	}

	// Each query lets one more import run concurrently.
	imports := make(chan struct{}, 1)
	var writer sync.WaitGroup
	writer.Go(func() {
		for range imports {
			if err := commit(db, addAthlete, addMetadata); err != nil {
				t.Error(err)
			}
		}
	})
	var mu sync.Mutex
	seen := map[int]bool{}
	var asking sync.WaitGroup
	for i := range 4 {
		asking.Go(func() {
			ctx := t.Context()
			if i == 0 {
				ctx = s.WithSeries(ctx)
			}
			for range 125 {
				select {
				case imports <- struct{}{}:
				default:
				}
				c, n := figures(ctx)
				if n-total != c-calculations {
					t.Errorf("generation %d has %d athletes, %d more than generation %d", c, n, n-total, calculations)
				}
				mu.Lock()
				seen[c] = true
				mu.Unlock()
			}
		})
	}
	asking.Wait()
	close(imports)
	writer.Wait()
	if len(seen) < 10 {
		t.Errorf("only %d generations were read", len(seen))
	}
}

// commit runs statements as one transaction.
func commit(db *sql.DB, statements ...string) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // without effect after Commit
	for _, s := range statements {
		if _, err := tx.Exec(s); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func TestGeneration(t *testing.T) {
	s, do := sampleDatabase(t)
	last := ask(t, s, 200, "/metadata/latest/date", nil).Generation
	seen := map[string]bool{last: true}
	step := func(what, statement string, changes bool) {
		t.Helper()
		do(statement)
		got := ask(t, s, 200, "/metadata/latest/date", nil).Generation
		if (got != last) != changes {
			t.Errorf("%s: generation %q, was %q", what, got, last)
		}
		if changes && seen[got] {
			t.Errorf("%s: generation %q has been before", what, got)
		}
		last, seen[got] = got, true
	}
	step("an athlete without a calculation", addAthlete, false)
	step("a new name", "UPDATE "+athleteTable+" SET team_name = 'x'", false)
	step("a component", "DELETE FROM "+componentTable+" LIMIT 1", false)
	step("a calculation", addMetadata, true)
	step("another in the same second", addMetadata, true)
	step("a calculation older than the newest", "INSERT INTO "+metadataTable+" (season_year, division_code, gender_code,"+
		" algorithm_type, scoring_group, calculated_at) VALUES (2020, 2030, 'M', 'light', 'division', '2020-01-01')", true)
	step("a calculation made again, in its old row", "UPDATE "+metadataTable+" SET calculated_at = '2100-01-01' LIMIT 1", true)
	step("a calculation taken back", "DELETE FROM "+metadataTable+" ORDER BY metadata_id LIMIT 1", true)
	step("the last of them, replaced", "REPLACE INTO "+metadataTable+" SELECT metadata_id + 1000, season_year, division_code,"+
		" gender_code, checkpoint_date, algorithm_type, scoring_group, calculated_at, algorithm_version, total_performances,"+
		" total_athletes, total_teams, total_races, processing_time_seconds, cache_used, cache_hit_rate, athletes_with_h2h,"+
		" athletes_no_h2h, heavy_fallback_count, calculation_status, error_message FROM "+metadataTable+" ORDER BY metadata_id DESC LIMIT 1", true)
	step("none at all", "UPDATE "+athleteTable+" SET calculated_at = '2100-01-01'", false)
	// A refusal of the database, such as a 404, has the generation too, so that it may
	// be kept.
	a := ask(t, s, 404, "/metadata/{metadata_id}", texts{"metadata_id": "999999999"})
	if a.Generation != last {
		t.Errorf("a 404 has generation %q, want %q", a.Generation, last)
	}
	do("DELETE FROM " + metadataTable)
	a = ask(t, s, 404, "/metadata/latest/date", nil)
	if a.Generation == "" || seen[a.Generation] {
		t.Errorf("no calculations: generation %q", a.Generation)
	}
}

// TestReadOnly: an answer can't write, even with an account that may.
func TestReadOnly(t *testing.T) {
	opts, db := emptyTables(t)
	opts.Host, opts.Socket, opts.User, opts.Password = "", sharedServer(t).Socket, "root", ""
	e := &Endpoint{Path: "/write", Answer: func(r *readapi.Read) error {
		return r.Rows("DELETE FROM "+athleteTable, nil, func([]driver.Value) error { return nil })
	}}
	insert(t, db, athleteTable, nil)
	if _, err := open(t, opts).Run(t.Context(), Query{Endpoint: e}); err == nil || !strings.Contains(err.Error(), "1792") {
		t.Errorf("a statement that writes: %v", err)
	}
}

// TestAnswerFails: a failed answer returns its connection to the pool in a usable
// state.
func TestAnswerFails(t *testing.T) {
	opts := options(t)
	opts.MaxConns = 1
	s := open(t, opts)
	mine := errors.New("mine")
	for what, answer := range map[string]func(*readapi.Read) error{
		"before any row": func(*readapi.Read) error { return mine },
		"between rows": func(r *readapi.Read) error {
			return r.Rows("SELECT ranking_id FROM "+athleteTable, nil, func([]driver.Value) error { return mine })
		},
		"bad SQL": func(r *readapi.Read) error {
			return errors.Join(r.Rows("SELECT nonsense FROM", nil, nil), mine)
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Run(ctx, Query{Endpoint: &Endpoint{Path: "/fails", Answer: answer}}); !errors.Is(err, mine) ||
			errors.Is(err, ErrUnavailable) || errors.Is(err, ErrTimeout) || errors.Is(err, ErrSetup) {
			t.Errorf("%s: %v", what, err)
		}
		if a, err := s.Run(ctx, query(t, "/health", nil)); err != nil || a.Status != 200 {
			t.Errorf("after %s: %d %v", what, a.Status, err)
		}
	}
	if stats := s.Stats(); stats.InUse != 0 {
		t.Errorf("%d connections are still in use", stats.InUse)
	}
}
