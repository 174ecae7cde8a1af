package query

import (
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/scope"
)

// TestConditions: a value that is given adds its condition and is bound once for each place
// of it; a value that is not given adds the condition of its absence, if there is one.
func TestConditions(t *testing.T) {
	params := []param.Param{
		{Name: "a", Kind: param.Text, Where: "r.a = ?"}, {Name: "b", Kind: param.Text, Where: "r.b = ? OR r.c = ?"},
		{Name: "d", Kind: param.Text, Where: "r.d = ?", Absent: "r.d IS NULL"}, {Name: "limit", Kind: param.Text},
	}
	for _, tt := range []struct {
		given     []string // empty means not given
		condition string
		args      []any
	}{
		{[]string{"1", "2", "3", "4"}, "r.a = ? AND r.b = ? OR r.c = ? AND r.d = ?", []any{"1", "2", "2", "3"}},
		{[]string{"", "", "", ""}, "r.d IS NULL", nil},
		{[]string{"", "2", "", "4"}, "r.b = ? OR r.c = ? AND r.d IS NULL", []any{"2", "2"}},
	} {
		q := Query{Endpoint: &Endpoint{Params: params}}
		for _, text := range tt.given {
			q.Args = append(q.Args, Arg{text != "", text})
		}
		condition, args := q.Where()
		for i, a := range args {
			if b, ok := a.([]byte); ok {
				args[i] = string(b)
			}
		}
		if condition != tt.condition || !slices.Equal(args, tt.args) {
			t.Errorf("%q: %s %v", tt.given, condition, args)
		}
		for fixed, want := range map[string]string{"": " WHERE " + tt.condition, "r.x = 1": " WHERE " + tt.condition + " AND r.x = 1"} {
			s := &Selection{From: "t r", Fixed: fixed}
			if where, got := s.where(q); where != want || len(got) != len(tt.args) {
				t.Errorf("%q: %q, want %q", tt.given, where, want)
			}
			if count, got := s.counted(q, nil); count != "SELECT COUNT(*) FROM t r"+want || len(got) != len(tt.args) {
				t.Errorf("%q: %q with %v", tt.given, count, got)
			}
			s.Late = &LateJoin{From: "t r", By: "r.by"}
			if count, got := s.counted(q, nil); !strings.Contains(count, want) || len(got) != len(tt.args) {
				t.Errorf("%q: %q with %v", tt.given, count, got)
			}
		}
	}
	dated := Query{Endpoint: &Endpoint{Params: []param.Param{{Name: "day", Kind: param.Date, Where: "r.day = ?"}}}, Args: []Arg{{true, "2025-10-20"}}}
	if condition, args := dated.Where(); condition != "r.day = ?" || !slices.Equal(args, []any{"2025-10-20"}) {
		t.Errorf("a date before it is read: %s %v", condition, args)
	}
	none := Query{Endpoint: &Endpoint{}}
	if where, _ := (&Selection{Fixed: "r.x = 1"}).where(none); where != " WHERE r.x = 1" {
		t.Errorf("%q", where)
	}
	if where, _ := (&Selection{}).where(none); where != "" {
		t.Errorf("%q", where)
	}
}

