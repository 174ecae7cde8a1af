package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
)

// Scope tells which calculations an answer depends on: those that agree with
// it in every field that it names. The zero Scope is all of them.
type Scope struct {
	Season     string // a year; empty for any
	Division   string // a division code; empty for any
	Gender     string // M or F; empty for any
	Checkpoint string // a date, or Live; empty for any
}

const (
	// Live is the Checkpoint of the rankings that change.
	Live = "live"
	// Dated is that of all snapshots.
	Dated = "dated"
)

// String writes a scope as season/division/gender/checkpoint, with a star for
// any.
func (s Scope) String() string {
	parts := []string{s.Season, s.Division, s.Gender, s.Checkpoint}
	for i, p := range parts {
		if p == "" {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

// ParseScope reads what String writes.
func ParseScope(text string) (Scope, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 4 {
		return Scope{}, fmt.Errorf("scope %q: want season/division/gender/checkpoint, with * for any", text)
	}
	for i, p := range parts {
		if p == "*" {
			parts[i] = ""
		}
	}
	return Scope{parts[0], parts[1], parts[2], parts[3]}, nil
}

// Covers reports whether every calculation of other is one of s.
func (s Scope) Covers(other Scope) bool {
	covers := func(a, b string) bool { return a == "" || a == b }
	return covers(s.Season, other.Season) && covers(s.Division, other.Division) && covers(s.Gender, other.Gender) &&
		(covers(s.Checkpoint, other.Checkpoint) || s.Checkpoint == Dated && isDated(other.Checkpoint))
}

func isDated(checkpoint string) bool { return checkpoint != "" && checkpoint != Live }

// Overlaps reports whether some calculation may belong to both scopes: whether
// an import into one concerns an answer of the other.
func (s Scope) Overlaps(other Scope) bool {
	overlaps := func(a, b string) bool { return a == "" || b == "" || a == b }
	return overlaps(s.Season, other.Season) && overlaps(s.Division, other.Division) && overlaps(s.Gender, other.Gender) &&
		(overlaps(s.Checkpoint, other.Checkpoint) || s.Checkpoint == Dated && isDated(other.Checkpoint) ||
			other.Checkpoint == Dated && isDated(s.Checkpoint))
}

// Scope returns the calculations that the answer to q depends on.
func (q Query) Scope() Scope {
	var s Scope
	switch q.span {
	case spanAll:
		return s
	case spanDated:
		return Scope{Checkpoint: Dated}
	}
	for i := range q.Params {
		p, arg := &q.Params[i], q.Args[i]
		switch {
		case p.Name == season("").Name:
			s.Season = arg.Text
		case p.Name == division.Name && arg.Given:
			s.Division = arg.Text
		case p.Name == group.Name && arg.Given && q.Arg(groupType.Name).Text == "D":
			s.Division = arg.Text
		case p.Name == gender.Name || p.Name == genderCode.Name:
			if g := strings.ToUpper(arg.Text); g == "M" || g == "F" {
				s.Gender = g
			}
		case p.Kind == Date && arg.Given:
			s.Checkpoint = string(appendDate(nil, []byte(arg.Text)))
		case p.Kind == Date && p.Absent != "":
			s.Checkpoint = Live
		}
	}
	return s
}

// fingerprint sums up calculations. That of several is the sum of theirs, so
// it can be had of the table at large and of one scope alike.
type fingerprint struct {
	count, newest int64
	latest        string // calculated_at
	times, rows   int64  // sums over calculated_at and the numbers of rows
}

const fingerprintColumns = "COUNT(*), MAX(metadata_id), MAX(calculated_at), SUM(UNIX_TIMESTAMP(calculated_at))," +
	" SUM(COALESCE(total_athletes, 0) + COALESCE(total_teams, 0) + COALESCE(total_performances, 0))"

func newFingerprint(row []driver.Value) fingerprint {
	return fingerprint{asInt(row[0]), asInt(row[1]), asText(row[2]), asInt(row[3]), asInt(row[4])}
}

func (f fingerprint) plus(o fingerprint) fingerprint {
	return fingerprint{f.count + o.count, max(f.newest, o.newest), max(f.latest, o.latest), f.times + o.times, f.rows + o.rows}
}

// String is the text by which two states of a scope are told apart.
func (f fingerprint) String() string {
	return fmt.Sprintf("%d-%d-%s-%d-%d", f.count, f.newest, strings.ReplaceAll(f.latest, " ", "T"), f.times, f.rows)
}

// Generation is what the metadata table says of all calculations at one moment.
// It is immutable.
type Generation struct {
	scopes []Scope // each with all fields
	prints []fingerprint
}

// Of returns the text that names the state of a scope: another one after every
// import into it, and after none elsewhere.
func (g *Generation) Of(s Scope) string {
	var sum fingerprint
	for i := range g.scopes {
		if s.Covers(g.scopes[i]) {
			sum = sum.plus(g.prints[i])
		}
	}
	return sum.String()
}

// ID names the state of everything.
func (g *Generation) ID() string { return g.Of(Scope{}) }

// Calculated returns when the newest calculation was made, as ISO 8601; empty
// if there is none.
func (g *Generation) Calculated() string {
	var sum fingerprint
	for _, f := range g.prints {
		sum = sum.plus(f)
	}
	return strings.ReplaceAll(sum.latest, " ", "T")
}

// Live returns the live scopes of the newest season that has any, in order.
func (g *Generation) Live() []Scope {
	return g.newest(func(s Scope) bool { return s.Checkpoint == Live }, func(s Scope) string { return s.Season })
}

// Snapshot returns the scopes of the newest snapshot, in order.
func (g *Generation) Snapshot() []Scope {
	return g.newest(func(s Scope) bool { return s.Checkpoint != Live }, func(s Scope) string { return s.Checkpoint })
}

// Has reports whether there is a snapshot of that date.
func (g *Generation) Has(date string) bool {
	return slices.ContainsFunc(g.scopes, func(s Scope) bool { return s.Checkpoint == date })
}

// newest returns the scopes that by takes for the newest among those wanted.
func (g *Generation) newest(wanted func(Scope) bool, by func(Scope) string) (scopes []Scope) {
	for _, s := range g.scopes {
		if !wanted(s) || len(scopes) > 0 && by(s) < by(scopes[0]) {
			continue
		}
		if len(scopes) > 0 && by(s) > by(scopes[0]) {
			scopes = scopes[:0]
		}
		scopes = append(scopes, s)
	}
	return scopes
}

// Generation reads the state of all calculations: one query on the small
// metadata table.
func (s *Store) Generation(ctx context.Context) (*Generation, error) {
	g, err := s.readGeneration(ctx)
	if isLost(err) && ctx.Err() == nil {
		g, err = s.readGeneration(ctx) // the connection was an old one
	}
	return g, classify("read the generation", err)
}

func (s *Store) readGeneration(ctx context.Context) (*Generation, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT season_year, division_code, gender_code, checkpoint_date, "+fingerprintColumns+
		" FROM "+metadataTable+" GROUP BY season_year, division_code, gender_code, checkpoint_date"+
		" ORDER BY season_year, division_code, gender_code, checkpoint_date")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	g := &Generation{}
	for rows.Next() {
		var row [9]any
		var into [9]any
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into[:]...); err != nil {
			return nil, err
		}
		scope := Scope{asText(row[0]), asText(row[1]), asText(row[2]), asText(row[3])}
		if row[3] == nil {
			scope.Checkpoint = Live
		}
		values := make([]driver.Value, 5)
		for i := range values {
			values[i] = row[4+i]
		}
		g.scopes = append(g.scopes, scope)
		g.prints = append(g.prints, newFingerprint(values))
	}
	return g, rows.Err()
}

// generation reads the state of the query's scope. It is the first read of a
// transaction, so all that follows is of this generation and no other.
func (r *read) generation() (generation string, err error) {
	s := r.Scope()
	var parts []string
	var args []any
	add := func(condition string, value any) { parts, args = append(parts, condition), append(args, value) }
	if s.Season != "" {
		add("season_year = ?", clampInt(s.Season))
	}
	if s.Division != "" {
		add("division_code = ?", clampInt(s.Division))
	}
	if s.Gender != "" {
		add("gender_code = ?", s.Gender)
	}
	switch s.Checkpoint {
	case "":
	case Live:
		parts = append(parts, "checkpoint_date IS NULL")
	case Dated:
		parts = append(parts, "checkpoint_date IS NOT NULL")
	case noDate:
		parts = append(parts, "1 = 0")
	default:
		add("checkpoint_date = ?", s.Checkpoint)
	}
	text := "SELECT " + fingerprintColumns + " FROM " + metadataTable
	if len(parts) > 0 {
		text += " WHERE " + strings.Join(parts, " AND ")
	}
	err = r.query(text, args, func(row []driver.Value) error {
		generation = newFingerprint(row).String()
		return nil
	})
	return generation, err
}
