package readapi_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/scope"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// dates lists texts with the day that MariaDB reads, or with no day if MariaDB reads
// no date of the table.
var dates = []struct{ text, day string }{
	{"2025-10-20", "2025-10-20"}, {"20251020", "2025-10-20"}, {"2025-1-5", "2025-01-05"}, {"2025-10-2", "2025-10-02"},
	{"2025/10/20", "2025-10-20"}, {"2025.10.20", "2025-10-20"}, {"2025:10:20", "2025-10-20"}, {"2025_10,20", "2025-10-20"},
	{"2025-10/20", "2025-10-20"}, {"2025/10-20", "2025-10-20"}, {" 2025-10-20 ", "2025-10-20"}, {"\t2025-10-20\r\n", "2025-10-20"},
	{" 20251020 ", "2025-10-20"}, {"\v2025-10-20\f", "2025-10-20"}, {"2024-02-29", "2024-02-29"}, {"20240229", "2024-02-29"},
	{"2025-10-13", "2025-10-13"}, {"2024-11-25", "2024-11-25"}, {"0001-01-01", "0001-01-01"}, {"9999-12-31", "9999-12-31"},

	{"", ""}, {" ", ""}, {"-", ""}, {"foo", ""}, {"0", ""}, {"2025", ""}, {"2025-10", ""}, {"2025-10-", ""}, {"202510", ""},
	{"2025102", ""}, {"202510200", ""}, {"2025-13-45", ""}, {"2025-00-20", ""}, {"2025-10-00", ""}, {"0000-00-00", ""},
	{"2025-10-32", ""}, {"2025-02-29", ""}, {"20250229", ""}, {"2025--10-20", ""}, {"2025-10--20", ""}, {"2025-1020", ""},
	{"2025 10 20", ""}, {"2025- 10-20", ""}, {"2025 -10-20", ""}, {"-2025-10-20", ""}, {"225-10-20", ""}, {"5-10-20", ""},
	{"2025a10a20", ""}, {"\u00a02025-10-20", ""}, {"２０２５-10-20", ""}, {"2025¡10¡20", ""}, {"2025-10-20 12:00:00", ""},
	{"2025-10-2000:00:00", ""},

	// With a time of day, which must be midnight.
	{"2025-10-20 00:00:00", "2025-10-20"}, {"2025-10-20T00:00:00", "2025-10-20"}, {"2025-10-20T00:00:00Z", "2025-10-20"},
	{"2025-10-20 00:00", "2025-10-20"}, {"20251020000000", "2025-10-20"}, {"20251020T000000", "2025-10-20"},
	{"2025-10-20T00:00:00.000", "2025-10-20"}, {"2025-10-20T00:00:00.5", "2025-10-20"}, {"2025-10-20T00:00:01", ""},
	// With a year of two digits.
	{"25-10-20", "2025-10-20"}, {"25-1-5", "2025-01-05"}, {"251020", "2025-10-20"},
	// With text behind the day.
	{"2025-10-20x", "2025-10-20"}, {"2025-10-20 x", "2025-10-20"}, {"2025-10-20.", "2025-10-20"}, {"2025-10-20Z", "2025-10-20"},
	{"2025-10-20\u00a0", "2025-10-20"}, {"2025-10-20\x00", "2025-10-20"},
	// With needless zeros, a sign, or a symbol between the parts.
	{"2025-010-20", "2025-10-20"}, {"2025-10-020", "2025-10-20"}, {"02025-10-20", "2025-10-20"}, {"+2025-10-20", "2025-10-20"},
	{"2025+10+20", "2025-10-20"}, {"2025=10=20", "2025-10-20"}, {"2025~10~20", "2025-10-20"},
}

// strictDates are the texts of dates that a strict server reads otherwise: MySQL 9.7.
var strictDates = map[string]string{
	" 20251020 ": "", "2025--10-20": "2025-10-20", "2025-10--20": "2025-10-20", "2025-10-20T00:00:00.5": "", "+2025-10-20": "",
}

// days is a server with an athlete for each of many days: the table's own
// answers and the store's.
type days struct {
	db *sql.DB
	s  *store.Store
}

