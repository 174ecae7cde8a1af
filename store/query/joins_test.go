package query

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/param"
)

// teams is a database of a list with teams that records the kinds of its statements.
type teams struct {
	update string // of the tables
	quiet  int64
	team   [][]driver.Value
	fails  string // the kind of a statement that fails
	asked  []string
}

var errFails = errors.New("fails")

func (db *teams) Rows(text string, _ []any, row func([]driver.Value) error) error {
	kind, rows := "page", [][]driver.Value{{nil, int64(1), []byte("a")}}
	switch {
	case strings.Contains(text, "information_schema"):
		kind, rows = "stamp", [][]driver.Value{{"t", "1", db.update, int64(0), db.quiet}, {"teams", "1", "1", int64(0), int64(1)}}
	case strings.HasPrefix(text, "SELECT r.id"):
		kind, rows = "teams", db.team
	case strings.HasPrefix(text, "SELECT COUNT"), strings.HasPrefix(text, "SELECT SUM"):
		kind, rows = "count", [][]driver.Value{{int64(9)}}
	case strings.HasPrefix(text, "SELECT t.region"):
		kind = "joined page"
	}
	db.asked = append(db.asked, kind)
	if kind == db.fails {
		return errFails
	}
	for _, r := range rows {
		if err := row(r); err != nil {
			return err
		}
	}
	return nil
}

// TestJoinIsKept: another page reads the joined rows again only after a change, and no page
// sends more statements than without the cache, except after a change in one generation.
func TestJoinIsKept(t *testing.T) {
	params := []param.Param{{Name: "season", Kind: param.Int, Where: "r.season = ?"}, {Name: "day", Kind: param.Int, Absent: "r.day IS NULL"}}
	east, west := [][]driver.Value{{int64(1), []byte("East")}}, [][]driver.Value{{int64(1), []byte("West")}}
	twice := slices.Concat(east, west)
	sel, totals := listWithTeams.Build(), new(Totals)
	for _, step := range []struct {
		what, season, generation string
		db                       teams
		limit                    int64
		want, answer             string
	}{
		{"a first page", "2025", "1", teams{"1", 1, east, "", nil}, 1, "teams, page, stamp, count", "East"},
		{"a second page", "2025", "1", teams{"1", 1, nil, "", nil}, 1, "stamp, page", "East"},
		{"the end of the list", "2025", "1", teams{"1", 1, nil, "", nil}, 2, "stamp, page", "East"},
		{"another season", "2024", "1", teams{"1", 1, west, "", nil}, 1, "teams, page, stamp, count", "West"},
		{"both are kept", "2025", "1", teams{"1", 1, nil, "", nil}, 1, "stamp, page", "East"},
		{"no stamp", "2025", "1", teams{"1", 1, nil, "stamp", nil}, 1, "stamp", ""},
		{"another generation", "2025", "2", teams{"1", 1, west, "", nil}, 2, "teams, page", "West"},
		{"the first again, whose end kept nothing", "2025", "1", teams{"1", 1, nil, "", nil}, 1, "stamp, page", "East"},
		{"a change", "2025", "1", teams{"2", 1, west, "", nil}, 1, "stamp, teams, page, count", "West"},
		{"after the change", "2025", "1", teams{"2", 1, nil, "", nil}, 1, "stamp, page", "West"},
		{"the change has just been made", "2025", "1", teams{"2", 0, east, "", nil}, 1, "stamp, teams, page", "East"},
		{"it has not, and the other is kept", "2025", "1", teams{"2", 1, nil, "", nil}, 1, "stamp, page", "West"},
		{"a generation with a team twice", "2025", "3", teams{"2", 1, twice, "", nil}, 1, "teams, joined page, stamp, count", "null"},
		{"its second page", "2025", "3", teams{"2", 1, nil, "", nil}, 1, "stamp, joined page", "null"},
		{"a failed count", "2025", "4", teams{"2", 1, east, "count", nil}, 1, "teams, page, stamp, count", ""},
		{"keeps nothing", "2025", "4", teams{"2", 1, west, "", nil}, 1, "teams, page, stamp, count", "West"},
	} {
		q := Query{Endpoint: &Endpoint{Params: params, Reads: []string{"t", "teams"}}, Args: []Arg{{true, step.season}, {}}}
		r := &Read{Query: q, Database: &step.db, State: State{Generation: step.generation, Began: time.Now().Add(time.Hour), Totals: totals}}
		_, err := sel.Page(r, step.limit, 0)
		if (err != nil) != (step.db.fails != "") || err == nil && !strings.Contains(string(r.Body), step.answer) {
			t.Errorf("%s: %s, %v", step.what, r.Body, err)
		}
		if asked := strings.Join(step.db.asked, ", "); asked != step.want {
			t.Errorf("%s: asked for %s, want %s", step.what, asked, step.want)
		}
	}
}

// TestJoinsAreBounded: joined rows that find no room remove the others, and too many rows of
// one statement are not kept.
func TestJoinsAreBounded(t *testing.T) {
	var totals Totals
	put := func(name string, rows int) {
		found := joined{key: key{name[0]}, with: partners{}}
		for i := range rows {
			found.with[int64(i)] = nil
		}
		totals.putJoined(found)
	}
	for _, step := range []struct {
		name  string
		rows  int
		kept  string
		count int
	}{
		{"a", 3000, "[a]", 3000}, {"b", 1000, "[a b]", 4000}, {"b", 1096, "[a b]", maxJoined}, {"c", 1, "[c]", 1},
		{"c", 0, "[c]", 0}, {"d", maxJoined, "[c d]", maxJoined}, {"e", maxJoined + 1, "[]", 0}, {"f", 2, "[f]", 2},
	} {
		put(step.name, step.rows)
		var kept []string
		for of := range totals.joins.of {
			kept = append(kept, string(of[:1]))
		}
		if slices.Sort(kept); fmt.Sprint(kept) != step.kept || totals.joins.rows != step.count {
			t.Errorf("%d rows of %s: %d rows of %v", step.rows, step.name, totals.joins.rows, kept)
		}
	}
	for i := range maxJoined + 10 { // statements without rows
		totals.putJoined(joined{key: key{byte(i), byte(i >> 8), 1}})
	}
	if n := len(totals.joins.of); n > maxJoined {
		t.Errorf("%d statements", n)
	}
}
