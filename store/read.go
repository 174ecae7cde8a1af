package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
)

// reader runs the SELECTs of one consistent read.
type reader struct {
	ctx  context.Context
	conn *sql.Conn
}

// Rows calls row for each row of the result. The values are the driver's own,
// valid during the call: database/sql would convert each by reflection.
func (r *reader) Rows(query string, args []any, row func([]driver.Value) error) error {
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return r.conn.Raw(func(conn any) error {
		rows, err := conn.(driver.QueryerContext).QueryContext(r.ctx, query, named)
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
