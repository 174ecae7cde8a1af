package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lewistv/xcri-proxy/store/storetest"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

var server mariadb.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	server.Close()
	os.Exit(code)
}

// sharedServer is the one that all tests use which do not stop it.
func sharedServer(t testing.TB) *mariadb.Server {
	t.Helper()
	s, err := server.Get()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// options returns those of a server with the sample data.
func options(t testing.TB) Options {
	t.Helper()
	return optionsOf(sharedServer(t))
}

func optionsOf(s *mariadb.Server) Options {
	return Options{Host: s.Host, Port: s.Port, Name: mariadb.Database, User: mariadb.Reader, Password: mariadb.Password}
}

func open(t testing.TB, opts Options) *Store {
	t.Helper()
	s, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// root returns connections to the shared server that may do everything.
func root(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := sharedServer(t).Root(database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func execute(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatalf("%.200s: %v", statement, err)
	}
}

// number makes the names of databases and accounts unique within a test run.
var number atomic.Int64

// emptyDatabase makes a database without tables that the reader may read.
func emptyDatabase(t testing.TB) (Options, *sql.DB) {
	t.Helper()
	name := fmt.Sprintf("scratch%d", number.Add(1))
	all := root(t, "")
	execute(t, all, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
	t.Cleanup(func() {
		execute(t, all, "REVOKE SELECT ON "+name+".* FROM "+mariadb.Reader+"@'%'")
		execute(t, all, "DROP DATABASE "+name)
	})
	execute(t, all, "GRANT SELECT ON "+name+".* TO "+mariadb.Reader+"@'%'")
	opts := options(t)
	opts.Name = name
	return opts, root(t, name)
}

// emptyTables makes a database with the API's tables and no rows.
func emptyTables(t testing.TB) (Options, *sql.DB) {
	t.Helper()
	opts, db := emptyDatabase(t)
	statements, err := storetest.Schema()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		execute(t, db, s)
	}
	return opts, db
}

// account makes a reader of the sample data that no other test uses, so that
// its connections can be told apart.
func account(t testing.TB) Options {
	t.Helper()
	opts := options(t)
	opts.User = fmt.Sprintf("reader%d", number.Add(1))
	db := root(t, "")
	execute(t, db, "CREATE USER "+opts.User+"@'%' IDENTIFIED BY '"+opts.Password+"'")
	execute(t, db, "GRANT SELECT ON "+opts.Name+".* TO "+opts.User+"@'%'")
	t.Cleanup(func() { execute(t, db, "DROP USER "+opts.User+"@'%'") })
	return opts
}

// insert adds a row to a table; columns not named have the values of a live
// light/division row of season 1990, or what the schema says.
func insert(t testing.TB, db *sql.DB, table string, values map[string]any) {
	t.Helper()
	standard := map[string]map[string]any{
		athleteTable: {"season_year": 1990, "division_code": 2030, "gender_code": "M", "algorithm_type": "light",
			"scoring_group": "division", "anet_athlete_hnd": 1, "anet_team_hnd": 1, "athlete_rank": 1, "calculated_at": "1990-01-01"},
		teamTable: {"season_year": 1990, "division_code": 2030, "gender_code": "M", "algorithm_type": "light",
			"scoring_group": "division", "anet_team_hnd": 1, "team_rank": 1, "calculated_at": "1990-01-01"},
		metadataTable: {"season_year": 1990, "division_code": 2030, "gender_code": "M", "algorithm_type": "light",
			"scoring_group": "division", "calculated_at": "1990-01-01"},
		componentTable: {"ranking_id": 1, "season_year": 1990, "division_code": 2030, "gender_code": "M",
			"anet_athlete_hnd": 1, "created_at": "1990-01-01", "updated_at": "1990-01-01"},
		knockoutTable: {"team_id": 1, "team_name": "T", "rank_group_type": "D", "rank_group_fk": 2030, "gender_code": "M",
			"knockout_rank": 1, "season_year": 1990, "calculation_date": "1990-01-01"},
		matchupTable: {"race_hnd": 1, "race_date": "1990-01-01", "meet_name": "M", "team_a_id": 1, "team_a_rank": 1,
			"team_a_score": 1, "team_b_id": 2, "team_b_rank": 2, "team_b_score": 2, "winner_team_id": 1, "season_year": 1990,
			"rank_group_type": "D", "rank_group_fk": 2030, "gender_code": "M", "calculation_date": "1990-01-01"},
		"iz_athnet_teams":          {"IDSchool": 1, "UstfcccaId": 1},
		"iz_groups_season_resumes": {"season_year": 1990, "group_fk": 1, "gender_fk": 1, "sport_fk": 3, "season_html": ""},
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
	execute(t, db, "INSERT INTO "+table+" ("+strings.Join(names, ",")+") VALUES (?"+strings.Repeat(",?", len(args)-1)+")", args...)
}

func endpointAt(t testing.TB, path string) *Endpoint {
	t.Helper()
	for _, e := range Endpoints() {
		if e.Path == path {
			return e
		}
	}
	t.Fatalf("no endpoint %s", path)
	return nil
}

// question is a Query of the texts given, and the first problem with them.
func question(e *Endpoint, given map[string]string) (Query, Problem) {
	q := Query{Endpoint: e, Args: make([]Arg, len(e.Params))}
	for i := range e.Params {
		p := &e.Params[i]
		raw, ok := given[p.Name]
		switch {
		case ok:
			text, isGiven, problem := p.Canonical(nil, []byte(raw))
			if problem != OK {
				return q, problem
			}
			q.Args[i] = Arg{Given: isGiven, Text: string(text)}
		case p.Required:
			return q, Missing
		case p.Default != "":
			q.Args[i] = Arg{Given: true, Text: p.Default}
		}
	}
	return q, OK
}

type texts = map[string]string

// query returns a question with the defaults of the parameters not named.
func query(t testing.TB, path string, given texts) Query {
	t.Helper()
	q, problem := question(endpointAt(t, path), given)
	if problem != OK {
		t.Fatalf("%s %v: problem %d", path, given, problem)
	}
	return q
}

// ask runs a question and demands an answer of the status.
func ask(t testing.TB, s *Store, status int, path string, given texts) Answer {
	t.Helper()
	a, err := s.Run(t.Context(), query(t, path, given))
	if err != nil {
		t.Fatalf("%s %v: %v", path, given, err)
	}
	if a.Status != status || !json.Valid(a.Body) {
		t.Fatalf("%s %v: status %d, want %d: %.300s", path, given, a.Status, status, a.Body)
	}
	return a
}

// object is an answer's JSON.
type object = map[string]any

func decoded(t testing.TB, a Answer) object {
	t.Helper()
	var o object
	if err := json.Unmarshal(a.Body, &o); err != nil {
		t.Fatalf("%v: %.300s", err, a.Body)
	}
	return o
}

// fieldOf returns one field of each object in a list.
func fieldOf(list any, name string) (values []any) {
	for _, o := range list.([]any) {
		values = append(values, o.(object)[name])
	}
	return values
}

func TestCheck(t *testing.T) {
	ctx := t.Context()
	good := options(t)
	if err := open(t, good).Check(ctx); err != nil {
		t.Errorf("a good set-up: %v", err)
	}
	if err := open(t, good).Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
	onSocket := good
	onSocket.Host, onSocket.Port, onSocket.Socket = "", 0, sharedServer(t).Socket
	if err := open(t, onSocket).Check(ctx); err != nil {
		t.Errorf("through the socket: %v", err)
	}
	for name, tt := range map[string]struct {
		change func(*Options)
		want   error
	}{
		"wrong password":   {func(o *Options) { o.Password = "sesame" }, ErrSetup},
		"unknown user":     {func(o *Options) { o.User = "nobody" }, ErrSetup},
		"unknown database": {func(o *Options) { o.Name = "nowhere" }, ErrSetup},
		"missing table":    {func(o *Options) { o.Name = "information_schema" }, ErrSetup},
		"nobody listens":   {func(o *Options) { o.Port = 1 }, ErrUnavailable},
		"no such host":     {func(o *Options) { o.Host = "nowhere.invalid" }, ErrUnavailable},
		"no such socket":   {func(o *Options) { o.Socket = "/nowhere.sock" }, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			opts := good
			tt.change(&opts)
			s := open(t, opts)
			err := s.Check(ctx)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), opts.Password) {
				t.Errorf("%q tells the password", err)
			}
			if _, err := s.Run(ctx, query(t, "/health", nil)); !errors.Is(err, tt.want) {
				t.Errorf("a question: got %v, want %v", err, tt.want)
			}
		})
	}
}

// reordered are the recorded lists whose rows come in an order that nothing
// fixed; only how many there are can be compared.
var reordered = map[string]bool{
	"/athletes/?limit=10.0":                                true,
	"/athletes/?season_year=2025&limit=100":                true,
	"/athletes/?gender=F":                                  true,
	"/teams/?division=0&season_year=2025&gender=M&limit=1": true,
}

// TestRecorded asks every recorded question that reaches the store. Answers
// must be the recorded ones to the byte.
func TestRecorded(t *testing.T) {
	s := open(t, options(t))
	answers, err := storetest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	generation, err := s.Generation(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, want := range answers {
		e, given := routed(t, want.Request)
		if e == nil {
			continue
		}
		q, problem := question(e, given)
		if (problem != OK) != (want.Status == 422) {
			t.Errorf("%s: problem %d, recorded status %d", want.Request, problem, want.Status)
		}
		if problem != OK || want.StatusOnly {
			continue
		}
		asked++
		got, err := s.Run(t.Context(), q)
		if err != nil {
			t.Errorf("%s: %v", want.Request, err)
			continue
		}
		if want := generation.Of(q.Scope()); got.Generation != want && (got.Generation != "" || got.Status < 400 || got.Status == 404) {
			t.Errorf("%s: generation %q, that of %s is %q", q.Path, got.Generation, q.Scope(), want)
		}
		if got.Status != want.Status || string(got.Body) != want.Body && !(reordered[want.Request] && sameLength(got.Body, want.Body)) {
			t.Errorf("%s:\n got %d %.400s\nwant %d %.400s", want.Request, got.Status, got.Body, want.Status, want.Body)
		}
	}
	if asked < 370 {
		t.Errorf("only %d of %d recorded questions reached the store", asked, len(answers))
	}
}

// routed finds the endpoint of a request, and the texts of its parameters.
func routed(t testing.TB, request string) (*Endpoint, texts) {
	t.Helper()
	u, err := url.Parse(request)
	if err != nil {
		t.Fatal(err)
	}
	given := texts{}
	for name, values := range u.Query() {
		given[name] = values[len(values)-1]
	}
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	matches := slices.DeleteFunc(slices.Clone(Endpoints()), func(e *Endpoint) bool {
		names := strings.Split(strings.Trim(e.Path, "/"), "/")
		return !slices.EqualFunc(names, segments, func(name, s string) bool { return name[0] == '{' || name == s })
	})
	if len(matches) == 0 {
		return nil, nil
	}
	// A fixed segment goes before a parameter.
	best := slices.MinFunc(matches, func(a, b *Endpoint) int {
		return cmp.Compare(strings.Count(a.Path, "{"), strings.Count(b.Path, "{"))
	})
	for i, name := range strings.Split(strings.Trim(best.Path, "/"), "/") {
		if name[0] == '{' {
			given[strings.Trim(name, "{}")] = segments[i]
		}
	}
	return best, given
}

func sameLength(a []byte, b string) bool {
	var x, y struct {
		Total   int
		Results []json.RawMessage
	}
	return json.Unmarshal(a, &x) == nil && json.Unmarshal([]byte(b), &y) == nil && x.Total == y.Total &&
		len(x.Results) == len(y.Results)
}

// TestRefusals holds what is answered without the database, which is not there.
func TestRefusals(t *testing.T) {
	s := open(t, Options{Host: "127.0.0.1", Port: 1})
	for _, tt := range []struct {
		path   string
		given  texts
		status int
		body   string
	}{
		{"/team-knockout/matchups/head-to-head", texts{"team_a_id": "7", "team_b_id": " 07.0"}, 400,
			`{"detail":"team_a_id and team_b_id must be different"}`},
		{"/team-knockout/matchups/common-opponents", texts{"team_a_id": "7", "team_b_id": "7"}, 400,
			`{"detail":"team_a_id and team_b_id must be different"}`},
		{"/scs/leaderboard/{component}", texts{"component": `b"ad`}, 400,
			`{"detail":"Invalid component: b\"ad. Must be one of {'saga', 'sewr', 'osma', 'xcri'}"}`},
		{"/scs/distribution/{component}", texts{"component": "bad"}, 400, `{"detail":"Invalid component: bad"}`},
		{"/scs/biggest-discrepancies", nil, 501, `{"detail":"Endpoint not yet implemented - coming soon"}`},
		{"/scs/athletes/{athlete_hnd}/discrepancy", texts{"athlete_hnd": "1"}, 501,
			`{"detail":"Endpoint not yet implemented - coming soon"}`},
	} {
		a, err := s.Run(t.Context(), query(t, tt.path, tt.given))
		if err != nil || a.Status != tt.status || string(a.Body) != tt.body || a.Generation != "" {
			t.Errorf("%s: got %d %s %q %v", tt.path, a.Status, a.Body, a.Generation, err)
		}
	}
}

func TestRunAfterClose(t *testing.T) {
	s := open(t, options(t))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), query(t, "/health", nil)); err == nil {
		t.Error("a closed store answers")
	}
}

// TestRunStops: a caller who has gone is told so and is not a slow database.
func TestRunStops(t *testing.T) {
	s := open(t, options(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Run(ctx, query(t, "/health", nil))
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrTimeout) || errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkRun(b *testing.B) {
	s := open(b, options(b))
	for name, q := range map[string]Query{
		"athlete": query(b, "/athletes/{athlete_hnd}", texts{"athlete_hnd": "12008241", "division": "2032", "gender": "F"}),
		"list":    query(b, "/athletes/", texts{"season_year": "2025", "division": "2030", "gender": "M", "limit": "50000"}),
	} {
		b.Run(name, func(b *testing.B) {
			a, err := s.Run(b.Context(), q)
			if err != nil || a.Status != 200 {
				b.Fatal(a.Status, err)
			}
			b.SetBytes(int64(len(a.Body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Run(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
