package query

import (
	"database/sql/driver"
	"math"
	"slices"
	"strings"

	"github.com/lewistv/xcri-proxy/store/param"
)

// partners are the rows of the joined table, without the value that the join compares, by
// this value. Nil means that the server joins.
type partners map[int64][]driver.Value

// partners returns the rows of t for a question; without them the server has to join. It
// reads them unless an earlier read of the same state of the data has kept them.
func (s *Selection) partners(r *Read) (found joined, err error) {
	where, _ := s.where(r.Query)
	if !s.Late.can(where) || s.Late.Rows == "" || !r.givesAll(s.Late.Same) {
		return joined{}, nil
	}
	condition, args := r.conditions(func(p *param.Param) bool { return slices.Contains(s.Late.Same, p.Name) })
	text := strings.Replace(s.Late.Rows, Condition, condition, 1)
	key := keyOf("", "", text, args)
	if known, ok := r.State.Totals.joined(key); ok && known.generation == r.State.Generation {
		now, err := r.stamp()
		if err != nil || now.Quiet && now.Text == known.stamp {
			return known, err
		}
	}
	with, alone := partners{}, true
	err = r.Rows(text, args, func(row []driver.Value) error {
		of, ok := keyOfJoin(row[0])
		alone = alone && ok && with[of] == nil
		with[of] = Keep(row[1:])
		return nil
	})
	if !alone {
		with = nil
	}
	return joined{key: key, with: with, isNew: true}, err
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
