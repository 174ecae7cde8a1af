package query

import (
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/scope"
)

// Arg is the value of a parameter, in canonical form.
type Arg struct {
	Given bool
	Text  string
}

// Query is a question: an endpoint with a value for each of its parameters.
type Query struct {
	*Endpoint
	Args []Arg // parallel to Params, with defaults filled in

	days []any // parallel to Params: the days of dates, set by parseDates
}

// Arg returns the value of the parameter called name, which must exist.
func (q Query) Arg(name string) Arg {
	for i := range q.Params {
		if q.Params[i].Name == name {
			return q.Args[i]
		}
	}
	panic("store: " + q.Path + " has no parameter " + name)
}

// Int returns the value of an Int parameter; see param.ClampInt for large values.
func (q Query) Int(name string) int64 { return param.ClampInt(q.Arg(name).Text) }

// Number returns the value of an Int parameter as JSON text: all its digits.
func (q Query) Number(name string) jsontext.Raw { return jsontext.Raw(q.Arg(name).Text) }

// Lane returns the cost of q for the database. A page deep down a list counts as a
// search: the server passes all rows before it, and a client can request any number of
// different pages.
func (q Query) Lane() Lane {
	for i := range q.Params {
		switch p, arg := &q.Params[i], q.Args[i]; {
		case p.Like && arg.Given, p.Name == "offset" && param.ClampInt(arg.Text) > deep:
			return Search
		}
	}
	return q.Endpoint.Lane
}

// deep is the largest offset of a list that a visitor reaches by turning pages: a
// hundred pages of the default length.
const deep = 10000

// Where returns the conditions of all parameters and the values to bind.
func (q Query) Where() (condition string, args []any) {
	return q.conditions(func(*param.Param) bool { return true })
}

// conditions returns the conditions of some parameters, and the values to bind.
func (q Query) conditions(of func(*param.Param) bool) (condition string, args []any) {
	var parts []string
	for i := range q.Params {
		p, arg := &q.Params[i], q.Args[i]
		switch {
		case !of(p):
		case !arg.Given && p.Absent != "":
			parts = append(parts, p.Absent)
		case arg.Given && p.Where != "":
			parts = append(parts, p.Where)
			value := p.Bind(arg.Text)
			if q.days != nil && p.Kind == param.Date {
				value = q.days[i]
			}
			for range strings.Count(p.Where, "?") {
				args = append(args, value)
			}
		}
	}
	return strings.Join(parts, " AND "), args
}

// Scope returns the calculations that the answer to q depends on.
func (q Query) Scope() scope.Scope {
	var s scope.Scope
	switch q.Span {
	case SpanAll:
		return s
	case SpanDated:
		return scope.Scope{Checkpoint: scope.Dated}
	}
	for i := range q.Params {
		p, arg := &q.Params[i], q.Args[i]
		switch {
		case p.Name == "season_year":
			s.Season = arg.Text
		case p.Name == "division" && arg.Given:
			s.Division = arg.Text
		case p.Name == "rank_group_fk" && arg.Given && q.Arg("rank_group_type").Text == "D":
			s.Division = arg.Text
		case p.Name == "gender" || p.Name == "gender_code":
			if g := strings.ToUpper(arg.Text); g == "M" || g == "F" {
				s.Gender = g
			}
		case p.Kind == param.Date && arg.Given:
			s.Checkpoint = scope.Dated // any day that the server may read
			if day, known := param.Day(arg.Text); known {
				s.Checkpoint = day
			}
		case p.Kind == param.Date && p.Absent != "":
			s.Checkpoint = scope.Live
		}
	}
	return s
}

// midnight ends the text of a DATETIME that equals a DATE.
const midnight = " 00:00:00"

// parseDates has the server parse the dates that param.Day can't parse. The server compares a
// DATE with a text as date-times, and CAST parses a text by the same rules, except
// that no text is the date 0000-00-00.
func (q Query) parseDates(db Database) (Query, error) {
	for i := range q.Params {
		p, arg := &q.Params[i], q.Args[i]
		if p.Kind != param.Date || !arg.Given {
			continue
		}
		if q.days == nil {
			q.days = make([]any, len(q.Params))
		}
		q.days[i] = p.Bind(arg.Text)
		if _, known := param.Day(arg.Text); known {
			continue
		}
		err := db.Rows("SELECT CAST(? AS DATETIME)", []any{arg.Text}, func(row []driver.Value) error {
			q.days[i] = nil // NULL equals no value
			if day, ok := strings.CutSuffix(jsontext.AsText(row[0]), midnight); ok {
				q.days[i] = day
			}
			return nil
		})
		switch {
		case dberror.IsNoDate(err):
			q.days[i] = nil
		case err != nil:
			return q, err
		}
	}
	return q, nil
}

// Day returns the day of a Date parameter as the server reads it. It needs the Query that
// parseDates returns, which an Answer function gets.
func (q Query) Day(name string) string {
	for i := range q.Params {
		if day, ok := q.days[i].(string); ok && q.Params[i].Name == name {
			return day
		}
	}
	return param.NoDate
}

// expand replaces each {name} in text with that parameter's value.
func (q Query) expand(text string) string {
	for i := range q.Params {
		value := "None" // as Python prints an absent value
		if q.Args[i].Given {
			value = q.Args[i].Text
		}
		text = strings.ReplaceAll(text, "{"+q.Params[i].Name+"}", value)
	}
	return text
}

// Answer is the answer to a Query.
type Answer struct {
	Status int    // 200, or 400, 404, 501 with the reason in the body
	Body   []byte // JSON; the caller may keep but not change it
	// Generation names the state of the query's Scope that the answer comes
	// from, as store.Generation.Of does. It is empty where no database was read.
	Generation string
}

// Refusal is an answer other than 200, with its reason.
func Refusal(status int, format string, args ...any) *Answer {
	return &Answer{Status: status, Body: jsontext.Append(nil, struct {
		Detail string `json:"detail"`
	}{fmt.Sprintf(format, args...)})}
}
