package query

import "strings"

// LateJoin is a selection before its LEFT JOIN of a table t. The join may repeat
// a row of r but loses none, so a page or a count need not join every row that
// matches. A nil lateJoin is never of use.
type LateJoin struct {
	From  string // the selection's FROM up to the join
	Order string // the selection's order without the columns of t
	By    string // the columns of r that the join compares
	Text  string // the join
}

// Shallow is the deepest row for which cutting the page out before the join pays.
// For more rows the copy that the page is cut from costs as much as the join
// saves.
const Shallow = 1000

// can reports whether the join may come after these conditions: none is on t.
func (j *LateJoin) can(where string) bool {
	return j != nil && !strings.Contains(where, "t.")
}

// paged returns what follows FROM for a page, and the values to bind. The first
// n rows of the join come from the first n rows of r, which are in its order and
// each at least one of its rows.
func (s *Selection) paged(q Query, limit, offset int64) (string, []any) {
	where, args := s.where(q)
	from := s.From + where
	if end := offset + limit; end <= Shallow && s.Late.can(where) {
		from = "(SELECT r.* FROM " + s.Late.From + where + " ORDER BY " + s.Late.Order + " LIMIT ?) r" + s.Late.Text
		args = append(args, end)
	}
	return from + " ORDER BY " + s.Order + " LIMIT ? OFFSET ?", append(args, limit, offset)
}

// counted returns the SELECT of how many rows match, and the values to bind.
// Rows of r that the join can't tell apart are joined once for all of them.
func (s *Selection) counted(q Query) (string, []any) {
	where, args := s.where(q)
	if !s.Late.can(where) {
		return "SELECT COUNT(*) FROM " + s.From + where, args
	}
	return "SELECT SUM(r.n) FROM (SELECT " + s.Late.By + ", COUNT(*) AS n FROM " + s.Late.From + where +
		" GROUP BY " + s.Late.By + ") r" + s.Late.Text, args
}
