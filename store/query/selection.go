package query

import (
	"database/sql/driver"
	"strings"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// Column is a field of an answer and the source of its value.
type Column struct {
	Name string
	Kind jsontext.Kind
	expr string // SQL; empty means the column of r with that name
}

// As is a column whose value is an SQL expression.
func As(name string, kind jsontext.Kind, expr string) Column { return Column{name, kind, expr} }

// Fields are columns of one kind under the table's own names.
func Fields(kind jsontext.Kind, names ...string) (columns []Column) {
	for _, n := range names {
		columns = append(columns, Column{Name: n, Kind: kind})
	}
	return columns
}

// Cols joins lists of columns.
func Cols(lists ...[]Column) (all []Column) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// Swapped returns columns, with the columns of the same names replaced.
func Swapped(columns []Column, by ...Column) []Column {
	all := Cols(columns)
	for i := range all {
		for _, c := range by {
			if all[i].Name == c.Name {
				all[i] = c
			}
		}
	}
	return all
}

// Selection is a SELECT as data: its columns, tables and order. r names the main table
// throughout.
type Selection struct {
	Columns []Column
	From    string
	Fixed   string // a condition that is part of every question
	Order   string // ends with the primary key, so that no two rows tie
	Late    *LateJoin
	Table   string // the table whose extra columns the answers show, if any

	Encoder jsontext.Encoder
	fields  string // the SELECT's expressions
	// Of a selection with a LateJoin: the expressions with NULL for each column of t, the places
	// of these among the values of a row, and the place of the join's Key.
	apart  string
	joined []int
	key    int
}

// Ordered returns s in another order.
func (s Selection) Ordered(by string) Selection { s.Order = by; return s }

// Build prepares the encoder and the SELECT's expressions.
func (s Selection) Build() *Selection {
	var exprs, apart []string
	var members []jsontext.Field
	s.joined = nil
	for _, c := range s.Columns {
		members = append(members, jsontext.Field{Name: c.Name, Kind: c.Kind})
		if c.Kind == jsontext.Null {
			continue
		}
		expr := "r." + c.Name
		if c.expr != "" {
			expr = c.expr + " AS `" + c.Name + "`"
		}
		own := expr
		switch {
		case strings.HasPrefix(expr, "t."):
			own = "NULL"
			s.joined = append(s.joined, len(exprs))
		case s.Late != nil && c.Name == s.Late.Key:
			s.key = len(exprs)
		}
		exprs, apart = append(exprs, expr), append(apart, own)
	}
	s.fields, s.apart = strings.Join(exprs, ", "), strings.Join(apart, ", ")
	s.Encoder = jsontext.NewEncoder(members)
	return &s
}

// where returns the conditions of the selection and the query together.
func (s *Selection) where(q Query) (string, []any) {
	condition, args := q.Where()
	switch {
	case condition == "":
		condition = s.Fixed
	case s.Fixed != "":
		condition += " AND " + s.Fixed
	}
	if condition != "" {
		condition = " WHERE " + condition
	}
	return condition, args
}

// rows appends the rows of a SELECT from the given clauses to the Body, with
// commas between them, and returns their number. With partners, the clauses select r
// alone.
func (s *Selection) rows(r *Read, with partners, from string, args []any) (n int64, err error) {
	if s, err = r.State.Extra.in(s, r.Database); err != nil {
		return 0, err
	}
	fields := s.fields
	if with != nil {
		fields = s.apart
	}
	err = r.Rows("SELECT "+fields+" FROM "+from, args, func(row []driver.Value) error {
		if n++; n > 1 {
			r.Body = append(r.Body, ',')
		}
		if with != nil {
			with.join(s, row)
		}
		r.grow()
		var err error
		r.Body, err = s.Encoder.AppendRow(r.Body, row)
		return err
	})
	return n, err
}

// Array returns the rows of a SELECT as a JSON array, and their number.
func (s *Selection) Array(r *Read, tail string, args []any) (jsontext.Raw, int64, error) {
	part := &Read{Query: r.Query, Database: r.Database, State: r.State, Body: []byte{'['}}
	n, err := s.rows(part, nil, s.From+tail, args)
	return append(part.Body, ']'), n, err
}

// Page appends at most limit rows from offset on, and returns the number of all
// matching rows. The rows are counted by a separate statement only if the page does
// not show the end.
func (s *Selection) Page(r *Read, limit, offset int64) (total int64, err error) {
	found, err := s.partners(r)
	if err != nil {
		return 0, err
	}
	with := found.with
	shown, page := int64(0), s.paged
	if with != nil {
		page = s.ordered
	}
	if limit > 0 {
		from, args := page(r.Query, limit, offset)
		if shown, err = s.rows(r, with, from, args); err != nil {
			return 0, err
		}
	}
	if shown < limit && (shown > 0 || offset == 0) {
		return offset + shown, nil
	}
	count, args := s.counted(r.Query, with)
	if total, err = r.total(count, args); err == nil {
		r.keep(found)
	}
	return total, err
}

// PageHead is the part of a page before its rows.
type PageHead struct {
	Total  int64        `json:"total"`
	Limit  jsontext.Raw `json:"limit"`
	Offset jsontext.Raw `json:"offset"`
}

// List answers with a page of rows: {total, limit, offset, results}.
func List(s Selection) func(*Read) error {
	return ListWith(s, func(_ Query, head PageHead) any { return head })
}

// ListWith is List with another head.
func ListWith(s Selection, headOf func(Query, PageHead) any) func(*Read) error {
	sel := s.Build()
	return func(r *Read) error {
		offset, text := int64(0), jsontext.Raw("0")
		if r.has("offset") { // a roster has no offset
			offset, text = r.Int("offset"), r.Number("offset")
		}
		r.StartList(64 << 10)
		total, err := sel.Page(r, r.Int("limit"), offset)
		if err == nil {
			r.EndList(headOf(r.Query, PageHead{total, r.Number("limit"), text}), "results")
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

// Single answers with the first row, or the endpoint's 404.
func Single(s Selection) func(*Read) error {
	sel := s.Build()
	return func(r *Read) error {
		where, args := sel.where(r.Query)
		n, err := sel.rows(r, nil, sel.From+where+" ORDER BY "+sel.Order+" LIMIT 1", args)
		if err == nil && n == 0 {
			return r.Missing()
		}
		return err
	}
}

// Whole answers with all rows: {total, results}.
func Whole(s Selection) func(*Read) error {
	sel := s.Build()
	return func(r *Read) error {
		r.StartList(4 << 10)
		where, args := sel.where(r.Query)
		total, err := sel.rows(r, nil, sel.From+where+" ORDER BY "+sel.Order, args)
		if err == nil {
			r.EndList(struct {
				Total int64 `json:"total"`
			}{total}, "results")
		}
		return err
	}
}
