package readapi

import (
	"database/sql/driver"
	"strings"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// The kinds of columns, by short names for the entries.
const (
	integer  = jsontext.Integer
	text     = jsontext.Text
	float    = jsontext.Float
	decimal  = jsontext.Exact
	date     = jsontext.Date
	datetime = jsontext.DateTime
	boolean  = jsontext.Boolean
	null     = jsontext.Null
)

// column is a field of an answer and the source of its value.
type column struct {
	name string
	kind jsontext.Kind
	expr string // SQL; empty means the column of r with that name
}

// fields are columns of one kind under the table's own names.
func fields(kind jsontext.Kind, names ...string) (columns []column) {
	for _, n := range names {
		columns = append(columns, column{name: n, kind: kind})
	}
	return columns
}

func cols(lists ...[]column) (all []column) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// swapped returns columns with those of the same name replaced.
func swapped(columns []column, by ...column) []column {
	all := cols(columns)
	for i := range all {
		for _, c := range by {
			if all[i].name == c.name {
				all[i] = c
			}
		}
	}
	return all
}

// selection is a SELECT as data: which columns of which tables in which order.
// r names the main table throughout.
type selection struct {
	columns []column
	from    string
	fixed   string // a condition that holds for every question
	order   string // ends with the primary key, so that no two rows tie
	late    *lateJoin
	table   string // the table whose extra columns the answers show, if any

	encoder jsontext.Encoder
	fields  string // the SELECT's expressions
}

func (s selection) ordered(by string) selection { s.order = by; return s }

// build prepares the encoder and the SELECT's expressions.
func (s selection) build() *selection {
	var exprs []string
	var members []jsontext.Field
	for _, c := range s.columns {
		members = append(members, jsontext.Field{Name: c.name, Kind: c.kind})
		switch {
		case c.kind == null:
		case c.expr != "":
			exprs = append(exprs, c.expr+" AS `"+c.name+"`")
		default:
			exprs = append(exprs, "r."+c.name)
		}
	}
	s.fields = strings.Join(exprs, ", ")
	s.encoder = jsontext.NewEncoder(members)
	return &s
}

// where returns the conditions of the selection and the query together.
func (s *selection) where(q Query) (string, []any) {
	condition, args := q.where()
	switch {
	case condition == "":
		condition = s.fixed
	case s.fixed != "":
		condition += " AND " + s.fixed
	}
	if condition != "" {
		condition = " WHERE " + condition
	}
	return condition, args
}

// rows appends the rows of a SELECT from the given clauses to the Body, with
// commas between them, and returns their number.
func (s *selection) rows(r *Read, from string, args []any) (n int64, err error) {
	if s, err = r.State.Extra.in(s, r.Database); err != nil {
		return 0, err
	}
	err = r.Rows("SELECT "+s.fields+" FROM "+from, args, func(row []driver.Value) error {
		if n++; n > 1 {
			r.Body = append(r.Body, ',')
		}
		var err error
		r.Body, err = s.encoder.AppendRow(r.Body, row)
		return err
	})
	return n, err
}

// array returns the rows of a SELECT as a JSON array, and their number.
func (s *selection) array(r *Read, tail string, args []any) (jsontext.Raw, int64, error) {
	part := &Read{Query: r.Query, Database: r.Database, State: r.State, Body: []byte{'['}}
	n, err := s.rows(part, s.from+tail, args)
	return append(part.Body, ']'), n, err
}

// page appends the rows from offset on, at most limit, and returns how many rows
// match in all. Only a page that does not show the end is counted separately.
func (s *selection) page(r *Read, limit, offset int64) (total int64, err error) {
	shown := int64(0)
	if limit > 0 {
		from, args := s.paged(r.Query, limit, offset)
		if shown, err = s.rows(r, from, args); err != nil {
			return 0, err
		}
	}
	if shown < limit && (shown > 0 || offset == 0) {
		return offset + shown, nil
	}
	count, args := s.counted(r.Query)
	return r.total(count, args)
}

// pageHead is the part of a page before its rows.
type pageHead struct {
	Total  int64        `json:"total"`
	Limit  jsontext.Raw `json:"limit"`
	Offset jsontext.Raw `json:"offset"`
}

// list answers with a page of rows: {total, limit, offset, results}.
func list(s selection) func(*Read) error {
	return listWith(s, func(_ Query, head pageHead) any { return head })
}

// listWith is list with another head.
func listWith(s selection, headOf func(Query, pageHead) any) func(*Read) error {
	sel := s.build()
	return func(r *Read) error {
		offset, text := int64(0), jsontext.Raw("0")
		if r.has("offset") { // a roster has none
			offset, text = r.Int("offset"), r.number("offset")
		}
		r.startList(64 << 10)
		total, err := sel.page(r, r.Int("limit"), offset)
		if err == nil {
			r.endList(headOf(r.Query, pageHead{total, r.number("limit"), text}), "results")
		}
		return err
	}
}

func (q Query) has(name string) bool {
	for i := range q.Params {
		if q.Params[i].Name == name {
			return true
		}
	}
	return false
}

// single answers with the first row, or the endpoint's 404.
func single(s selection) func(*Read) error {
	sel := s.build()
	return func(r *Read) error {
		where, args := sel.where(r.Query)
		n, err := sel.rows(r, sel.from+where+" ORDER BY "+sel.order+" LIMIT 1", args)
		if err == nil && n == 0 {
			return r.missing()
		}
		return err
	}
}

// whole answers with all rows: {total, results}.
func whole(s selection) func(*Read) error {
	sel := s.build()
	return func(r *Read) error {
		r.startList(4 << 10)
		where, args := sel.where(r.Query)
		total, err := sel.rows(r, sel.from+where+" ORDER BY "+sel.order, args)
		if err == nil {
			r.endList(struct {
				Total int64 `json:"total"`
			}{total}, "results")
		}
		return err
	}
}
