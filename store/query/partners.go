package query

import (
	"database/sql/driver"
	"math"
	"slices"
	"strings"

	"github.com/lewistv/xcri-proxy/store/param"
)

// partners are the rows of the joined table by the value that the join compares, without it.
// Nil means that the server joins.
type partners map[int64][]driver.Value

// partners reads the rows of t for a question, or returns nil if the server has to join.
func (s *Selection) partners(r *Read) (partners, error) {
	where, _ := s.where(r.Query)
	if !s.Late.can(where) || s.Late.Rows == "" || !r.givesAll(s.Late.Same) {
		return nil, nil
	}
	condition, args := r.conditions(func(p *param.Param) bool { return slices.Contains(s.Late.Same, p.Name) })
	found, alone := partners{}, true
	err := r.Rows(strings.Replace(s.Late.Rows, Condition, condition, 1), args, func(row []driver.Value) error {
		key, ok := keyOfJoin(row[0])
		alone = alone && ok && found[key] == nil
		found[key] = Keep(row[1:])
		return nil
	})
	if err != nil || !alone {
		return nil, err
	}
	return found, nil
}

// keyOfJoin reads an integer that a join compares; false for NULL, which equals no value.
func keyOfJoin(v driver.Value) (key int64, ok bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case uint64: // BIGINT UNSIGNED, which a production column may be
		return int64(v), v <= math.MaxInt64
	}
	return 0, false
}

// givesAll reports whether each of some parameters adds a condition.
func (q Query) givesAll(names []string) bool {
	adds := 0
	for i := range q.Params {
		p, given := &q.Params[i], q.Args[i].Given
		if slices.Contains(names, p.Name) && (given && p.Where != "" || !given && p.Absent != "") {
			adds++
		}
	}
	return adds == len(names)
}

// ordered returns the clauses after FROM for a page of r alone, and the values to bind.
func (s *Selection) ordered(q Query, limit, offset int64) (string, []any) {
	where, args := s.where(q)
	return s.Late.From + where + " ORDER BY " + s.Late.Order + " LIMIT ? OFFSET ?", append(args, limit, offset)
}

// join sets the columns of t in a row of r.
func (with partners) join(s *Selection, row []driver.Value) {
	if key, ok := keyOfJoin(row[s.key]); ok {
		for i, v := range with[key] {
			row[s.joined[i]] = v
		}
	}
}