// newDays makes an athlete for each day from 1968 to 2071, and for the days that
// the texts above name.
func newDays(t testing.TB, more ...string) days {
	opts, db := emptyTables(t)
	const add = "INSERT INTO " + readapi.AthleteTable + " (season_year, division_code, gender_code, checkpoint_date, algorithm_type," +
		" scoring_group, anet_athlete_hnd, anet_team_hnd, athlete_rank, calculated_at)" +
		" SELECT 2024, 2030, 'M', %s, 'light', 'division', 1, 1, 1, NOW()"
	db.SetMaxOpenConns(1)
	scratch.Execute(t, db, "SET sql_mode = ''") // a table may hold zero dates
	// 38,000 days: the digits of their numbers, joined.
	const digit = "(SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)"
	scratch.Execute(t, db, fmt.Sprintf(add, "DATE'1968-01-01' + INTERVAL a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n DAY")+
		" FROM "+strings.Join([]string{digit + " a", digit + " b", digit + " c", digit + " d", digit + " e"}, ", ")+
		" WHERE 1000 * d.n + 10000 * e.n < 38000")
	for _, day := range append(more, "0001-01-01", "9999-12-31") {
		scratch.Execute(t, db, fmt.Sprintf(add, "'"+day+"'"))
	}
	scratch.Execute(t, db, "SET sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'") // as in the store's sessions
	return days{db, open(t, opts)}
}

// strict reports whether the server refuses to compare a DATE with a text that is no
// date, like MySQL.
func (d days) strict() bool {
	_, err := d.db.Exec("SELECT 1 FROM " + readapi.AthleteTable + " WHERE checkpoint_date = 'foo'")
	return dberror.IsNoDate(err)
}

// onServer returns the day of the table that the server reads from text, written into
// the statement as the old API does it. A text that the server refuses is no day.
func (d days) onServer(t testing.TB, text string) (day string) {
	t.Helper()
	literal := "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(text) + "'"
	err := d.db.QueryRow("SELECT checkpoint_date FROM " + readapi.AthleteTable + " WHERE checkpoint_date = " + literal).Scan(&day)
	if err != nil && !errors.Is(err, sql.ErrNoRows) && !dberror.IsNoDate(err) {
		t.Fatalf("%q: %v", text, err)
	}
	return day
}

// answered returns the day of the athlete in the store's answer.
func (d days) answered(t testing.TB, text string) string {
	t.Helper()
	a := scratch.Ask(t, d.s, 200, "/athletes/", texts{"checkpoint_date": text, "limit": "2"})
	found := scratch.FieldOf(scratch.Decoded(t, a)["results"], "checkpoint_date")
	if len(found) == 0 {
		return ""
	}
	return fmt.Sprint(found...)
}

// TestDates: a spelling of a date means the day that the server reads.
func TestDates(t *testing.T) {
	table := newDays(t)
	strict := table.strict()
	for _, tt := range dates {
		if tt.text == "" {
			continue // not given
		}
		if day, differs := strictDates[tt.text]; differs && strict {
			tt.day = day
		}
		if got := table.onServer(t, tt.text); got != tt.day {
			t.Errorf("the server takes %q for %q, not %q", tt.text, got, tt.day)
		}
		if got := table.answered(t, tt.text); got != tt.day {
			t.Errorf("%q is %q, want %q", tt.text, got, tt.day)
		}
	}
}

// TestDatesAtRandom: generated spellings select the same day as the server's
// comparison.
func TestDatesAtRandom(t *testing.T) {
	table := newDays(t, "2025-10-00", "2025-00-00")
	strict := table.strict()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	atoms := strings.Split("2025|25|10|20|1|2|02|2025|-|/|.|T| |00:00:00|:|00|0|Z|+00:00|.5|.000000|x|\t|'|20251020|251020|\u00a0|-|-|:", "|")
	named := 0
	for i := range 4000 {
		text := ""
		if i%2 == 0 {
			for range 1 + random.IntN(9) {
				text += pick(atoms...)
			}
		} else {
			mark := pick("-", "-", "/", ".", ":", ",", "_", "--", "+", " ", "T", "\\", "'", "\"", "%", "")
			text = pick("", "", "", " ", "\t", "+", "-", "x") + pick("2025", "25", "2024", "0001", "0000", "70", "69", "99", "20251") +
				mark + pick("10", "1", "01", "2", "02", "12", "13", "0", "00", "010") +
				mark + pick("20", "2", "02", "29", "30", "31", "32", "0", "00", "020") +
				pick("", "", "", " ", "T", " 00:00:00", "T00:00:00", "T00:00", "T00", "T00:00:00Z", "T00:00:00+00:00", " 0:0:0", " 00:00:00.0",
					" 00:00:00.5", " 12:00:00", " 24:00:00", " 23:59:60", " 00:00:00.0000004", " 00:00:00.9999999", " 23:59:59.9999999",
					"000000", "T000000", "00:00:00", " x", "x", ".", " 0", ":0", "\n", "\u00a0")
		}
		if text == "" {
			continue
		}
		want := table.onServer(t, text)
		// A strict server compares the zero day of a month that has an offset from UTC, but
		// does not read it alone. No checkpoint is such a day.
		zero := strict && strings.HasSuffix(want, "-00") && strings.Contains(text, "+")
		if got := table.answered(t, text); got != want && !zero {
			t.Errorf("%q is %q, but the server takes it for %q", text, got, want)
		}
		if want != "" {
			named++
		}
		if day, known := param.Day(text); known && day != want && (day != param.NoDate || want != "") {
			t.Errorf("%q is known as %s, but the server takes it for %q", text, day, want)
		}
	}
	if least := map[bool]int{false: 300, true: 250}[strict]; named < least {
		t.Errorf("only %d of the texts were dates", named)
	}
}

