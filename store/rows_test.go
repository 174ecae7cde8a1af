package store

import (
	"database/sql/driver"
	"strconv"
	"testing"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// TestDriverValues reads one column of every type through a Store: AppendValue
// must take each value that the driver delivers.
func TestDriverValues(t *testing.T) {
	s := open(t, options(t))
	for _, tt := range []struct {
		kind       jsontext.Kind
		expr, want string
	}{
		{integer, "CAST(7 AS SIGNED)", "7"}, {integer, "CAST(18446744073709551615 AS UNSIGNED)", "18446744073709551615"},
		{integer, "COUNT(*)", "1"}, {integer, "SUM(5)", "5"}, {integer, "CAST(NULL AS SIGNED)", "null"},
		{text, "CONVERT(_utf8mb4'Ca\u00f1\u00f3n \U0001F3C3' USING utf8mb4)", "\"Ca\u00f1\u00f3n \U0001F3C3\""}, {text, "''", `""`}, {text, "NULL", "null"},
		{float, "CAST(12.5 AS DECIMAL(10,4))", "12.5"}, {float, "CAST(12.5 AS DOUBLE)", "12.5"}, {float, "CAST(0.1 AS FLOAT)", "0.1"},
		{float, "5e-5", "5e-05"}, {decimal, "CAST(790.76 AS DECIMAL(10,4))", `"790.7600"`},
		{date, "CAST('2025-10-20' AS DATE)", `"2025-10-20"`}, {datetime, "CAST('2025-10-20 01:02:03' AS DATETIME)", `"2025-10-20T01:02:03"`},
		{datetime, "CAST('2025-10-20 01:02:03.25' AS DATETIME(3))", `"2025-10-20T01:02:03.250000"`},
		{boolean, "TRUE", "true"}, {boolean, "FALSE", "false"},
	} {
		e := &Endpoint{Path: "/value", answer: func(r *read) error {
			return r.query("SELECT "+tt.expr, nil, func(row []driver.Value) (err error) {
				r.body, err = jsontext.AppendValue(r.body, tt.kind, row[0])
				return err
			})
		}}
		a, err := s.Run(t.Context(), Query{Endpoint: e})
		if err != nil || string(a.Body) != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.expr, a.Body, err, tt.want)
		}
	}
}

// athleteRows are rows of the athletes list as the driver delivers them.
func athleteRows(t testing.TB) (*selection, [][]driver.Value) {
	sel := athletesWithTeams.build()
	var rows [][]driver.Value
	e := &Endpoint{Path: "/rows", answer: func(r *read) error {
		return r.query("SELECT "+sel.fields+" FROM "+sel.from+" LIMIT 1000", nil, func(row []driver.Value) error {
			rows = append(rows, keep(row))
			return nil
		})
	}}
	if _, err := open(t, options(t)).Run(t.Context(), Query{Endpoint: e}); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1000 {
		t.Fatalf("%d rows", len(rows))
	}
	return sel, rows
}

func BenchmarkRows(b *testing.B) {
	sel, rows := athleteRows(b)
	for _, n := range []int{1, 100, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var body []byte
			write := func() {
				body = body[:0]
				for _, row := range rows[:n] {
					body, _ = sel.encoder.AppendRow(body, row)
				}
			}
			write()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				write()
			}
		})
	}
}
