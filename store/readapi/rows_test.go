package readapi

import (
	"database/sql/driver"
	"strconv"
	"testing"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/query"
)

// athleteRows returns rows of the athletes list, with values of the types that
// the driver delivers.
func athleteRows() (*query.Selection, [][]driver.Value) {
	sel := athletesWithTeams.Build()
	var rows [][]driver.Value
	for n := range 1000 {
		var row []driver.Value
		for i, c := range sel.Columns {
			switch c.Kind {
			case jsontext.Integer:
				row = append(row, int64(n*i))
			case jsontext.Float:
				row = append(row, strconv.AppendFloat(nil, float64(n*(i+1))/7, 'f', 4, 64))
			case jsontext.Date:
				row = append(row, []byte("2025-10-20"))
			case jsontext.DateTime:
				row = append(row, []byte("2025-10-26 22:25:00"))
			default:
				row = append(row, []byte("Muñoz State"))
			}
		}
		rows = append(rows, row)
	}
	return sel, rows
}

func BenchmarkRows(b *testing.B) {
	sel, rows := athleteRows()
	for _, n := range []int{1, 100, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var body []byte
			write := func() {
				body = body[:0]
				for _, row := range rows[:n] {
					body, _ = sel.Encoder.AppendRow(body, row)
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
