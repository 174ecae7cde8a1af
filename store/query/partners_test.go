package query

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
)

// listWithTeams is a list whose rows show a column of a joined table.
var listWithTeams = Selection{
	From: "t r LEFT JOIN teams t ON t.id = r.team", Order: "r.id, t.id",
	Columns: []Column{As("region", jsontext.Text, "t.region"), {Name: "gone", Kind: jsontext.Null}, {Name: "team", Kind: jsontext.Integer}, {Name: "name", Kind: jsontext.Text}},
	Late: &LateJoin{From: "t r", Order: "r.id", By: "r.team", Text: " LEFT JOIN teams t ON t.id = r.team",
		Rows: "SELECT r.id, r.region FROM teams r WHERE {condition}", Key: "team", Same: []string{"season", "day"}},
}

// TestPartners: the rows of a list are joined here if the question selects the joined rows
// and each has its own key, and by the server otherwise.
func TestPartners(t *testing.T) {
	params := []param.Param{
		{Name: "least", Kind: param.Int, Where: "r.least >= ?"}, {Name: "season", Kind: param.Int, Where: "r.season = ?"},
		{Name: "day", Kind: param.Int, Where: "r.day = ?", Absent: "r.day IS NULL"},
		{Name: "limit", Kind: param.Int, Where: ""}, {Name: "region", Kind: param.Text, Where: "t.region = ?"},
	}
	const teams = "SELECT r.id, r.region FROM teams r WHERE r.season = ? AND r.day IS NULL"
	const apart = "SELECT NULL, r.team, r.name FROM t r WHERE r.least >= ? AND r.season = ? AND r.day IS NULL ORDER BY r.id LIMIT ? OFFSET ?"
	east, west := []byte("East"), []byte("West")
	for name, tt := range map[string]struct {
		season, region string
		teams          [][]driver.Value
		asked          []string // the beginnings of the statements
		answer         string
	}{
		"each team once": {"2025", "", [][]driver.Value{{uint64(1), east}, {uint64(2), west}, {int64(7), nil}, {int64(0), west}}, []string{teams, apart, "SELECT COUNT(*) FROM t r WHERE"},
			`{"region":"East","gone":null,"team":1,"name":"a"},{"region":"West","gone":null,"team":2,"name":"b"},{"region":null,"gone":null,"team":3,"name":"c"},{"region":null,"gone":null,"team":7,"name":"d"},{"region":null,"gone":null,"team":null,"name":"e"}`},
		"no team":               {"2025", "", nil, []string{teams, apart, "SELECT COUNT(*) FROM t r WHERE"}, `{"region":null,"gone":null,"team":1,`},
		"a team twice":          {"2025", "", [][]driver.Value{{int64(1), east}, {int64(1), west}}, []string{teams, "SELECT t.region AS `region`, r.team, r.name FROM (SELECT r.* FROM t r", "SELECT SUM(r.n)"}, `{"region":null,`},
		"an earlier team twice": {"2025", "", [][]driver.Value{{int64(1), east}, {int64(1), west}, {int64(2), west}}, []string{teams, "SELECT t.region", "SELECT SUM(r.n)"}, `{"region":null,`},
		"a team of NULL":        {"2025", "", [][]driver.Value{{nil, east}}, []string{teams, "SELECT t.region", "SELECT SUM(r.n)"}, `{"region":null,`},
		"too large a team":      {"2025", "", [][]driver.Value{{uint64(math.MaxInt64) + 1, east}}, []string{teams, "SELECT t.region", "SELECT SUM(r.n)"}, `{"region":null,`},
		"no season":             {"", "", nil, []string{"SELECT t.region", "SELECT SUM(r.n)"}, `{"region":null,`},
		"a region":              {"2025", "East", nil, []string{"SELECT t.region", "SELECT COUNT(*) FROM t r LEFT JOIN"}, `{"region":null,`},
	} {
		var asked []string
		q := Query{Endpoint: &Endpoint{Params: params}, Args: []Arg{{true, "5"}, {tt.season != "", tt.season}, {}, {true, "5"}, {tt.region != "", tt.region}}}
		r := &Read{Query: q, Database: rowsOf(func(text string, args []any) ([][]driver.Value, error) {
			if asked = append(asked, text); strings.Count(text, "?") != len(args) {
				t.Errorf("%s: %s with %v", name, text, args)
			}
			switch {
			case strings.HasPrefix(text, "SELECT r.id"):
				return tt.teams, nil
			case strings.HasPrefix(text, "SELECT COUNT"), strings.HasPrefix(text, "SELECT SUM"):
				return [][]driver.Value{{int64(9)}}, nil
			}
			return [][]driver.Value{{nil, int64(1), []byte("a")}, {nil, uint64(2), []byte("b")}, {nil, int64(3), []byte("c")}, {nil, int64(7), []byte("d")}, {nil, nil, []byte("e")}}, nil
		})}
		total, err := listWithTeams.Build().Build().Page(r, 5, 0) // extra columns build a selection again
		if err != nil || total != 9 || !strings.HasPrefix(string(r.Body), tt.answer) {
			t.Errorf("%s: %d, %v\n got %s\nwant %s", name, total, err, r.Body, tt.answer)
		}
		if !slices.EqualFunc(asked, tt.asked, strings.HasPrefix) {
			t.Errorf("%s:\n got %q\nwant %q", name, asked, tt.asked)
		}
	}
}

