package query

import "strings"

// LateJoin is a selection before its LEFT JOIN of a table t. The join may repeat a row
// of r but drops none, so a page or a count need not join every matching row. A nil
// LateJoin is never used.
type LateJoin struct {
	From  string // the selection's FROM up to the join
	Order string // the selection's order without the columns of t
	By    string // the columns of r that the join compares
	Text  string // the join
	// Rows selects the rows of t for the conditions at Condition, which are on r as the main
	// table's are: the value that the join compares with the column Key of r, then the values of
	// the selection's columns of t, in their order. Same names the parameters whose conditions,
	// all together, compare all other columns of the join. A question that gives all of them
	// is joined in this program, if no two rows of t have the same key: the server then reads
	// the rows of r in the order of their index, and the rows of t once. If Rows is empty, the
	// server always joins.
	Rows string
	Key  string
	Same []string
}

// Shallow is the deepest row for which cutting the page before the join pays. For more
// rows, copying them costs as much as the join saves.
const Shallow = 1000

// Condition is the place of the conditions in LateJoin.Rows.
const Condition = "{condition}"

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
	}
	return from + " ORDER BY " + s.Order + " LIMIT ? OFFSET ?", append(args, limit, offset)
}

// counted returns the SELECT for the number of matching rows, and the values to bind.
// Rows of r with equal join columns are joined once for all of them. With partners, the join
// repeats no row.
func (s *Selection) counted(q Query, with partners) (string, []any) {
	where, args := s.where(q)
	switch {
	case with != nil:
		return "SELECT COUNT(*) FROM " + s.Late.From + where, args
	case !s.Late.can(where):
		return "SELECT COUNT(*) FROM " + s.From + where, args
	}
	return "SELECT SUM(r.n) FROM (SELECT " + s.Late.By + ", COUNT(*) AS n FROM " + s.Late.From + where +
		" GROUP BY " + s.Late.By + ") r" + s.Late.Text, args
}
