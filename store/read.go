package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"strconv"
)

// read is one consistent read of the database on behalf of a Query.
type read struct {
	Query
	ctx  context.Context
	conn *sql.Conn
	body []byte // the answer so far
}

// refusedError carries out of a read an answer other than 200.
type refusedError struct{ answer Answer }

func (e *refusedError) Error() string { return string(e.answer.Body) }

// missing is the 404 of the read's endpoint.
func (r *read) missing() error {
	return &refusedError{*refusal(404, "%s", r.expand(r.notFound))}
}

// query calls row for each row of the result. The values are the driver's own,
// valid during the call: database/sql would convert each by reflection.
func (r *read) query(text string, args []any, row func([]driver.Value) error) error {
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return r.conn.Raw(func(conn any) error {
		rows, err := conn.(driver.QueryerContext).QueryContext(r.ctx, text, named)
		if err != nil {
			return err
		}
		defer rows.Close()
		values := make([]driver.Value, len(rows.Columns()))
		for {
			switch err := rows.Next(values); {
			case err == io.EOF:
				return nil
			case err != nil:
				return err
			}
			if err := row(values); err != nil {
				return err
			}
		}
	})
}

// one calls row for the first row of the result, if there is one.
func (r *read) one(text string, args []any, row func([]driver.Value) error) (found bool, err error) {
	err = r.query(text, args, func(values []driver.Value) error {
		if found {
			return nil
		}
		found = true
		return row(values)
	})
	return found, err
}

// count returns the number that the query yields.
func (r *read) count(text string, args []any) (n int64, err error) {
	err = r.query(text, args, func(row []driver.Value) error {
		n = asInt(row[0])
		return nil
	})
	return n, err
}

// print appends the parts of a JSON text: strings as they are, numbers in
// decimal.
func (r *read) print(parts ...any) {
	for _, p := range parts {
		r.body = fmt.Append(r.body, p)
	}
}

// asInt reads a number that a server delivers as an integer or as text.
func asInt(v driver.Value) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case nil:
		return 0
	}
	f, _ := strconv.ParseFloat(asText(v), 64)
	return int64(f)
}

// asText reads a value as text; NULL is empty.
func asText(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}
