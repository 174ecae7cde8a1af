package query

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/scope"
)

// table is a database with one table of numbers, from 0 on, and no filter.
type table struct {
	rows  int64
	asked []string
}

func (t *table) Rows(statement string, args []any, row func([]driver.Value) error) error {
	t.asked = append(t.asked, fmt.Sprint(statement, args))
	if strings.HasPrefix(statement, "SELECT COUNT(*)") || strings.HasPrefix(statement, "SELECT SUM") {
		return row([]driver.Value{t.rows})
	}
	limit, offset := t.rows, int64(0)
	if n := len(args); strings.HasSuffix(statement, "LIMIT ? OFFSET ?") {
		limit, offset = args[n-2].(int64), args[n-1].(int64)
	}
	for i := offset; i < min(t.rows, offset+limit); i++ {
		if err := row([]driver.Value{i}); err != nil {
			return err
		}
	}
	return nil
}

// numbers returns the selection of the table, and an endpoint of a list of it.
func numbers() (Selection, *Endpoint) {
	s := Selection{Columns: Fields(jsontext.Integer, "n"), From: "t r", Order: "r.n"}
	one := func(name string) param.Param { return param.Param{Name: name, Kind: param.Int, Default: "0"} }
	return s, &Endpoint{Path: "/numbers/{limit}", Params: []param.Param{one("limit"), one("offset")}, Answer: List(s), NotFound: "none up to {limit}"}
}

func page(limit, offset int) []Arg {
	return []Arg{{Given: true, Text: fmt.Sprint(limit)}, {Given: true, Text: fmt.Sprint(offset)}}
}

// TestPageCountsIfNeeded: a page that shows the end of a list is the count, too; the rows
// of no other page, and only they, are counted by a statement of their own.
func TestPageCountsIfNeeded(t *testing.T) {
	for _, tt := range []struct {
		rows          int64
		limit, offset int
		statements    int
		results       string
	}{
		{10, 5, 0, 2, `{"n":0},{"n":1},{"n":2},{"n":3},{"n":4}`},
		{10, 20, 8, 1, `{"n":8},{"n":9}`},
		{2, 2, 0, 2, `{"n":0},{"n":1}`},
		{2, 3, 0, 1, `{"n":0},{"n":1}`},
		{10, 5, 10, 2, ``},
		{0, 5, 0, 1, ``},
		{10, 0, 0, 1, ``},
	} {
		_, e := numbers()
		db := &table{rows: tt.rows}
		a, err := Query{Endpoint: e, Args: page(tt.limit, tt.offset)}.Run(db, State{})
		want := fmt.Sprintf(`{"total":%d,"limit":%d,"offset":%d,"results":[%s]}`, tt.rows, tt.limit, tt.offset, tt.results)
		if err != nil || a.Status != 200 || string(a.Body) != want || len(db.asked) != tt.statements {
			t.Errorf("%+v: %d %s, %v, asked %q", tt, a.Status, a.Body, err, db.asked)
		}
	}
}

// TestLongHead: a head of any length precedes the rows.
func TestLongHead(t *testing.T) {
	s, e := numbers()
	for _, size := range []int{1, 172, 192, 576} {
		long := strings.Repeat("x", size)
		e.Answer = ListWith(s, func(Query, PageHead) any {
			return struct {
				H string `json:"h"`
			}{long}
		})
		a, err := Query{Endpoint: e, Args: page(5, 0)}.Run(&table{rows: 2}, State{})
		if want := `{"h":"` + long + `","results":[{"n":0},{"n":1}]}`; err != nil || string(a.Body) != want {
			t.Errorf("%d bytes: %s, %v", size, a.Body, err)
		}
	}
}

// TestShapes: a single row is the first, or the endpoint's 404 with the values of the
// question; a whole list has no page.
func TestShapes(t *testing.T) {
	s, e := numbers()
	for _, tt := range []struct {
		answer func(*Read) error
		rows   int64
		status int
		body   string
	}{
		{Single(s), 1, 200, `{"n":0}`},
		{Single(s), 0, 404, `{"detail":"none up to 5"}`},
		{Whole(s), 2, 200, `{"total":2,"results":[{"n":0},{"n":1}]}`},
		{Whole(s), 0, 200, `{"total":0,"results":[]}`},
	} {
		e.Answer = tt.answer
		a, err := Query{Endpoint: e, Args: page(5, 0)}.Run(&table{rows: tt.rows}, State{})
		if err != nil || a.Status != tt.status || string(a.Body) != tt.body {
			t.Errorf("%d rows: %d %s, %v", tt.rows, a.Status, a.Body, err)
		}
	}
}

