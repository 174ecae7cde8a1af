package readapi

import (
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/lewistv/xcri-proxy/store/jsontext"
)

// Database runs SELECTs that all see one state of the data.
type Database interface {
	// Rows calls row for each row of the result. The values are valid during
	// the call.
	Rows(query string, args []any, row func([]driver.Value) error) error
}

// Read is a question while it is answered.
type Read struct {
	Query
	Database
	Body []byte // the answer so far
}

// refusedError carries an answer other than 200 out of a read.
type refusedError struct{ answer Answer }

func (e *refusedError) Error() string { return string(e.answer.Body) }

// Run answers q from db.
func (q Query) Run(db Database) (Answer, error) {
	if a := q.Refused(); a != nil {
		return *a, nil
	}
	r := &Read{Query: q, Database: db}
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

// missing is the 404 of the read's endpoint.
func (r *Read) missing() error {
	return &refusedError{*refusal(404, "%s", r.expand(r.NotFound))}
}

// one calls row for the first row of the result, if there is one.
func (r *Read) one(text string, args []any, row func([]driver.Value) error) (found bool, err error) {
	err = r.Rows(text, args, func(values []driver.Value) error {
		if found {
			return nil
		}
		found = true
		return row(values)
	})
	return found, err
}

// count returns the number that the query yields.
func (r *Read) count(text string, args []any) (n int64, err error) {
	err = r.Rows(text, args, func(row []driver.Value) error {
		n = jsontext.AsInt(row[0])
		return nil
	})
	return n, err
}

// print appends the parts of a JSON text: strings as they are, numbers in
// decimal.
func (r *Read) print(parts ...any) {
	for _, p := range parts {
		r.Body = fmt.Append(r.Body, p)
	}
}
