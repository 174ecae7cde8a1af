package readapi

import "strings"

// lateJoin is a selection before its LEFT JOIN of a table t. The join may repeat
// a row of r but loses none, so a page or a count need not join every row that
// matches. A nil lateJoin is never of use.
type lateJoin struct {
	from  string // the selection's FROM up to the join
	order string // the selection's order without the columns of t
	by    string // the columns of r that the join compares
	text  string // the join
}

// shallow is how far down a list a page may end to be cut out before the join.
// For more rows the copy that it is cut from costs what the join saves.
const shallow = 1000

// can reports whether the join may come after these conditions: none is on t.
func (j *lateJoin) can(where string) bool {
	return j != nil && !strings.Contains(where, "t.")
}

// paged returns what follows FROM for a page, and the values to bind. The first
// n rows of the join come from the first n rows of r, which are in its order and
// each at least one of its rows.
func (s *selection) paged(q Query, limit, offset int64) (string, []any) {
	where, args := s.where(q)
	from := s.from + where
	if end := offset + limit; end <= shallow && s.late.can(where) {
		from = "(SELECT r.* FROM " + s.late.from + where + " ORDER BY " + s.late.order + " LIMIT ?) r" + s.late.text
		args = append(args, end)
	}
	return from + " ORDER BY " + s.order + " LIMIT ? OFFSET ?", append(args, limit, offset)
}

// counted returns the SELECT of how many rows match, and the values to bind.
// Rows of r that the join can't tell apart are joined once for all of them.
func (s *selection) counted(q Query) (string, []any) {
	where, args := s.where(q)
	if !s.late.can(where) {
		return "SELECT COUNT(*) FROM " + s.from + where, args
	}
	return "SELECT SUM(r.n) FROM (SELECT " + s.late.by + ", COUNT(*) AS n FROM " + s.late.from + where +
		" GROUP BY " + s.late.by + ") r" + s.late.text, args
}
