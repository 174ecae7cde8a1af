// Package scratch gives tests databases of their own on one MariaDB server, and
// the questions to ask them.
package scratch

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// server is started by the first test that needs it.
var server struct {
	once sync.Once
	*mariadb.Server
	err error
}

// Main runs the tests of a package, and stops the server after them.
func Main(m *testing.M) int {
	defer func() {
		if server.Server != nil {
			server.Close()
		}
	}()
	return m.Run()
}

// Server returns the server that the tests of a package share. A test that
// stops its server starts another.
func Server(t testing.TB) *mariadb.Server {
	t.Helper()
	server.once.Do(func() { server.Server, server.err = mariadb.Start(mariadb.Options{}) })
	if server.err != nil {
		t.Fatal(server.err)
	}
	return server.Server
}

// Root returns connections to the shared server with all privileges.
func Root(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := Server(t).Root(database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Execute runs one statement.
func Execute(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatalf("%.200s: %v", statement, err)
	}
}

var number atomic.Int64

// Number returns a number that no other call within this process returns, for
// the names of databases and accounts.
func Number() int64 { return number.Add(1) }

// Empty makes a database without tables that mariadb.Reader may read.
func Empty(t testing.TB) (name string, db *sql.DB) {
	t.Helper()
	name = fmt.Sprintf("scratch%d", Number())
	all := Root(t, "")
	Execute(t, all, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
	t.Cleanup(func() {
		Execute(t, all, "REVOKE SELECT ON "+name+".* FROM "+mariadb.Reader+"@'%'")
		Execute(t, all, "DROP DATABASE "+name)
	})
	Execute(t, all, "GRANT SELECT ON "+name+".* TO "+mariadb.Reader+"@'%'")
	return name, Root(t, name)
}

// Tables makes a database with the API's tables and no rows.
func Tables(t testing.TB) (name string, db *sql.DB) {
	t.Helper()
	name, db = Empty(t)
	statements, err := storetest.Schema()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		Execute(t, db, s)
	}
	return name, db
}

// Sample makes a database with the sample data.
func Sample(t testing.TB) (name string, db *sql.DB) {
	t.Helper()
	name, db = Empty(t)
	if err := storetest.Load(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return name, db
}

// Insert adds a row to a table. Columns that values does not name have the
// values of a live light/division row of season 1990, or the schema's defaults.
func Insert(t testing.TB, db *sql.DB, table string, values map[string]any) {
	t.Helper()
	standard := map[string]map[string]any{
		readapi.AthleteTable: {"season_year": 1990, "division_code": 2030, "gender_code": "M", "algorithm_type": "light",
			"scoring_group": "division", "anet_athlete_hnd": 1, "anet_team_hnd": 1, "athlete_rank": 1, "calculated_at": "1990-01-01"},
		readapi.TeamTable: {"season_year": 1990, "division_code": 2030, "gender_code": "M", "algorithm_type": "light",
			"scoring_group": "division", "anet_team_hnd": 1, "team_rank": 1, "calculated_at": "1990-01-01"},
		readapi.MetadataTable: {"season_year": 1990, "division_code": 2030, "gender_code": "M", "algorithm_type": "light",
			"scoring_group": "division", "calculated_at": "1990-01-01"},
		readapi.ComponentTable: {"ranking_id": 1, "season_year": 1990, "division_code": 2030, "gender_code": "M",
			"anet_athlete_hnd": 1, "created_at": "1990-01-01", "updated_at": "1990-01-01"},
		readapi.KnockoutTable: {"team_id": 1, "team_name": "T", "rank_group_type": "D", "rank_group_fk": 2030, "gender_code": "M",
			"knockout_rank": 1, "season_year": 1990, "calculation_date": "1990-01-01"},
		readapi.MatchupTable: {"race_hnd": 1, "race_date": "1990-01-01", "meet_name": "M", "team_a_id": 1, "team_a_rank": 1,
			"team_a_score": 1, "team_b_id": 2, "team_b_rank": 2, "team_b_score": 2, "winner_team_id": 1, "season_year": 1990,
			"rank_group_type": "D", "rank_group_fk": 2030, "gender_code": "M", "calculation_date": "1990-01-01"},
		readapi.SchoolTable: {"IDSchool": 1, "UstfcccaId": 1},
		readapi.ResumeTable: {"season_year": 1990, "group_fk": 1, "gender_fk": 1, "sport_fk": 3, "season_html": ""},
	}
	row := standard[table]
	for name, v := range values {
		row[name] = v
	}
	var names []string
	var args []any
	for name, v := range row {
		names, args = append(names, name), append(args, v)
	}
	Execute(t, db, "INSERT INTO "+table+" ("+strings.Join(names, ",")+") VALUES (?"+strings.Repeat(",?", len(args)-1)+")", args...)
}

// Texts are the texts of a question's parameters by name.
type Texts = map[string]string

// Endpoint returns the endpoint of a path.
func Endpoint(t testing.TB, path string) *readapi.Endpoint {
	t.Helper()
	for _, e := range readapi.Endpoints() {
		if e.Path == path {
			return e
		}
	}
	t.Fatalf("no endpoint %s", path)
	return nil
}

// Question returns the Query of the given texts, and the first problem with
// them.
func Question(e *readapi.Endpoint, given Texts) (readapi.Query, param.Problem) {
	q := readapi.Query{Endpoint: e, Args: make([]readapi.Arg, len(e.Params))}
	for i := range e.Params {
		p := &e.Params[i]
		raw, ok := given[p.Name]
		switch {
		case ok:
			text, isGiven, problem := p.Canonical(nil, []byte(raw))
			if problem != param.OK {
				return q, problem
			}
			q.Args[i] = readapi.Arg{Given: isGiven, Text: string(text)}
		case p.Required:
			return q, param.Missing
		case p.Default != "":
			q.Args[i] = readapi.Arg{Given: true, Text: p.Default}
		}
	}
	return q, param.OK
}

// Query returns a question with the defaults of the parameters not named.
func Query(t testing.TB, path string, given Texts) readapi.Query {
	t.Helper()
	q, problem := Question(Endpoint(t, path), given)
	if problem != param.OK {
		t.Fatalf("%s %v: problem %d", path, given, problem)
	}
	return q
}

// Runner answers questions: a store.Store.
type Runner interface {
	Run(context.Context, readapi.Query) (readapi.Answer, error)
}

// Ask runs a question and requires an answer with the given status.
func Ask(t testing.TB, s Runner, status int, path string, given Texts) readapi.Answer {
	t.Helper()
	a, err := s.Run(t.Context(), Query(t, path, given))
	if err != nil {
		t.Fatalf("%s %v: %v", path, given, err)
	}
	if a.Status != status || !json.Valid(a.Body) {
		t.Fatalf("%s %v: status %d, want %d: %.300s", path, given, a.Status, status, a.Body)
	}
	return a
}

// Decoded returns the JSON object of an answer.
func Decoded(t testing.TB, a readapi.Answer) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(a.Body, &o); err != nil {
		t.Fatalf("%v: %.300s", err, a.Body)
	}
	return o
}

// FieldOf returns one field of each object in a list.
func FieldOf(list any, name string) (values []any) {
	for _, o := range list.([]any) {
		values = append(values, o.(map[string]any)[name])
	}
	return values
}
