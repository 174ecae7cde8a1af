package readapi_test

import (
	"database/sql/driver"
	"testing"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/readapi"
)

// TestDriverValues reads one column of every type through a Store: AppendValue
// must take each value that the driver delivers.
func TestDriverValues(t *testing.T) {
	s := open(t, options(t))
	for _, tt := range []struct {
		kind       jsontext.Kind
		expr, want string
	}{
		{jsontext.Integer, "CAST(7 AS SIGNED)", "7"}, {jsontext.Integer, "CAST(18446744073709551615 AS UNSIGNED)", "18446744073709551615"},
		{jsontext.Integer, "COUNT(*)", "1"}, {jsontext.Integer, "SUM(5)", "5"}, {jsontext.Integer, "CAST(NULL AS SIGNED)", "null"},
		{jsontext.Text, "CONVERT(_utf8mb4'Ca\u00f1\u00f3n \U0001F3C3' USING utf8mb4)", "\"Ca\u00f1\u00f3n \U0001F3C3\""}, {jsontext.Text, "''", `""`}, {jsontext.Text, "NULL", "null"},
		{jsontext.Float, "CAST(12.5 AS DECIMAL(10,4))", "12.5"}, {jsontext.Float, "CAST(12.5 AS DOUBLE)", "12.5"}, {jsontext.Float, "CAST(0.1 AS FLOAT)", "0.1"},
		{jsontext.Float, "5e-5", "5e-05"}, {jsontext.Exact, "CAST(790.76 AS DECIMAL(10,4))", `"790.7600"`},
		{jsontext.Date, "CAST('2025-10-20' AS DATE)", `"2025-10-20"`}, {jsontext.DateTime, "CAST('2025-10-20 01:02:03' AS DATETIME)", `"2025-10-20T01:02:03"`},
		{jsontext.DateTime, "CAST('2025-10-20 01:02:03.25' AS DATETIME(3))", `"2025-10-20T01:02:03.250000"`},
		{jsontext.Boolean, "TRUE", "true"}, {jsontext.Boolean, "FALSE", "false"},
	} {
		e := &readapi.Endpoint{Path: "/value", Answer: func(r *readapi.Read) error {
			return r.Rows("SELECT "+tt.expr, nil, func(row []driver.Value) (err error) {
				r.Body, err = jsontext.AppendValue(r.Body, tt.kind, row[0])
				return err
			})
		}}
		a, err := s.Run(t.Context(), readapi.Query{Endpoint: e})
		if err != nil || string(a.Body) != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.expr, a.Body, err, tt.want)
		}
	}
}
