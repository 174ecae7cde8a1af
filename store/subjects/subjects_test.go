package subjects

import (
	"database/sql/driver"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/scope"
)

var men = scope.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: scope.Live}

// database answers the query on each table with rows, and fails for one table.
type database struct {
	t     *testing.T
	rows  map[string][][]driver.Value
	fails string
}

var errFails = errors.New("fails")

func (d database) Rows(query string, args []any, row func([]driver.Value) error) error {
	if !slices.Equal(args, []any{int64(2025), int64(2030), "M"}) {
		d.t.Errorf("asked for %v", args)
	}
	for table, rows := range d.rows {
		if !strings.Contains(query, table+" ") {
			continue
		}
		if table == d.fails {
			return errFails
		}
		for _, r := range rows {
			if err := row(r); err != nil {
				return err
			}
		}
	}
	return nil
}

var rows = map[string][][]driver.Value{
	readapi.AthleteTable:  {{int64(11)}, {int64(10)}},
	readapi.TeamTable:     {{int64(5), []byte("West"), nil}, {int64(6), []byte("East"), []byte("Pac")}, {int64(7), []byte("West"), []byte("")}},
	readapi.KnockoutTable: {{int64(6)}, {int64(5)}},
	readapi.MatchupTable:  {{int64(5), int64(6)}, {int64(5), int64(7)}},
}

// TestRead: the subjects keep the order of their rankings; each region and conference is
// listed once, by its best team.
func TestRead(t *testing.T) {
	got, err := Read(database{t: t, rows: rows}, men)
	want := &Subjects{
		Athletes: []int64{11, 10}, Teams: []int64{5, 6, 7}, Knockouts: []int64{6, 5}, Pairs: [][2]int64{{5, 6}, {5, 7}},
		Regions: []string{"West", "East"}, Conferences: []string{"Pac"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestReadFails: the failure of any statement is the failure of the list.
func TestReadFails(t *testing.T) {
	for table := range rows {
		if got, err := Read(database{t: t, rows: rows, fails: table}, men); got != nil || err != errFails {
			t.Errorf("%s fails: %+v, %v", table, got, err)
		}
	}
}
