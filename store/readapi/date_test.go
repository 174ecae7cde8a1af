package readapi_test

import (
	"database/sql"
	"math/rand/v2"
	"testing"

	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// dates are spellings that MariaDB takes for the day, or, with no day, does
// not take for a date of the table.
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
}

// foreign are spellings that MariaDB takes for the day and we do not: each is
// one that no client has a reason to send, and reading it would need as much
// code again.
var foreign = []struct{ why, text, day string }{
	{"a time of day", "2025-10-20 00:00:00", "2025-10-20"},
	{"a time of day", "2025-10-20T00:00:00", "2025-10-20"},
	{"a time of day", "2025-10-20T00:00:00Z", "2025-10-20"},
	{"a time of day", "2025-10-20 00:00", "2025-10-20"},
	{"a time of day", "20251020000000", "2025-10-20"},
	{"a time of day", "20251020T000000", "2025-10-20"},
	{"a year of two digits", "25-10-20", "2025-10-20"},
	{"a year of two digits", "25-1-5", "2025-01-05"},
	{"a year of two digits", "251020", "2025-10-20"},
	{"text behind the day", "2025-10-20x", "2025-10-20"},
	{"text behind the day", "2025-10-20 x", "2025-10-20"},
	{"text behind the day", "2025-10-20.", "2025-10-20"},
	{"text behind the day", "2025-10-20Z", "2025-10-20"},
	{"text behind the day", "2025-10-20\u00a0", "2025-10-20"},
	{"text behind the day", "2025-10-20\x00", "2025-10-20"},
	{"needless zeros", "2025-010-20", "2025-10-20"},
	{"needless zeros", "2025-10-020", "2025-10-20"},
	{"needless zeros", "02025-10-20", "2025-10-20"},
	{"a sign", "+2025-10-20", "2025-10-20"},
	{"a symbol between the parts", "2025+10+20", "2025-10-20"},
	{"a symbol between the parts", "2025=10=20", "2025-10-20"},
	{"a symbol between the parts", "2025~10~20", "2025-10-20"},
}

// days is a table of days on the real server.
type days struct{ db *sql.DB }

func newDays(t testing.TB) days {
	_, db := emptyDatabase(t)
	scratch.Execute(t, db, "CREATE TABLE days (d DATE PRIMARY KEY)")
	for _, day := range []string{"2025-10-20", "2025-10-13", "2024-11-25", "2025-01-05", "2024-02-29", "2025-10-02", "2025-12-31",
		"2020-10-20", "2020-10-25", "2025-01-01", "2002-05-10", "0001-01-01", "9999-12-31", "2025-03-01", "2025-02-28"} {
		scratch.Execute(t, db, "INSERT INTO days VALUES (?)", day)
	}
	return days{db}
}

// equal returns the day of the table that the server takes text for.
func (d days) equal(t testing.TB, text string) (day string) {
	t.Helper()
	switch err := d.db.QueryRow("SELECT d FROM days WHERE d = ?", text).Scan(&day); err {
	case nil, sql.ErrNoRows:
	default:
		t.Fatalf("%q: %v", text, err)
	}
	return day
}

// TestDates holds param.Day against what the server compares.
func TestDates(t *testing.T) {
	table := newDays(t)
	for _, tt := range dates {
		if got := table.equal(t, tt.text); got != tt.day {
			t.Errorf("the server takes %q for %q, not %q", tt.text, got, tt.day)
		}
		want := tt.day
		if want == "" {
			want = param.NoDate
		}
		if got := param.Day(tt.text); got != want {
			t.Errorf("%q is %q, want %q", tt.text, got, want)
		}
	}
	for _, tt := range foreign {
		if got := table.equal(t, tt.text); got != tt.day {
			t.Errorf("%s: the server takes %q for %q, not %q", tt.why, tt.text, got, tt.day)
		}
		if got := param.Day(tt.text); got != param.NoDate {
			t.Errorf("%s: %q is %q", tt.why, tt.text, got)
		}
	}
}

// TestDatesAtRandom demands that whatever param.Day takes for a day, the
// server takes for the same one.
func TestDatesAtRandom(t *testing.T) {
	table := newDays(t)
	random := rand.New(rand.NewPCG(1, 2))
	years := []string{"2025", "2024", "2000", "1900", "0001", "0000", "25", "225", "20251"}
	marks := []string{"-", "/", ".", "", "_", "\\", "'", "\"", "%", "--", " ", "+", "\t"}
	ends := []string{"", "", "", "", " ", "\n", "x", "\u00a0", "-"}
	small := []string{"0", "1", "01", "2", "02", "9", "10", "12", "13", "20", "28", "29", "30", "31", "32", "010"}
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	known := 0
	for range 3000 {
		mark := pick(marks)
		text := pick(ends) + pick(years) + mark + pick(small) + mark + pick(small) + pick(ends)
		day := param.Day(text)
		if day == param.NoDate || day[:4] == "0000" {
			continue
		}
		known++
		scratch.Execute(t, table.db, "INSERT IGNORE INTO days VALUES (?)", day)
		if got := table.equal(t, text); got != day {
			t.Errorf("%q is %s, but the server takes it for %q", text, day, got)
		}
	}
	if known < 100 {
		t.Errorf("only %d of the texts were dates", known)
	}
}

// TestDateBound asks for the same snapshot in several spellings.
func TestDateBound(t *testing.T) {
	s := open(t, options(t))
	given := func(day string) texts {
		return texts{"snapshot_date": day, "division": "2030", "gender": "M", "limit": "3"}
	}
	want := scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/athletes", given("2025-10-20"))
	if total := scratch.Decoded(t, want)["total"]; total == 0.0 {
		t.Fatal("the snapshot is empty")
	}
	for _, text := range []string{"20251020", "2025/10/20", " 2025.10.20"} {
		if got := scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/athletes", given(text)); string(got.Body) != string(want.Body) {
			t.Errorf("%q: %.200s", text, got.Body)
		}
	}
	for _, text := range []string{"foo", "2025-13-45", "-", "0000-00-00", "2025-10-21"} {
		if total := scratch.Decoded(t, scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/athletes", given(text)))["total"]; total != 0.0 {
			t.Errorf("%q: %v rows", text, total)
		}
		scratch.Ask(t, s, 404, "/snapshots/{snapshot_date}/metadata", texts{"snapshot_date": text})
	}
	// The day's own endpoint repeats its text.
	a := scratch.Ask(t, s, 200, "/snapshots/{snapshot_date}/metadata", texts{"snapshot_date": " 2025/10/20"})
	if o := scratch.Decoded(t, a); o["date"] != " 2025/10/20" || o["season"] != 2025.0 {
		t.Errorf("got %.200s", a.Body)
	}
}