// TestPartnersFail: a page fails with each of its statements.
func TestPartnersFail(t *testing.T) {
	params := []param.Param{{Name: "season", Kind: param.Int, Where: "r.season = ?"}, {Name: "day", Kind: param.Int, Absent: "r.day IS NULL"}}
	for statement := range 3 {
		asked, fails := 0, errors.New(fmt.Sprint("fails ", statement))
		r := &Read{Query: Query{Endpoint: &Endpoint{Params: params}, Args: []Arg{{true, "2025"}, {}}}, Database: rowsOf(func(string, []any) ([][]driver.Value, error) {
			if asked++; asked > statement {
				return nil, fails
			}
			if asked == 1 {
				return [][]driver.Value{{int64(1), nil}}, nil
			}
			return [][]driver.Value{{nil, int64(1), nil}}, nil
		})}
		if _, err := listWithTeams.Build().Page(r, 1, 0); err != fails || asked != statement+1 {
			t.Errorf("statement %d: %v after %d", statement, err, asked)
		}
	}
}

// TestJoinWithoutRows: a join that has no statement for the rows of its table is the server's.
func TestJoinWithoutRows(t *testing.T) {
	s := listWithTeams
	s.Late = &LateJoin{From: s.Late.From, Order: s.Late.Order, By: s.Late.By, Text: s.Late.Text}
	db := &table{}
	if _, err := s.Build().Page(&Read{Query: Query{Endpoint: &Endpoint{}}, Database: db}, 5, 0); err != nil || len(db.asked) != 1 || !strings.HasPrefix(db.asked[0], "SELECT t.region") {
		t.Errorf("%q, %v", db.asked, err)
	}
}

// TestGivesAll: a parameter adds a condition with its value or with its absence, if it has
// such a condition.
func TestGivesAll(t *testing.T) {
	for _, tt := range []struct {
		where, absent string
		given, want   bool
	}{
		{"r.a = ?", "r.a IS NULL", true, true}, {"r.a = ?", "r.a IS NULL", false, true}, {"r.a = ?", "", true, true},
		{"r.a = ?", "", false, false}, {"", "r.a IS NULL", true, false}, {"", "", true, false}, {"", "", false, false},
	} {
		q := Query{Endpoint: &Endpoint{Params: []param.Param{{Name: "a", Where: tt.where, Absent: tt.absent}}}, Args: []Arg{{Given: tt.given}}}
		if got := q.givesAll([]string{"a"}); got != tt.want {
			t.Errorf("%+v: %t", tt, got)
		}
	}
}
