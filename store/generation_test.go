package store

import (
	"context"
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// rowsOf is a database that answers each statement by a function.
type rowsOf func(statement string) ([]driver.Value, error)

func (f rowsOf) Rows(statement string, _ []any, row func([]driver.Value) error) error {
	values, err := f(statement)
	if err != nil || values == nil {
		return err
	}
	return row(values)
}

// TestStampsMayBeRefused: a server that refuses to show the stamps of its tables still has
// generations, without stamps. Any other failure is the failure of the generation.
func TestStampsMayBeRefused(t *testing.T) {
	number := func(n uint16) error { return &mysql.MySQLError{Number: n} }
	for name, tt := range map[string]struct {
		stamps, calculations error
		want                 error
		stamped              bool
	}{
		"both":               {nil, nil, nil, true},
		"no right":           {number(1142), nil, nil, false},
		"no such function":   {number(1305), nil, nil, false},
		"connection lost":    {number(2013), nil, number(2013), false},
		"server stops":       {number(1053), nil, number(1053), false},
		"out of time":        {context.DeadlineExceeded, nil, context.DeadlineExceeded, false},
		"no calculations":    {nil, number(1146), number(1146), false},
		"neither of the two": {number(1142), number(1142), number(1142), false},
	} {
		g, err := readGeneration(rowsOf(func(statement string) ([]driver.Value, error) {
			if strings.Contains(statement, "information_schema") {
				return []driver.Value{"t", "1", "2", int64(0), int64(0)}, tt.stamps
			}
			return nil, tt.calculations
		}))
		if (err == nil) != (tt.want == nil) || err != nil && err.Error() != tt.want.Error() || (g == nil) != (err != nil) {
			t.Errorf("%s: %v, %v", name, g, err)
		}
		if g != nil && (g.Stamps() != nil) != tt.stamped {
			t.Errorf("%s: stamps %v", name, g.Stamps())
		}
	}
}