// TestDateBound: several spellings of a date select the same snapshot.
func TestDateBound(t *testing.T) {
	s := open(t, options(t))
	given := func(day string) texts {
		return texts{"snapshot_date": day, "division": "2030", "gender": "M", "limit": "3"}
	}
	want := scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/athletes", given("2025-10-20"))
	if total := scratch.Decoded(t, want)["total"]; total == 0.0 {
		t.Fatal("the snapshot is empty")
	}
	for _, text := range []string{"20251020", "2025/10/20", " 2025.10.20", "2025-10-20T00:00:00", "25-10-20"} {
		if got := scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/athletes", given(text)); string(got.Body) != string(want.Body) {
			t.Errorf("%q: %.200s", text, got.Body)
		}
	}
	for _, text := range []string{"foo", "2025-13-45", "-", "0000-00-00", "2025-10-21", "2025-10-20T00:00:01"} {
		if total := scratch.Decoded(t, scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/athletes", given(text)))["total"]; total != 0.0 {
			t.Errorf("%q: %v rows", text, total)
		}
		a := scratch.Ask(t, s, 404, "/snapshots/{snapshot_date}/metadata", texts{"snapshot_date": text})
		if want := `{"detail":"Snapshot ` + text + ` not found"}`; string(a.Body) != want {
			t.Errorf("got %s, want %s", a.Body, want)
		}
	}
	// The day's own endpoint repeats its text, and knows the season of the day.
	for _, text := range []string{" 2025/10/20", "20251020", "2025-10-20T00:00:00", "25-10-20", " 2025-10-20"} {
		a := scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/metadata", texts{"snapshot_date": text})
		if o := scratch.Decoded(t, a); o["date"] != text || o["season"] != 2025.0 {
			t.Errorf("%q: got %.200s", text, a.Body)
		}
	}
}

// TestDateScope: an answer about a day that only the server can read depends on all
// snapshots, and has their generation.
func TestDateScope(t *testing.T) {
	s := open(t, options(t))
	g, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for text, checkpoint := range map[string]string{
		"2025-10-20": "2025-10-20", "20251020": "2025-10-20", "2025-1-5": "2025-01-05", "2025-02-30": param.NoDate, "foo": param.NoDate,
		"2025-10-20T00:00:00": scope.Dated, "25-10-20": scope.Dated, " 20251020": scope.Dated, "2025-10-00": scope.Dated,
	} {
		q := scratch.Query(t, "/athletes/", texts{"checkpoint_date": text, "season_year": "2025"})
		if got := q.Scope().Checkpoint; got != checkpoint {
			t.Errorf("%q: %s, want %s", text, got, checkpoint)
		}
		if a, err := s.Run(t.Context(), q); err != nil || a.Generation != g.Of(q.Scope()) {
			t.Errorf("%q: generation %q of scope %s, %v", text, a.Generation, q.Scope(), err)
		}
	}
}

// TestDateFails: a question fails if the statement that reads its date fails.
func TestDateFails(t *testing.T) {
	q := scratch.Query(t, "/athletes/", texts{"checkpoint_date": "25/10/20"})
	if _, err := q.Run(failing{}, readapi.State{}); !errors.Is(err, errFails) {
		t.Errorf("got %v", err)
	}
}

// refusing is an empty database that refuses to read a text as a date, like MySQL.
type refusing uint16

func (n refusing) Rows(query string, _ []any, _ func([]driver.Value) error) error {
	if strings.Contains(query, "CAST(?") {
		return &mysql.MySQLError{Number: uint16(n), Message: "Incorrect DATE value"}
	}
	return nil
}

// TestRefusedDate: a text that the server refuses as a date is no day. Another refusal
// remains an error.
func TestRefusedDate(t *testing.T) {
	q := scratch.Query(t, "/athletes/", texts{"checkpoint_date": "25'01'0T00:00:00+00:00"})
	for number, fails := range map[uint16]bool{1292: false, 1525: false, 1064: true} {
		a, err := q.Run(refusing(number), readapi.State{})
		if (err != nil) != fails || !fails && a.Status != 200 {
			t.Errorf("%d: status %d, %v", number, a.Status, err)
		}
	}
}
