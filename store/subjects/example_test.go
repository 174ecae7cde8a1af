package subjects_test

import (
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/lewistv/xcri-proxy/store/scope"
	"github.com/lewistv/xcri-proxy/store/subjects"
)

// table answers the queries on one table with its rows, and all others with none.
type table struct {
	name string
	rows [][]driver.Value
}

func (t table) Rows(query string, _ []any, row func([]driver.Value) error) error {
	if !strings.Contains(query, t.name+" ") {
		return nil
	}
	for _, r := range t.rows {
		if err := row(r); err != nil {
			return err
		}
	}
	return nil
}

func Example() {
	teams := table{"iz_rankings_xcri_team_rankings", [][]driver.Value{
		{int64(20032), "West", "Pac"},
		{int64(20101), "West", nil},
	}}
	men, _ := scope.Parse("2025/2030/M/live")
	all, err := subjects.Read(teams, men)
	fmt.Println(all.Teams, all.Regions, all.Conferences, len(all.Athletes), err)
	// Output: [20032 20101] [West] [Pac] 0 <nil>
}
