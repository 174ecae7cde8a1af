package scope

import (
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
)

// rowsOf is a database that answers each statement with rows, or an error.
type rowsOf func(statement string) ([][]driver.Value, error)

func (f rowsOf) Rows(statement string, _ []any, row func([]driver.Value) error) error {
	rows, err := f(statement)
	for _, r := range rows {
		if err := row(r); err != nil {
			return err
		}
	}
	return err
}

// TestStampsOfRows: each part of a stamp comes from a column of its own.
func TestStampsOfRows(t *testing.T) {
	got, err := ReadStamps(rowsOf(func(string) ([][]driver.Value, error) {
		return [][]driver.Value{
			{"a", []byte("100"), []byte("200"), int64(0), int64(1)},
			{"b", []byte("100"), nil, int64(1), int64(0)},
		}, nil
	}), []string{"a", "b"})
	if a, b := (Stamp{"100", "200", false, true}), (Stamp{"100", "", true, false}); err != nil || len(got) != 2 || got["a"] != a || got["b"] != b {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestStampsFail: the failure of the statement is the failure of the stamps.
func TestStampsFail(t *testing.T) {
	fails := errors.New("fails")
	if got, err := ReadStamps(rowsOf(func(string) ([][]driver.Value, error) { return nil, fails }), []string{"a"}); err != fails {
		t.Errorf("%v, %v", got, err)
	}
}

// TestSumOfRows: the rows of a scope whose gender is written in two letter cases add up, and
// the failure of a statement is the failure of the sums.
func TestSumOfRows(t *testing.T) {
	fails := errors.New("fails")
	for _, failing := range []string{"", "information_schema", "COUNT(*)"} {
		got, err := Sum(rowsOf(func(statement string) ([][]driver.Value, error) {
			if failing != "" && strings.Contains(statement, failing) {
				return nil, fails
			}
			if strings.Contains(statement, "information_schema") {
				return [][]driver.Value{{"season_year"}, {"division_code"}, {"gender_code"}, {"checkpoint_date"}}, nil
			}
			return [][]driver.Value{
				{int64(2025), int64(2030), "M", nil, int64(3), "7", "8"},
				{int64(2025), int64(2030), "m", nil, int64(2), "5", "6"},
			}, nil
		}), "t")
		if failing != "" {
			if err != fails {
				t.Errorf("%s fails: %v, %v", failing, got, err)
			}
			continue
		}
		if rows := got[Scope{"2025", "2030", "M", Live}]; err != nil || len(got) != 1 || rows != (Rows{5, "7-8 5-6 "}) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}
