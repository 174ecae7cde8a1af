package query

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"slices"
	"sync"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/scope"
)

// Database runs SELECTs that all see one state of the data.
type Database = scope.Database

// Read is the state of a question while it is answered. It must not be used concurrently.
type Read struct {
	Query
	Database
	State State
	Body  []byte // the answer so far

	now  *Stamp  // of the tables of the answer; nil until it is read
	list *[]byte // the buffer of the rows, between StartList and EndList
}

// refusedError carries an answer other than 200 out of a read.
type refusedError struct{ answer Answer }

func (e *refusedError) Error() string { return string(e.answer.Body) }

// Run answers q from db, which is in the given state.
func (q Query) Run(db Database, at State) (Answer, error) {
	if a := q.Refused(); a != nil {
		return *a, nil
	}
	q, err := q.parseDates(db)
	if err != nil {
		return Answer{}, err
	}
	r := &Read{Query: q, Database: db, State: at}
	var refused *refusedError
	switch err := q.Answer(r); {
	case errors.As(err, &refused):
		return refused.answer, nil
	case err != nil:
		return Answer{}, err
	}
	return Answer{Status: 200, Body: r.Body}, nil
}

// Refused returns the answer to a question that needs no database, or nil.
func (q Query) Refused() *Answer {
	if q.Refuse == nil {
		return nil
	}
	return q.Refuse(q)
}

// Missing returns the 404 of the read's endpoint.
func (r *Read) Missing() error {
	return &refusedError{*Refusal(404, "%s", r.expand(r.NotFound))}
}

// One calls row for the first row of the result, if there is one.
func (r *Read) One(text string, args []any, row func([]driver.Value)) (found bool, err error) {
	err = r.Rows(text, args, func(values []driver.Value) error {
		if !found {
			found = true
			row(values)
		}
		return nil
	})
	return found, err
}

// Count returns the number that the query selects.
func (r *Read) Count(text string, args []any) (n int64, err error) {
	_, err = r.One(text, args, func(row []driver.Value) { n = jsontext.AsInt(row[0]) })
	return n, err
}

// Object answers with v.
func (r *Read) Object(v any) { r.Body = jsontext.Append(r.Body, v) }

// scratch are the buffers in which lists grow. A list of unknown length in a new buffer
// leaves several times its size as garbage while it grows, which is half of the memory that
// a warm set needs; in a buffer that has grown before, it leaves none.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch is the size of the longest list of one division and gender, with its room to
// grow. Larger buffers are not kept.
const maxScratch = 8 << 20

// StartList prepares the Body for rows that are written before the list's head is
// known, in a buffer of at least size bytes.
func (r *Read) StartList(size int) {
	r.list = scratch.Get().(*[]byte)
	r.Body = slices.Grow((*r.list)[:0], size)
}

// grow makes room for a row: a full Body doubles. Go's append adds a quarter at a time, which
// costs a whole list five times its size in memory and four times in copies.
func (r *Read) grow() {
	if cap(r.Body)-len(r.Body) < rowRoom {
		r.Body = slices.Grow(r.Body, max(len(r.Body), rowRoom))
	}
}

// rowRoom is the length of a row that few rows exceed.
const rowRoom = 2 << 10

// EndList completes a list: the members of head come first, then the rows under
// name.
func (r *Read) EndList(head any, name string) {
	text := jsontext.Append(nil, head)
	rows := r.Body
	r.Body = slices.Concat(text[:len(text)-1], []byte(`,"`+name+`":[`), rows, []byte("]}"))
	if cap(rows) <= maxScratch {
		*r.list = rows
		scratch.Put(r.list)
	}
}

// Keep copies a row's values, so that they outlive the call.
func Keep(values []driver.Value) []driver.Value {
	kept := make([]driver.Value, len(values))
	for i, v := range values {
		if b, ok := v.([]byte); ok {
			v = bytes.Clone(b)
		}
		kept[i] = v
	}
	return kept
}
