package scope

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/param"
)

// Database runs SELECTs that all see one state of the data.
type Database interface {
	// Rows calls row for each row of the result. The values are valid during
	// the call.
	Rows(query string, args []any, row func([]driver.Value) error) error
}

// MetadataTable has a row for each calculation.
const MetadataTable = "iz_rankings_xcri_calculation_metadata"

// fingerprint summarizes calculations. It is additive across scopes: the server
// computes the fingerprint of the whole table and of one scope alike.
type fingerprint struct {
	count, newest int64
	latest        string // calculated_at
	times, rows   int64  // sums over calculated_at and the numbers of rows
	largest       int64  // rows of the calculation that wrote most
}

// fingerprintColumns are the expressions of a fingerprint. None depends on the
// time zone of the server: UNIX_TIMESTAMP would.
const fingerprintColumns = "COUNT(*), MAX(metadata_id), MAX(calculated_at), SUM(TIMESTAMPDIFF(SECOND, '1970-01-01', calculated_at))," +
	" SUM(COALESCE(total_athletes, 0) + COALESCE(total_teams, 0) + COALESCE(total_performances, 0))," +
	" MAX(COALESCE(total_athletes, 0) + COALESCE(total_teams, 0))"

func newFingerprint(row []driver.Value) fingerprint {
	return fingerprint{jsontext.AsInt(row[0]), jsontext.AsInt(row[1]), jsontext.AsText(row[2]), jsontext.AsInt(row[3]), jsontext.AsInt(row[4]), jsontext.AsInt(row[5])}
}

func (f fingerprint) plus(o fingerprint) fingerprint {
	return fingerprint{f.count + o.count, max(f.newest, o.newest), max(f.latest, o.latest), f.times + o.times, f.rows + o.rows, max(f.largest, o.largest)}
}

// String returns the text that identifies the state of a scope.
func (f fingerprint) String() string {
	return fmt.Sprintf("%d-%d-%s-%d-%d", f.count, f.newest, strings.ReplaceAll(f.latest, " ", "T"), f.times, f.rows)
}

// Generation is the state of all calculations at one moment, by the metadata
// table. It is immutable.
type Generation struct {
	scopes []Scope // each with all fields
	prints []fingerprint
	stamps map[string]Stamp // by table
}

// Of returns the text that identifies the state of a scope. It changes with every
// import into the scope, and with no other import.
func (g *Generation) Of(s Scope) string {
	var sum fingerprint
	for i := range g.scopes {
		if s.Covers(g.scopes[i]) {
			sum = sum.plus(g.prints[i])
		}
	}
	return sum.String()
}

// ID returns the text that identifies the state of all calculations.
func (g *Generation) ID() string { return g.Of(Scope{}) }

// Calculated returns the time of the newest calculation as ISO 8601, or an empty
// text if there is none.
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

// newest returns the wanted scopes with the greatest value of by.
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

// Read reads the state of all calculations: one query on the small metadata
// table.
func Read(db Database) (*Generation, error) {
	g := &Generation{}
	err := db.Rows("SELECT season_year, division_code, gender_code, checkpoint_date, "+fingerprintColumns+
		" FROM "+MetadataTable+" GROUP BY season_year, division_code, gender_code, checkpoint_date"+
		" ORDER BY season_year, division_code, gender_code, checkpoint_date", nil, func(row []driver.Value) error {
		scope := Scope{Season: jsontext.AsText(row[0]), Division: jsontext.AsText(row[1]), Gender: jsontext.AsText(row[2]), Checkpoint: jsontext.AsText(row[3])}
		if row[3] == nil {
			scope.Checkpoint = Live
		}
		g.scopes = append(g.scopes, scope)
		g.prints = append(g.prints, newFingerprint(row[4:]))
		return nil
	})
	return g, err
}

// State reads the text that identifies the state of a scope, as Generation.Of returns
// it. It must be the first read of a transaction: then all following reads belong to
// exactly this generation.
func State(db Database, s Scope) (generation string, err error) {
	var parts []string
	var args []any
	add := func(condition string, value any) { parts, args = append(parts, condition), append(args, value) }
	if s.Season != "" {
		add("season_year = ?", param.ClampInt(s.Season))
	}
	if s.Division != "" {
		add("division_code = ?", param.ClampInt(s.Division))
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
	case param.NoDate:
		parts = append(parts, "1 = 0")
	default:
		add("checkpoint_date = ?", s.Checkpoint)
	}
	text := "SELECT " + fingerprintColumns + " FROM " + MetadataTable
	if len(parts) > 0 {
		text += " WHERE " + strings.Join(parts, " AND ")
	}
	err = db.Rows(text, args, func(row []driver.Value) error {
		generation = newFingerprint(row).String()
		return nil
	})
	return generation, err
}

// Scopes returns the scopes that have calculations, each with all fields. The
// slice must not be changed.
func (g *Generation) Scopes() []Scope { return g.scopes }
