package readapi_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
	"github.com/lewistv/xcri-proxy/store/storetest/stores"
)

// settled waits until every table has been unchanged for longer than the resolution of
// the server's stamps.
func settled(t *testing.T, db *sql.DB) {
	t.Helper()
	for range 100 {
		var quiet bool
		err := db.QueryRow("SELECT SLEEP(0.1) = 0 AND COALESCE(MAX(update_time), 0) < NOW() - INTERVAL 1 SECOND" +
			" FROM information_schema.tables WHERE table_schema = DATABASE()").Scan(&quiet)
		if err != nil {
			t.Fatal(err)
		}
		if quiet {
			return
		}
	}
	t.Fatal("the tables do not settle")
}

// stamp changes the tables of athletes and teams, and waits until they are settled.
func stamp(t *testing.T, db *sql.DB) {
	t.Helper()
	scratch.Execute(t, db, "UPDATE "+readapi.AthleteTable+" SET races_count = races_count + 1")
	scratch.Execute(t, db, "UPDATE "+readapi.TeamTable+" SET team_rank = team_rank + 1")
	settled(t, db)
}

// countsOf returns the number of counts for a page of athletes whose read began an age
// earlier than it did.
func countsOf(t *testing.T, s *store.Store, gender, offset string, age time.Duration) (counts int) {
	t.Helper()
	q := counting(scratch.Query(t, "/athletes/", texts{"season_year": "2025", "division": "2030", "gender": gender, "limit": "3", "offset": offset}), &counts)
	answer := q.Endpoint.Answer
	q.Endpoint.Answer = func(r *readapi.Read) error {
		r.State.Began = r.State.Began.Add(-age)
		return answer(r)
	}
	if _, err := s.Run(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	return counts
}

// counting returns a question that reports how many of its statements count rows
// of the API's tables, other than calculations.
func counting(q readapi.Query, counts *int) readapi.Query {
	e := *q.Endpoint
	answer := e.Answer
	e.Answer = func(r *readapi.Read) error {
		r.Database = spy{r.Database, func(query string) {
			if strings.Contains(query, "COUNT(*)") && !strings.Contains(query, "FROM "+readapi.MetadataTable) {
				*counts++
			}
		}}
		return answer(r)
	}
	q.Endpoint = &e
	return q
}

// TestTotalIsRemembered: another page of a question is not counted again, unless a
// table of the question or the generation of its scope has changed.
func TestTotalIsRemembered(t *testing.T) {
	t.Parallel()
	s, db := stores.Sample(t)
	given := texts{"season_year": "2025", "division": "2030", "gender": "M", "limit": "3"}
	page := func(offset string, more ...string) (total, counts int) {
		t.Helper()
		all := texts{"offset": offset}
		for name, value := range given {
			all[name] = value
		}
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		a, err := s.Run(t.Context(), counting(scratch.Query(t, "/athletes/", all), &counts))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(string(a.Body), `{"total":%d,`, &total); err != nil {
			t.Fatal(err)
		}
		return total, counts
	}
	expect := func(what string, offset string, total, counts int, more ...string) {
		t.Helper()
		if gotTotal, gotCounts := page(offset, more...); gotTotal != total || gotCounts != counts {
			t.Errorf("%s: total %d after %d counts, want %d after %d", what, gotTotal, gotCounts, total, counts)
		}
	}
	n, _ := page("0")
	const one = " WHERE season_year = 2025 AND division_code = 2030 AND gender_code = 'M' AND checkpoint_date IS NULL" +
		" AND algorithm_type = 'light' AND scoring_group = 'division' AND athlete_rank = 20"
	scratch.Execute(t, db, "UPDATE "+readapi.AthleteTable+" SET races_count = races_count"+one) // no change
	scratch.Execute(t, db, "UPDATE "+readapi.AthleteTable+" SET races_count = races_count + 1"+one)
	expect("just after a change", "0", n, 1)
	expect("again, too soon", "3", n, 1)
	settled(t, db)
	expect("first page", "0", n, 1)
	expect("second page", "3", n, 0)
	expect("another size", "6", n, 0, "limit", "7")
	women, counts := page("0", "gender", "F")
	if counts != 1 || women == n {
		t.Errorf("another question: total %d after %d counts", women, counts)
	}
	few, counts := page("0", "search", "an", "limit", "1")
	if counts != 1 || few == n {
		t.Errorf("a search: total %d after %d counts", few, counts)
	}
	expect("the search's second page", "1", few, 0, "search", "an", "limit", "1")

	scratch.Execute(t, db, "DELETE FROM "+readapi.AthleteTable+one)
	expect("a row deleted by hand", "0", n-1, 1)
	settled(t, db)
	expect("once more", "0", n-1, 1)
	expect("and known", "0", n-1, 0)
	scratch.Execute(t, db, "UPDATE "+readapi.MetadataTable+" SET total_athletes = total_athletes + 1 WHERE checkpoint_date IS NULL")
	expect("another generation", "0", n-1, 1)
	scratch.Execute(t, db, "INSERT INTO "+readapi.TeamTable+" (season_year, division_code, gender_code, algorithm_type, scoring_group, anet_team_hnd,"+
		" team_rank, calculated_at) SELECT 2025, 2030, 'M', 'heavy', 'x', anet_team_hnd, 1, NOW() FROM "+readapi.AthleteTable+
		" WHERE season_year = 2025 AND division_code = 2030 AND gender_code = 'M' AND checkpoint_date IS NULL LIMIT 1")
	if total, counts := page("0"); counts != 1 || total <= n-1 {
		t.Errorf("a change of the other table: total %d after %d counts, before %d", total, counts, n-1)
	}
}

// TestTeamsAreRemembered: another page of a list does not read the teams of its scope again,
// unless a table has changed; its rows are the rows of a new Store.
func TestTeamsAreRemembered(t *testing.T) {
	t.Parallel()
	s, db := stores.Sample(t)
	expect := func(what, region string, reads int) {
		t.Helper()
		got := 0
		q := scratch.Query(t, "/athletes/", texts{"season_year": "2025", "division": "2030", "gender": "M", "limit": "3", "offset": "3"})
		e := *q.Endpoint
		answer := e.Answer
		e.Answer = func(r *readapi.Read) error {
			r.Database = spy{r.Database, func(query string) {
				if strings.Contains(query, "FROM "+readapi.TeamTable) {
					got++
				}
			}}
			return answer(r)
		}
		q.Endpoint = &e
		a, err := s.Run(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(a.Body), `"regl_group_name":"`+region+`"`); n != 3 || got != reads {
			t.Errorf("%s: %d rows of %s after %d reads of teams, want 3 after %d", what, n, region, got, reads)
		}
	}
	move := func(to string) { scratch.Execute(t, db, "UPDATE "+readapi.TeamTable+" SET regl_group_name = '"+to+"'") }
	move("Here")
	stamp(t, db)
	if _, err := s.Generation(t.Context()); err != nil { // a poll
		t.Fatal(err)
	}
	expect("the first page", "Here", 1)
	expect("another page", "Here", 0)
	move("There")
	expect("just after a change", "There", 1)
	settled(t, db)
	expect("later", "There", 1)
	expect("and known", "There", 0)
}

// TestTotalOfATruncatedTable: TRUNCATE changes no time that the server records, and the
// total is counted again.
func TestTotalOfATruncatedTable(t *testing.T) {
	t.Parallel()
	s, db := stores.Sample(t)
	total := func() (n int) {
		t.Helper()
		a := scratch.Ask(t, s, 200, "/athletes/", texts{"season_year": "2025", "division": "2030", "offset": "5000"})
		if _, err := fmt.Sscanf(string(a.Body), `{"total":%d,`, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	scratch.Execute(t, db, "CREATE TABLE kept AS SELECT * FROM "+readapi.AthleteTable)
	stamp(t, db)
	before := total()
	for range 2 {
		if n := total(); n == 0 || n != before {
			t.Fatalf("total %d, then %d", before, n)
		}
	}
	scratch.Execute(t, db, "TRUNCATE TABLE "+readapi.AthleteTable)
	if n := total(); n != 0 {
		t.Errorf("total %d of an empty table", n)
	}
	scratch.Execute(t, db, "INSERT INTO "+readapi.AthleteTable+" SELECT * FROM kept")
	if n := total(); n != before {
		t.Errorf("total %d after the rows are back, want %d", n, before)
	}
}

// TestTotalOfAnOldRead: a read that began before a change keeps no total under the stamp
// after it, however long it takes.
func TestTotalOfAnOldRead(t *testing.T) {
	t.Parallel()
	s, db := stores.Sample(t)
	stamp(t, db)
	ask := func(age time.Duration) int { return countsOf(t, s, "M", "0", age) }
	if first, second := ask(time.Hour), ask(time.Hour); first != 1 || second != 1 {
		t.Errorf("a read from before the change: %d and %d counts", first, second)
	}
	if first, second := ask(0), ask(time.Hour); first != 1 || second != 0 {
		t.Errorf("a read after the change: %d and %d counts", first, second)
	}
}

// TestTotalAfterAPoll: the first page of a question after a poll counts its total for all
// pages, unless its read began before the poll.
func TestTotalAfterAPoll(t *testing.T) {
	t.Parallel()
	s, db := stores.Sample(t)
	stamp(t, db)
	if _, err := s.Generation(t.Context()); err != nil {
		t.Fatal(err)
	}
	if first, second := countsOf(t, s, "M", "0", time.Hour), countsOf(t, s, "M", "3", 0); first != 1 || second != 1 {
		t.Errorf("a read from before the poll: %d and %d counts", first, second)
	}
	if first, second := countsOf(t, s, "F", "0", 0), countsOf(t, s, "F", "3", 0); first != 1 || second != 0 {
		t.Errorf("a read after the poll: %d and %d counts", first, second)
	}
}

// TestSnapshotTotals: a Store with cached counts gives the same answers as a new
// Store, and counts no unchanged snapshot again.
func TestSnapshotTotals(t *testing.T) {
	t.Parallel()
	s, db := stores.Sample(t)
	copied := func(set string) {
		const columns = "season_year, division_code, gender_code, checkpoint_date, algorithm_type, scoring_group, anet_athlete_hnd, anet_team_hnd, athlete_rank, calculated_at"
		scratch.Execute(t, db, "INSERT INTO "+readapi.AthleteTable+" ("+columns+") SELECT "+set+", algorithm_type, scoring_group, anet_athlete_hnd,"+
			" anet_team_hnd, athlete_rank, NOW() FROM "+readapi.AthleteTable+" WHERE season_year = 2025 AND division_code = 2030 AND gender_code = 'M' AND checkpoint_date = '2025-10-20'")
	}
	calculated := func(scope string) {
		scratch.Execute(t, db, "INSERT INTO "+readapi.MetadataTable+" (season_year, division_code, gender_code, checkpoint_date, algorithm_type,"+
			" scoring_group, calculated_at) SELECT "+scope+", 'light', 'division', NOW()")
	}
	remove := func(condition string) {
		scratch.Execute(t, db, "DELETE FROM "+readapi.AthleteTable+" WHERE "+condition)
	}
	for _, step := range []struct {
		name   string
		change func()
		counts int // statements that count
	}{
		{"first", func() {}, 1},
		{"first read that begins after the stamp was seen", func() {}, 1},
		{"nothing", func() {}, 0},
		{"a live import", func() {
			remove("season_year = 2025 AND division_code = 2030 AND gender_code = 'M' AND checkpoint_date IS NULL AND athlete_rank > 50")
			calculated("2025, 2030, 'M', NULL")
		}, 0},
		{"a snapshot calculated again", func() {
			remove("checkpoint_date = '2025-10-20' AND division_code = 2030 AND gender_code = 'M' AND athlete_rank BETWEEN 5 AND 9")
			calculated("2025, 2030, 'M', '2025-10-20'")
		}, 1},
		{"a row deleted by hand", func() {
			remove("checkpoint_date = '2025-10-13' AND division_code = 2030 AND gender_code = 'F' AND athlete_rank = 5")
		}, 1},
		{"a last row deleted by hand, and a live import", func() {
			remove("checkpoint_date = '2025-10-13' AND division_code = 2030 AND gender_code = 'F' ORDER BY athlete_rank DESC LIMIT 1")
			calculated("2025, 2030, 'F', NULL")
		}, 1},
		{"a new snapshot", func() { copied("2025, 2030, 'M', '2025-10-27'"); calculated("2025, 2030, 'M', '2025-10-27'") }, 1},
		{"a snapshot without a calculation", func() { copied("2024, 2099, 'm', '2024-10-28'") }, 1},
		{"a snapshot without a calculation, again", func() {}, 1},
		{"two seasons on one day", func() { copied("2024, 2030, 'M', '2025-10-20'") }, 1},
		{"another algorithm of a snapshot", func() {
			scratch.Execute(t, db, "UPDATE "+readapi.AthleteTable+" SET algorithm_type = 'heavy' WHERE season_year = 2025 AND division_code = 2030"+
				" AND gender_code = 'F' AND checkpoint_date = '2025-10-20' AND athlete_rank BETWEEN 2 AND 9")
		}, 1},
		{"a division removed", func() {
			remove("checkpoint_date = '2025-10-20' AND division_code = 2032")
			calculated("2025, 2030, 'F', NULL")
		}, 1},
		{"all removed", func() { remove("checkpoint_date IS NOT NULL") }, 0},
	} {
		step.change()
		settled(t, db)
		counts := 0
		got, err := s.Run(t.Context(), counting(scratch.Query(t, "/snapshots/", nil), &counts))
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if want := counted(t, db); string(got.Body) != want || counts != step.counts {
			t.Errorf("%s: %d counts, want %d\n got %s\nwant %s", step.name, counts, step.counts, got.Body, want)
		}
	}
}

// TestConcurrentSnapshotTotals: changes that follow each other within the resolution of
// the server's stamps are counted too.
func TestConcurrentSnapshotTotals(t *testing.T) {
	t.Parallel()
	s, db := stores.Sample(t)
	for rank := range 20 {
		scratch.Execute(t, db, fmt.Sprintf("DELETE FROM %s WHERE checkpoint_date = '2025-10-20' AND athlete_rank = %d", readapi.AthleteTable, 5+rank))
		if got, want := scratch.Ask(t, s, 200, "/snapshots/", nil), counted(t, db); string(got.Body) != want {
			t.Fatalf("after %d changes:\n got %s\nwant %s", rank+1, got.Body, want)
		}
	}
}

// counted is the answer of /snapshots/ from one plain statement.
func counted(t *testing.T, db *sql.DB) string {
	t.Helper()
	rows, err := db.Query("SELECT checkpoint_date, season_year, COUNT(DISTINCT division_code), COUNT(DISTINCT gender_code), COUNT(*)," +
		" DATE_FORMAT(checkpoint_date, '%M %d, %Y') FROM " + readapi.AthleteTable +
		" WHERE checkpoint_date IS NOT NULL AND algorithm_type = 'light' AND scoring_group = 'division'" +
		" GROUP BY checkpoint_date, season_year ORDER BY checkpoint_date DESC, season_year")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var day, name string
		var season, divisions, genders, athletes int
		if err := rows.Scan(&day, &season, &divisions, &genders, &athletes, &name); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf(`{"date":"%s","season":%d,"divisions":%d,"genders":%d,"total_athletes":%d,"display_name":"%s"}`,
			day, season, divisions, genders, athletes, name))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"total":%d,"snapshots":[%s]}`, len(all), strings.Join(all, ","))
}

// TestTotalsFail: an answer fails if any of its statements fails, and nothing of it is
// cached.
func TestTotalsFail(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/snapshots/", "/athletes/"} {
		given := texts{}
		if path == "/athletes/" {
			given = texts{"season_year": "2025", "limit": "1"}
		}
		want := scratch.Ask(t, open(t, options(t)), 200, path, given)
		for fail := range 6 {
			s := open(t, options(t)) // it has not counted anything yet
			q := scratch.Query(t, path, given)
			e := *q.Endpoint
			ran := 0
			e.Answer = func(r *readapi.Read) error {
				r.Database = breaking{r.Database, fail, &ran}
				return q.Endpoint.Answer(r)
			}
			a, err := s.Run(t.Context(), readapi.Query{Endpoint: &e, Args: q.Args})
			if ran > fail && err == nil || ran <= fail && string(a.Body) != string(want.Body) {
				t.Errorf("%s: statement %d of %d fails: %v %.200s", path, fail, ran, err, a.Body)
			}
			if again := scratch.Ask(t, s, 200, path, given); string(again.Body) != string(want.Body) {
				t.Errorf("%s: after a failure: %.200s", path, again.Body)
			}
		}
	}
}

// TestTotalWithoutStamps: if the server provides no stamps, no total is cached.
func TestTotalWithoutStamps(t *testing.T) {
	t.Parallel()
	s := open(t, options(t))
	for name, stamp := range map[string][][]driver.Value{"no row": nil, "no time": {{readapi.TeamTable, nil, nil, nil, nil}}} {
		counts := 0
		q := counting(scratch.Query(t, "/teams/", texts{"season_year": "2025", "limit": "1"}), &counts)
		answer := q.Endpoint.Answer
		q.Endpoint.Answer = func(r *readapi.Read) error {
			r.Database = stamped{r.Database, stamp}
			return answer(r)
		}
		for range 2 {
			if _, err := s.Run(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if counts != 2 {
			t.Errorf("%s: %d counts", name, counts)
		}
	}
}

// stamped is a database that answers queries for the tables' stamps.
type stamped struct {
	readapi.Database
	rows [][]driver.Value
}

func (s stamped) Rows(query string, args []any, row func([]driver.Value) error) error {
	if !strings.Contains(query, "information_schema") {
		return s.Database.Rows(query, args, row)
	}
	for _, r := range s.rows {
		if err := row(r); err != nil {
			return err
		}
	}
	return nil
}

// TestLastPageIsNotCounted: a page that shows the end of a list gives its length
// without a count.
func TestLastPageIsNotCounted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		offset, limit string
		counts        int
	}{{"0", "500", 0}, {"5", "500", 0}, {"0", "1", 1}, {"5000", "10", 1}} {
		s := open(t, options(t)) // it has not counted anything yet
		counts := 0
		given := texts{"season_year": "2025", "division": "2032", "gender": "F", "offset": tt.offset, "limit": tt.limit, "min_races": tt.limit[:1]}
		if _, err := s.Run(t.Context(), counting(scratch.Query(t, "/athletes/", given), &counts)); err != nil {
			t.Fatal(err)
		}
		if counts != tt.counts {
			t.Errorf("%+v: %d counts", tt, counts)
		}
	}
}

// breaking fails one statement.
type breaking struct {
	readapi.Database
	fail int
	ran  *int
}

func (b breaking) Rows(query string, args []any, row func([]driver.Value) error) error {
	*b.ran++
	if *b.ran == b.fail+1 {
		return errFails
	}
	return b.Database.Rows(query, args, row)
}

// TestRowsOfTables: /health counts the rows of a table once for a state of the data, and
// not at all if /snapshots/ has read every row of the table.
func TestRowsOfTables(t *testing.T) {
	t.Parallel()
	s, db := stores.Sample(t)
	health := func(what string, counts int) {
		t.Helper()
		got := 0
		a, err := s.Run(t.Context(), counting(scratch.Query(t, "/health", nil), &got))
		if err != nil {
			t.Fatal(err)
		}
		var want [4]int
		for i, table := range []string{readapi.AthleteTable, readapi.TeamTable, readapi.ComponentTable, readapi.MetadataTable} {
			if err := db.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&want[i]); err != nil {
				t.Fatal(err)
			}
		}
		text := fmt.Sprintf(`{"%s":%d,"%s":%d,"%s":%d,"%s":%d}`, readapi.AthleteTable, want[0], readapi.TeamTable, want[1],
			readapi.ComponentTable, want[2], readapi.MetadataTable, want[3])
		if string(a.Body) != text || got != counts {
			t.Errorf("%s: %d counts, want %d\n got %s\nwant %s", what, got, counts, a.Body, text)
		}
	}
	settle := func() {
		t.Helper()
		settled(t, db)
		if _, err := s.Generation(t.Context()); err != nil { // as a poll does
			t.Fatal(err)
		}
	}
	stamp(t, db)
	scratch.Execute(t, db, "UPDATE "+readapi.ComponentTable+" SET season_year = season_year + 1")
	settle()
	scratch.Ask(t, s, 200, "/snapshots/", nil)
	health("after /snapshots/", 2)
	health("again", 0)
	scratch.Execute(t, db, "DELETE FROM "+readapi.AthleteTable+" WHERE athlete_rank = 3 AND checkpoint_date IS NULL")
	health("live rows deleted by hand", 1)
	settle()
	scratch.Ask(t, s, 200, "/snapshots/", nil)
	health("after another count of all snapshots", 0)
	scratch.Execute(t, db, "DELETE FROM "+readapi.TeamTable+" WHERE team_rank = 3")
	health("teams deleted by hand", 1)
}