// rowsOf is a database that answers each statement with rows, or an error.
type rowsOf func(statement string, args []any) ([][]driver.Value, error)

func (f rowsOf) Rows(statement string, args []any, row func([]driver.Value) error) error {
	rows, err := f(statement, args)
	for _, r := range rows {
		if err := row(r); err != nil {
			return err
		}
	}
	return err
}

// TestRowThatCannotBeEncoded: a value of an unexpected type fails the answer.
func TestRowThatCannotBeEncoded(t *testing.T) {
	s, e := numbers()
	for name, answer := range map[string]func(*Read) error{"list": List(s), "single": Single(s), "whole": Whole(s)} {
		e.Answer = answer
		a, err := Query{Endpoint: e, Args: page(5, 0)}.Run(rowsOf(func(string, []any) ([][]driver.Value, error) {
			return [][]driver.Value{{struct{}{}}}, nil
		}), State{})
		if err == nil || a.Body != nil {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

// TestExtraColumns: an extra column has the encoding of its SQL type, in the answers about
// its resource alone, and is read once.
func TestExtraColumns(t *testing.T) {
	kinds := map[string]jsontext.Kind{
		"tinyint": jsontext.Integer, "SMALLINT": jsontext.Integer, "mediumint": jsontext.Integer, "int": jsontext.Integer, "bigint": jsontext.Integer,
		"year": jsontext.Integer, "decimal": jsontext.Float, "float": jsontext.Float, "double": jsontext.Float, "date": jsontext.Date,
		"datetime": jsontext.DateTime, "timestamp": jsontext.DateTime, "varchar": jsontext.Text, "longtext": jsontext.Text, "enum": jsontext.Text,
	}
	for sqlType, want := range kinds {
		if got := kindOf(sqlType); got != want {
			t.Errorf("%s is %v, want %v", sqlType, got, want)
		}
	}
	s, e := numbers()
	s.Table = "t"
	shown := s.Build()
	x, err := NewExtra(map[string]*Selection{"numbers": shown}, []string{"numbers.more"})
	if err != nil || !slices.Equal(x.Tables()["t"], []string{"more"}) {
		t.Fatalf("%v, %v", x.Tables(), err)
	}
	columns := 0
	db := rowsOf(func(statement string, args []any) ([][]driver.Value, error) {
		if strings.Contains(statement, "information_schema") {
			columns++
			return [][]driver.Value{{"n", "int"}, {"more", "decimal"}, {"other", "int"}}, nil
		}
		return [][]driver.Value{{int64(1), []byte("2.50")}}, nil
	})
	for range 2 {
		r := &Read{Query: Query{Endpoint: e, Args: page(5, 0)}, Database: db, State: State{Extra: x}}
		if text, n, err := shown.Array(r, "", nil); err != nil || n != 1 || string(text) != `[{"n":1,"more":2.5}]` {
			t.Errorf("%s, %d, %v", text, n, err)
		}
	}
	if columns != 1 {
		t.Errorf("the columns were read %d times", columns)
	}
	if unshown, err := x.Unshown(db); err != nil || !slices.Equal(unshown["t"], []string{"other"}) {
		t.Errorf("unshown: %v, %v", unshown, err)
	}
	for _, bad := range []string{"more", "other.more", "numbers.n", "numbers.more more", "numbers."} {
		if _, err := NewExtra(map[string]*Selection{"numbers": shown}, []string{bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if _, err := NewExtra(map[string]*Selection{"numbers": shown}, []string{"numbers.more", "numbers.more"}); err == nil {
		t.Error("a column is accepted twice")
	}
}

// TestStamps: a stamp names the state of each table; it is quiet if no table has changed
// just now and the read began after the stamp was first seen, and unknown if the server
// does not know a time of any table.
func TestStamps(t *testing.T) {
	var totals Totals
	begun := time.Now()
	row := map[string][]driver.Value{"a": {"a", "09:00", "10:00", int64(0), int64(1)}, "b": {"b", "09:00", "11:00", int64(1), int64(1)}}
	stamp := func(began time.Time) Stamp {
		t.Helper()
		r := &Read{State: State{Began: began, Totals: &totals}, Database: rowsOf(func(statement string, _ []any) (rows [][]driver.Value, err error) {
			if !strings.HasSuffix(statement, "table_name IN ('a', 'b')") || !strings.Contains(statement, "update_time < NOW() - INTERVAL 1 SECOND") {
				t.Errorf("%s", statement)
			}
			for _, table := range []string{"b", "a"} { // in any order
				if one := row[table]; one != nil {
					rows = append(rows, one)
				}
			}
			return rows, nil
		})}
		s, err := r.Changed([]string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	const text = "a=10:00/09:00/0 b=11:00/09:00/1 "
	if s := stamp(begun); s != (Stamp{text, false}) {
		t.Errorf("a read from before the stamp: %+v", s)
	}
	later := begun.Add(time.Hour)
	if s := stamp(later); s != (Stamp{text, true}) {
		t.Errorf("a later read: %+v", s)
	}
	if s := stamp(begun); s != (Stamp{text, false}) {
		t.Errorf("a read from before the stamp, which is known since: %+v", s)
	}
	for table := range row {
		row[table][4] = int64(0)
		if s := stamp(later); s != (Stamp{text, false}) {
			t.Errorf("table %s has changed just now: %+v", table, s)
		}
		row[table][4] = int64(1)
	}
	row["a"] = []driver.Value{"a", "09:00", nil, int64(0), int64(0)}
	if s := stamp(later); s != (Stamp{}) {
		t.Errorf("a table without a time: %+v", s)
	}
	delete(row, "a")
	if s := stamp(later); s != (Stamp{}) {
		t.Errorf("no such table: %+v", s)
	}
	row["b"] = nil
	if s := stamp(later); s != (Stamp{}) {
		t.Errorf("no table: %+v", s)
	}
}

// TestStampOfAPoll: a stamp that a poll has found is the same as the stamp that a read finds.
func TestStampOfAPoll(t *testing.T) {
	var totals Totals
	begun := time.Now()
	totals.See(map[string]scope.Stamp{"a": {Created: "1", Updated: "2"}, "b": {Created: "1", Updated: "2", Empty: true}}, begun.Add(-time.Minute))
	r := &Read{State: State{Began: begun, Totals: &totals}, Database: rowsOf(func(string, []any) ([][]driver.Value, error) {
		return [][]driver.Value{{"a", "1", "2", int64(0), int64(1)}, {"b", "1", "2", int64(1), int64(1)}}, nil
	})}
	if s, err := r.Changed([]string{"a", "b"}); !s.Quiet || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestStampFails: without the stamps of its tables a total is not counted.
func TestStampFails(t *testing.T) {
	fails := errors.New("fails")
	r := &Read{Query: Query{Endpoint: &Endpoint{Reads: []string{"t"}}}, State: State{Totals: new(Totals)}, Database: rowsOf(func(statement string, _ []any) ([][]driver.Value, error) {
		if strings.Contains(statement, "information_schema") {
			return [][]driver.Value{{"t", "1", "2", int64(0), int64(1)}}, fails
		}
		t.Errorf("%s", statement)
		return nil, nil
	})}
	if n, err := r.total("SELECT COUNT(*)", nil); n != 0 || err != fails {
		t.Errorf("%d, %v", n, err)
	}
	if s, err := r.Changed(r.Reads); s != (Stamp{}) || err != fails {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestTotalIsCounted: a total is counted once for a state of the data, and again for each
// other, or if the state is not quiet.
func TestTotalIsCounted(t *testing.T) {
	counts, quiet := 0, int64(1)
	fails := error(nil)
	r := &Read{Query: Query{Endpoint: &Endpoint{Reads: []string{"t"}}}, State: State{Generation: "1", Began: time.Now().Add(time.Hour), Totals: new(Totals)}}
	r.Database = rowsOf(func(statement string, _ []any) ([][]driver.Value, error) {
		if strings.Contains(statement, "information_schema") {
			return [][]driver.Value{{"t", "09:00", "10:00", int64(0), quiet}}, nil
		}
		counts++
		return [][]driver.Value{{int64(7)}}, fails
	})
	count := func(name string, want int, args ...any) {
		t.Helper()
		r.now = nil // another read
		before := counts
		if n, err := r.total("SELECT COUNT(*)", args); err != fails || n != 7 && fails == nil || counts-before != want {
			t.Errorf("%s: %d, %v, counted %d times", name, n, err, counts-before)
		}
	}
	fails = errors.New("fails")
	count("a failure", 1)
	fails = nil
	count("after a failure", 1)
	count("again", 0)
	count("another statement", 1, "x")
	r.State.Generation = "2"
	count("another generation", 1)
	quiet = 0
	count("known already", 0)
	r.State.Generation = "3"
	count("not quiet", 1)
	count("not quiet again", 1)
	r.State.Totals = nil
	count("no cache", 1)
	count("no cache again", 1)
}

// TestNotes: the last note is kept; without totals there is none.
func TestNotes(t *testing.T) {
	var totals Totals
	totals.Note(1)
	totals.Note(2)
	var none *Totals
	none.Note(3)
	if totals.LastNote() != 2 || none.LastNote() != nil {
		t.Errorf("%v, %v", totals.LastNote(), none.LastNote())
	}
}

// TestScopeOfAQuestion: the scope of a question is named by its parameters, unless the
// endpoint depends on all of the data.
func TestScopeOfAQuestion(t *testing.T) {
	named := func(name string) param.Param { return param.Param{Name: name} }
	date := param.Param{Name: "day", Kind: param.Date, Absent: "r.day IS NULL"}
	for _, tt := range []struct {
		span   Span
		params []param.Param
		args   []string // empty means not given
		want   scope.Scope
	}{
		{SpanAll, []param.Param{named("season_year")}, []string{"2025"}, scope.Scope{}},
		{SpanDated, []param.Param{named("season_year")}, []string{"2025"}, scope.Scope{Checkpoint: scope.Dated}},
		{SpanParams, []param.Param{named("season_year"), named("division"), named("gender"), date}, []string{"2025", "2030", "m", ""}, scope.Scope{Season: "2025", Division: "2030", Gender: "M", Checkpoint: scope.Live}},
		{SpanParams, []param.Param{named("division"), named("gender_code"), date}, []string{"", "x", "2025-10-20"}, scope.Scope{Checkpoint: "2025-10-20"}},
		{SpanParams, []param.Param{date}, []string{"20 October"}, scope.Scope{Checkpoint: scope.Dated}},
		{SpanParams, []param.Param{named("rank_group_type"), named("rank_group_fk")}, []string{"D", "2030"}, scope.Scope{Division: "2030"}},
		{SpanParams, []param.Param{named("rank_group_type"), named("rank_group_fk")}, []string{"R", "2030"}, scope.Scope{}},
	} {
		q := Query{Endpoint: &Endpoint{Params: tt.params, Span: tt.span}}
		for _, text := range tt.args {
			q.Args = append(q.Args, Arg{text != "", text})
		}
		if got := q.Scope(); got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.args, got, tt.want)
		}
	}
}

// TestLateJoin: the first pages of a list are cut before the join, and all rows are counted
// by groups; a condition on the joined table forbids both.
func TestLateJoin(t *testing.T) {
	late := &LateJoin{From: "t r", Order: "r.id", By: "r.team", Text: " LEFT JOIN teams t ON t.id = r.team"}
	for _, tt := range []struct {
		fixed         string
		late          *LateJoin
		limit, offset int64
		cut, grouped  bool
	}{
		{"", nil, 10, 0, false, false},
		{"", late, 10, 0, true, true},
		{"r.x = 1", late, 10, Shallow - 10, true, true},
		{"r.x = 1", late, 10, Shallow - 9, false, true},
		{"t.x = 1", late, 10, 0, false, false},
	} {
		s := Selection{From: "t r LEFT JOIN teams t ON t.id = r.team", Order: "r.id, t.id", Fixed: tt.fixed, Late: tt.late}
		q := Query{Endpoint: &Endpoint{}}
		from, args := s.paged(q, tt.limit, tt.offset)
		wantArgs := []any{tt.limit, tt.offset}
		if tt.cut {
			wantArgs = []any{tt.limit + tt.offset, tt.limit, tt.offset}
		}
		if got := strings.HasPrefix(from, "(SELECT r.* FROM t r"); got != tt.cut || !slices.Equal(args, wantArgs) || !strings.HasSuffix(from, " ORDER BY r.id, t.id LIMIT ? OFFSET ?") {
			t.Errorf("%+v: %s %v", tt, from, args)
		}
		if count, _ := s.counted(q, nil); strings.Contains(count, " GROUP BY r.team) r LEFT JOIN teams t") != tt.grouped || tt.fixed != "" && !strings.Contains(count, " WHERE "+tt.fixed) {
			t.Errorf("%+v: %s", tt, count)
		}
	}
}
