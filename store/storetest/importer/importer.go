// Package importer writes calculations into a database of the API's tables as the
// calculation job does: the rows of a scope first, its metadata last. Every row names its
// calculation, so that a test can detect an answer that mixes two calculations.
package importer

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// Base is the calculated_at of version 0, later than any in the sample data.
var Base = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// At is the calculated_at of a version: that many seconds after Base.
func At(version int) time.Time { return Base.Add(time.Duration(version) * time.Second) }

// Name is the conference and the algorithm_version of a version's rows.
func Name(version int) string { return fmt.Sprintf("v%d", version) }

// Scope is the part of the data that a single calculation covers.
type Scope struct {
	Season, Division int
	Gender           string
	Checkpoint       string // the date of a snapshot; empty for live
}

// Options change the statements and the transaction of Import. The zero value writes all
// in one transaction, the metadata last.
type Options struct {
	// Groups is the number of statements that write the rows of each table; zero means
	// one.
	Groups int
	// Loose imports without a transaction: each statement is visible immediately.
	Loose bool
	// MetadataFirst writes the metadata before the rows.
	MetadataFirst bool
	// Before is called before each statement, and before the commit, on the
	// connection that writes. Step counts from 0; the commit is the last of
	// steps. An error ends the import there, and rolls a transaction back. May
	// be nil.
	Before func(conn *sql.Conn, step, steps int) error
}

// table holds the SQL to find and to mark the rows of a scope.
type table struct {
	name, key string
	division  string // the column
	live      bool   // holds live rows only
	set       string // the columns that hold the version
}

// The tables, in the order in which Import writes them.
var (
	rows = []table{
		{name: "iz_rankings_xcri_athlete_rankings", key: "ranking_id", division: "division_code",
			set: "calculated_at = :at, algorithm_version = :name, conf_group_name = :name, xcri_score = :version"},
		{name: "iz_rankings_xcri_team_rankings", key: "ranking_id", division: "division_code",
			set: "calculated_at = :at, algorithm_version = :name, conf_group_name = :name, team_xcri_score = :version"},
		{name: "iz_rankings_xcri_scs_components", key: "component_id", division: "division_code", live: true,
			set: "updated_at = :at, xcri_score = :version"},
		{name: "iz_rankings_xcri_team_knockout", key: "id", division: "rank_group_type = 'D' AND rank_group_fk",
			set: "calculation_date = :at, conf_group_name = :name, team_five_xcri_pts = :version"},
		{name: "iz_rankings_xcri_team_knockout_matchups", key: "matchup_id", division: "rank_group_type = 'D' AND rank_group_fk",
			set: "calculation_date = :at"},
	}
	metadata = table{name: "iz_rankings_xcri_calculation_metadata", key: "metadata_id", division: "division_code",
		set: "calculated_at = :at, algorithm_version = :name"}
)

// Import writes a calculation of a scope in place of the present calculation.
func Import(ctx context.Context, db *sql.DB, scope Scope, version int, opts Options) error {
	return write(ctx, db, Statements(scope, version, opts), opts)
}

// Statements returns the statements of Import, each of which writes one table: of
// opts only Groups and MetadataFirst matter.
func Statements(scope Scope, version int, opts Options) (statements []string) {
	for _, t := range rows {
		for group := range max(1, opts.Groups) {
			if where := t.where(scope); where != "" {
				statements = append(statements, t.update(version)+
					fmt.Sprintf(" WHERE %s AND %s %% %d = %d", where, t.key, max(1, opts.Groups), group))
			}
		}
	}
	last := metadata.update(version) + " WHERE " + metadata.where(scope)
	if opts.MetadataFirst {
		return append([]string{last}, statements...)
	}
	return append(statements, last)
}

// where is the condition for a scope's rows; empty if the table holds none.
func (t table) where(s Scope) string {
	where := fmt.Sprintf("season_year = %d AND %s = %d AND gender_code = '%s'", s.Season, t.division, s.Division, s.Gender)
	switch {
	case t.live && s.Checkpoint != "":
		return ""
	case t.live:
		return where
	case s.Checkpoint != "":
		return where + " AND checkpoint_date = '" + s.Checkpoint + "'"
	}
	return where + " AND checkpoint_date IS NULL"
}

func (t table) update(version int) string {
	return "UPDATE " + t.name + " SET " + expand(t.set, version)
}

func expand(text string, version int) string {
	return strings.NewReplacer(":at", At(version).Format("'2006-01-02 15:04:05'"), ":name", "'"+Name(version)+"'",
		":version", fmt.Sprint(version)).Replace(text)
}

// Snapshot writes a snapshot of a season: copies of its live rows with a date,
// the metadata last, in one transaction.
func Snapshot(ctx context.Context, db *sql.DB, season int, date string, version int) error {
	var statements []string
	for _, t := range append(rows[:len(rows):len(rows)], metadata) {
		if t.live {
			continue
		}
		columns, err := columnsOf(ctx, db, t)
		if err != nil {
			return err
		}
		names := strings.Join(columns, ", ")
		for i, c := range columns {
			if c == "checkpoint_date" {
				columns[i] = "'" + date + "'"
			}
		}
		statements = append(statements,
			fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %[1]s WHERE season_year = %[4]d AND checkpoint_date IS NULL",
				t.name, names, strings.Join(columns, ", "), season),
			fmt.Sprintf("%s WHERE season_year = %d AND checkpoint_date = '%s'", t.update(version), season, date))
	}
	return write(ctx, db, statements, Options{})
}

// columnsOf returns the names of a table's columns but for its key.
func columnsOf(ctx context.Context, db *sql.DB, t table) (names []string, err error) {
	found, err := db.QueryContext(ctx, "SELECT column_name FROM information_schema.columns"+
		" WHERE table_schema = DATABASE() AND table_name = ? AND column_name <> ? ORDER BY ordinal_position", t.name, t.key)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var name string
		if err := found.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, found.Err()
}

// write runs the statements on one connection.
func write(ctx context.Context, db *sql.DB, statements []string, opts Options) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if opts.Before == nil {
		opts.Before = func(*sql.Conn, int, int) error { return nil }
	}
	exec := conn.ExecContext
	commit := func() error { return nil }
	if !opts.Loose {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // no effect after Commit
		exec, commit = tx.ExecContext, tx.Commit
	}
	for i, s := range statements {
		if err := opts.Before(conn, i, len(statements)); err != nil {
			return err
		}
		if _, err := exec(ctx, s); err != nil {
			return fmt.Errorf("%.60s: %w", s, err)
		}
	}
	if err := opts.Before(conn, len(statements), len(statements)); err != nil {
		return err
	}
	return commit()
}
