package query_test

import (
	"database/sql/driver"
	"fmt"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/query"
)

// printing is a database that prints each statement and has one row.
type printing struct{}

func (printing) Rows(statement string, args []any, row func([]driver.Value) error) error {
	fmt.Println(statement, args)
	return row([]driver.Value{[]byte("Northern Tech"), []byte("999.0000")})
}

func ExampleQuery_Run() {
	best := &query.Endpoint{
		Path:   "/best/{division}",
		Params: []param.Param{{Name: "division", Kind: param.Int, InPath: true, Required: true, Where: "r.division_code = ?"}},
		Reads:  []string{"teams"},
		Answer: query.Single(query.Selection{
			From: "teams r", Order: "r.score DESC, r.id",
			Columns: query.Cols(query.Fields(jsontext.Text, "team_name"), query.Fields(jsontext.Float, "score")),
		}),
		NotFound: "No team in division {division}",
	}
	q := query.Query{Endpoint: best, Args: []query.Arg{{Given: true, Text: "2030"}}}
	answer, err := q.Run(printing{}, query.State{})
	fmt.Println(answer.Status, string(answer.Body), err)
	// Output:
	// SELECT r.team_name, r.score FROM teams r WHERE r.division_code = ? ORDER BY r.score DESC, r.id LIMIT 1 [2030]
	// 200 {"team_name":"Northern Tech","score":999.0} <nil>
}