// TestDatesOfQuestions: a date that only the server can read is read by it: midnight of a day
// is the day, and any other time equals no value. All other dates need no statement.
func TestDatesOfQuestions(t *testing.T) {
	fails := errors.New("fails")
	for name, tt := range map[string]struct {
		text   string
		row    []driver.Value
		err    error
		arg    any
		day    string
		asked  int
		failed bool
	}{
		"a day":          {"2025-10-20", nil, nil, "2025-10-20", "2025-10-20", 0, false},
		"read":           {"20 October", []driver.Value{[]byte("2025-10-20 00:00:00")}, nil, "2025-10-20", "2025-10-20", 1, false},
		"a time":         {"20 October", []driver.Value{[]byte("2025-10-20 12:00:00")}, nil, nil, param.NoDate, 1, false},
		"no date":        {"20 October", []driver.Value{nil}, nil, nil, param.NoDate, 1, false},
		"refused":        {"20 October", nil, &mysql.MySQLError{Number: 1292}, nil, param.NoDate, 1, false},
		"the read fails": {"20 October", nil, fails, nil, "", 1, true},
	} {
		params := []param.Param{{Name: "team", Kind: param.Int, Where: "r.team = ?"}, {Name: "other", Kind: param.Date, Where: "r.other = ?"}, {Name: "day", Kind: param.Date, Where: "r.day = ?"}}
		q := Query{Endpoint: &Endpoint{Params: params}, Args: []Arg{{true, "5"}, {}, {true, tt.text}}}
		asked := 0
		read, err := q.parseDates(rowsOf(func(_ string, args []any) ([][]driver.Value, error) {
			if asked++; !slices.Equal(args, []any{tt.text}) {
				t.Errorf("%s: asked for %v", name, args)
			}
			if tt.row == nil {
				return nil, tt.err
			}
			return [][]driver.Value{tt.row}, nil
		}))
		if asked != tt.asked || (err != nil) != tt.failed {
			t.Errorf("%s: asked %d times, %v", name, asked, err)
		}
		if tt.failed {
			if a, err := q.Run(rowsOf(func(string, []any) ([][]driver.Value, error) { return nil, tt.err }), State{}); err != fails || a.Status != 0 {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
			continue
		}
		condition, args := read.Where()
		if condition != "r.team = ? AND r.day = ?" || !slices.Equal(args, []any{int64(5), tt.arg}) || read.Day("day") != tt.day || read.Day("other") != param.NoDate {
			t.Errorf("%s: %s %v, %s", name, condition, args, read.Day("day"))
		}
	}
}

// TestTwoDates: each date of a question has its own day, read by the server or not.
func TestTwoDates(t *testing.T) {
	params := []param.Param{{Name: "from", Kind: param.Date, Where: "r.day >= ?"}, {Name: "to", Kind: param.Date, Where: "r.day <= ?"}}
	db := rowsOf(func(_ string, args []any) ([][]driver.Value, error) {
		return [][]driver.Value{{"2025-10-" + args[0].(string)[:2] + midnight}}, nil
	})
	for _, args := range [][]Arg{{{true, "2025-10-13"}, {true, "2025-10-20"}}, {{true, "13 October"}, {true, "20 October"}}} {
		q, err := Query{Endpoint: &Endpoint{Params: params}, Args: args}.parseDates(db)
		if err != nil || q.Day("from") != "2025-10-13" || q.Day("to") != "2025-10-20" || q.Day("other") != param.NoDate {
			t.Errorf("%v: %s to %s, %v", args, q.Day("from"), q.Day("to"), err)
		}
	}
}

// TestSearches: a search, and a page deep down a list, is in the lane of searches.
func TestSearches(t *testing.T) {
	params := []param.Param{{Name: "search", Kind: param.Text, Like: true}, {Name: "offset", Kind: param.Int}, {Name: "athlete", Kind: param.Int}}
	for _, tt := range []struct {
		search, offset string
		want           Lane
	}{{"", "0", WholeList}, {"Smith", "0", Search}, {"", "10000", WholeList}, {"", "10001", Search}} {
		q := Query{Endpoint: &Endpoint{Params: params, Lane: WholeList}, Args: []Arg{{tt.search != "", tt.search}, {true, tt.offset}, {true, "12008241"}}}
		if got := q.Lane(); got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
	}
}

// TestRefusals: a question that is refused needs no database, also within a read; a text in
// an answer names the values of the question.
func TestRefusals(t *testing.T) {
	e := &Endpoint{Params: []param.Param{{Name: "a"}, {Name: "b"}}, NotFound: "no {a} of {b}"}
	q := Query{Endpoint: e, Args: []Arg{{true, "1"}, {}}}
	e.Refuse = func(Query) *Answer { return Refusal(400, "bad %s", "question") }
	a, err := q.Run(nil, State{})
	if err != nil || a.Status != 400 || string(a.Body) != `{"detail":"bad question"}` {
		t.Errorf("%+v, %v", a, err)
	}
	e.Refuse = func(Query) *Answer { return nil }
	e.Answer = func(r *Read) error { return r.Missing() }
	a, err = q.Run(nil, State{})
	if err != nil || a.Status != 404 || string(a.Body) != `{"detail":"no 1 of None"}` {
		t.Errorf("%+v, %v", a, err)
	}
	if text := (&Read{Query: q}).Missing().Error(); text != `{"detail":"no 1 of None"}` {
		t.Error(text)
	}
	e.Answer = func(r *Read) error { r.Object(7); return nil }
	if a, err = q.Run(nil, State{}); err != nil || a.Status != 200 || string(a.Body) != "7" {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestOneRow: the first row of a result counts, and its values can be kept.
func TestOneRow(t *testing.T) {
	memory := []byte("first")
	db := rowsOf(func(string, []any) ([][]driver.Value, error) {
		return [][]driver.Value{{memory, int64(1), nil}, {[]byte("second"), int64(2), nil}}, nil
	})
	var kept []driver.Value
	calls := 0
	found, err := (&Read{Database: db}).One("", nil, func(row []driver.Value) { kept = Keep(row); calls++ })
	copy(memory, "XXXXX")
	if !found || err != nil || calls != 1 || string(kept[0].([]byte)) != "first" || kept[1] != int64(1) || kept[2] != nil {
		t.Errorf("%t, %v, %d calls, %v", found, err, calls, kept)
	}
}

// TestColumns: a column has its own name or an expression, a column of the kind Null none;
// columns of the same names can be replaced, and the order of a selection.
func TestColumns(t *testing.T) {
	columns := Swapped(Cols(Fields(jsontext.Integer, "a", "b"), Fields(jsontext.Null, "c")), As("b", jsontext.Text, "UPPER(r.b)"))
	s := Selection{Columns: columns, From: "t r", Order: "r.a"}.Ordered("r.b").Build()
	if s.fields != "r.a, UPPER(r.b) AS `b`" || s.Order != "r.b" {
		t.Errorf("%s by %s", s.fields, s.Order)
	}
	text, err := s.Encoder.AppendRow(nil, []driver.Value{int64(1), []byte("B")})
	if err != nil || string(text) != `{"a":1,"b":"B","c":null}` {
		t.Errorf("%s, %v", text, err)
	}
}

// TestListWithoutOffset: a list whose endpoint has no offset begins with its first row.
func TestListWithoutOffset(t *testing.T) {
	s, e := numbers()
	e.Params = e.Params[:1]
	e.Answer = List(s)
	a, err := Query{Endpoint: e, Args: page(5, 0)[:1]}.Run(&table{rows: 2}, State{})
	if want := `{"total":2,"limit":5,"offset":0,"results":[{"n":0},{"n":1}]}`; err != nil || string(a.Body) != want {
		t.Errorf("%s, %v", a.Body, err)
	}
}

// TestExtraColumnsLeaveTheResource: extra columns are added to a copy of a resource's columns,
// also if their list has room for more.
func TestExtraColumnsLeaveTheResource(t *testing.T) {
	s, _ := numbers()
	s.Table, s.Columns = "t", append(make([]Column, 0, 9), s.Columns...)
	x, err := NewExtra(map[string]*Selection{"numbers": s.Build()}, []string{"numbers.more"})
	if err != nil {
		t.Fatal(err)
	}
	more, err := x.in(&s, rowsOf(func(string, []any) ([][]driver.Value, error) { return [][]driver.Value{{"more", "int"}}, nil }))
	if err != nil || !slices.Equal(more.names(), []string{"n", "more"}) || s.Columns[:2][1].Name != "" {
		t.Errorf("%v, %v, the resource's %v", more.names(), err, s.Columns[:2])
	}
}

// TestStatementFails: the failure of a statement is the failure of the answer in each shape.
func TestStatementFails(t *testing.T) {
	s, e := numbers()
	fails := errors.New("fails")
	for name, answer := range map[string]func(*Read) error{"list": List(s), "single": Single(s), "whole": Whole(s)} {
		e.Answer = answer
		a, err := Query{Endpoint: e, Args: page(5, 0)}.Run(rowsOf(func(string, []any) ([][]driver.Value, error) { return nil, fails }), State{})
		if err != fails || a.Status != 0 || a.Body != nil {
			t.Errorf("%s: %d %s, %v", name, a.Status, a.Body, err)
		}
	}
}

// TestExtraColumnsFail: the failure of the columns' names is the failure of the answer, and
// answers that show no extra column need no names.
func TestExtraColumnsFail(t *testing.T) {
	s, e := numbers()
	s.Table = "t"
	shown := s.Build()
	fails := errors.New("fails")
	db := rowsOf(func(statement string, _ []any) ([][]driver.Value, error) {
		if strings.Contains(statement, "information_schema") {
			return nil, fails
		}
		return [][]driver.Value{{int64(1)}}, nil
	})
	resources := map[string]*Selection{"numbers": shown}
	x, err := NewExtra(resources, []string{"numbers.more"})
	if err != nil {
		t.Fatal(err)
	}
	array := func(of *Selection, x *Extra) (string, error) {
		r := &Read{Query: Query{Endpoint: e, Args: page(5, 0)}, Database: db, State: State{Extra: x}}
		text, _, err := of.Array(r, "", nil)
		return string(text), err
	}
	if text, err := array(shown, x); err != fails {
		t.Errorf("%s, %v", text, err)
	}
	if unshown, err := x.Unshown(db); unshown != nil || err != fails {
		t.Errorf("%v, %v", unshown, err)
	}
	none, _ := NewExtra(resources, nil)
	s.Table = ""
	for name, got := range map[string]func() (string, error){
		"no extra columns": func() (string, error) { return array(shown, none) },
		"another answer":   func() (string, error) { return array(s.Build(), x) },
		"nil":              func() (string, error) { return array(shown, nil) },
	} {
		if text, err := got(); text != `[{"n":1}]` || err != nil {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
	var nothing *Extra
	if nothing.Tables() != nil {
		t.Error("extra columns of nothing")
	}
	if len(shown.Columns) != 1 || len(shown.names()) != 1 {
		t.Errorf("the resource has changed: %v", shown.names())
	}
}

// TestScopesOfValues: a value that is not given, or is none of the scope's, names no scope.
func TestScopesOfValues(t *testing.T) {
	named := func(name string) param.Param { return param.Param{Name: name} }
	for _, tt := range []struct {
		params []param.Param
		args   []Arg
		want   scope.Scope
	}{
		{[]param.Param{named("division")}, []Arg{{false, "2030"}}, scope.Scope{}},
		{[]param.Param{named("rank_group_type"), named("rank_group_fk")}, []Arg{{true, "D"}, {false, "2030"}}, scope.Scope{}},
		{[]param.Param{named("gender_code")}, []Arg{{true, "f"}}, scope.Scope{Gender: "F"}},
		{[]param.Param{{Name: "day", Kind: param.Date}}, []Arg{{}}, scope.Scope{}},
		{[]param.Param{{Name: "search", Absent: "r.x IS NULL"}}, []Arg{{}}, scope.Scope{}},
	} {
		if got := (Query{Endpoint: &Endpoint{Params: tt.params}, Args: tt.args}).Scope(); got != tt.want {
			t.Errorf("%+v: %+v", tt.args, got)
		}
	}
}

// TestStampOfAReadWithoutABegin: a read that does not say when it began has begun just now.
func TestStampOfAReadWithoutABegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Read{State: State{Totals: new(Totals)}, Database: rowsOf(func(string, []any) ([][]driver.Value, error) {
			return [][]driver.Value{{"t", "1", "2", int64(0), int64(1)}}, nil
		})}
		for _, quiet := range []bool{false, true, true} {
			if s, err := r.Changed([]string{"t"}); s.Quiet != quiet || s.Text == "" || err != nil {
				t.Errorf("%+v, %v, want quiet %t", s, err, quiet)
			}
			time.Sleep(time.Second)
		}
	})
}
