package query

import (
	"slices"
	"strings"

	"github.com/lewistv/xcri-proxy/store/param"
)

// LateJoin is a selection before its LEFT JOIN of a table t. The join may repeat a row
// of r but drops none, so a page or a count need not join every matching row. A nil
// LateJoin is never used.
type LateJoin struct {
	From  string // the selection's FROM up to the join
	Order string // the selection's order without the columns of t
	By    string // the columns of r that the join compares
	Text  string // the join
	// Apart is the join with a derived table that has the rows of t for the conditions at
	// Condition: the conditions of the parameters Same, which compare columns of r that the
	// join compares, too. The server then reads the rows of t once instead of once for each
	// row of r. Empty is never used.
	Apart string
	Same  []string
}

// Shallow is the deepest row for which cutting the page before the join pays. For more
// rows, copying them costs as much as the join saves.
const Shallow = 1000

// Condition is the place of the conditions in LateJoin.Apart.
const Condition = "{condition}"

// apart returns the join with a derived table for a question, and the values to bind before
// others; it returns false if the question has none of the parameters Same.
func (j *LateJoin) apart(q Query) (text string, args []any, ok bool) {
	if j.Apart == "" {
		return "", nil, false
	}
	condition, args := q.conditions(func(p *param.Param) bool { return slices.Contains(j.Same, p.Name) })
	return strings.Replace(j.Apart, Condition, condition, 1), args, condition != ""
}

// can reports whether the join may follow these conditions: no condition is on t.
func (j *LateJoin) can(where string) bool {
	return j != nil && !strings.Contains(where, "t.")
}

// paged returns the clauses after FROM for a page, and the values to bind. The first n
// rows of the join come from the first n rows of r, since they are in r's order and
// each row of r yields at least one row.
func (s *Selection) paged(q Query, limit, offset int64) (string, []any) {
	where, args := s.where(q)
	from := s.From + where
	if end := offset + limit; end <= Shallow && s.Late.can(where) {
		from = "(SELECT r.* FROM " + s.Late.From + where + " ORDER BY " + s.Late.Order + " LIMIT ?) r" + s.Late.Text
		args = append(args, end)
	} else if s.Late.can(where) {
		if join, more, ok := s.Late.apart(q); ok {
			from, args = s.Late.From+join+where, append(more, args...)
		}
	}
	return from + " ORDER BY " + s.Order + " LIMIT ? OFFSET ?", append(args, limit, offset)
}

// counted returns the SELECT for the number of matching rows, and the values to bind.
// Rows of r with equal join columns are joined once for all of them.
func (s *Selection) counted(q Query) (string, []any) {
	where, args := s.where(q)
	if !s.Late.can(where) {
		return "SELECT COUNT(*) FROM " + s.From + where, args
	}
	return "SELECT SUM(r.n) FROM (SELECT " + s.Late.By + ", COUNT(*) AS n FROM " + s.Late.From + where +
		" GROUP BY " + s.Late.By + ") r" + s.Late.Text, args
}
