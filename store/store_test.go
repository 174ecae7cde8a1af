package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

func TestMain(m *testing.M) { os.Exit(scratch.Main(m)) }

// sharedServer returns the server of all tests that do not stop it.
func sharedServer(t testing.TB) *mariadb.Server { return scratch.Server(t) }

// options returns the options for a server with the sample data.
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

// root returns connections to the shared server with all privileges.
func root(t testing.TB, database string) *sql.DB { return scratch.Root(t, database) }

func execute(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	scratch.Execute(t, db, statement, args...)
}

// emptyDatabase makes a database without tables that the reader may read.
func emptyDatabase(t testing.TB) (Options, *sql.DB) {
	opts := options(t)
	var db *sql.DB
	opts.Name, db = scratch.Empty(t)
	return opts, db
}

// emptyTables makes a database with the API's tables and no rows.
func emptyTables(t testing.TB) (Options, *sql.DB) {
	opts := options(t)
	var db *sql.DB
	opts.Name, db = scratch.Tables(t)
	return opts, db
}

// account makes a reader of the sample data for one test, so that its connections can
// be identified.
func account(t testing.TB) Options {
	t.Helper()
	opts := options(t)
	opts.User = fmt.Sprintf("reader%d", scratch.Number())
	db := root(t, "")
	execute(t, db, "CREATE USER "+opts.User+"@'%' IDENTIFIED BY '"+opts.Password+"'")
	execute(t, db, "GRANT SELECT ON "+opts.Name+".* TO "+opts.User+"@'%'")
	t.Cleanup(func() { execute(t, db, "DROP USER "+opts.User+"@'%'") })
	return opts
}

// insert adds a row to a table. Columns that values does not name have the values of a
// live light/division row of season 1990, or the schema's defaults.
func insert(t testing.TB, db *sql.DB, table string, values map[string]any) {
	t.Helper()
	scratch.Insert(t, db, table, values)
}

type texts = map[string]string

// query returns a question; parameters that given does not name have their defaults.
func query(t testing.TB, path string, given texts) Query { return scratch.Query(t, path, given) }

// ask runs a question and requires an answer with the given status.
func ask(t testing.TB, s *Store, status int, path string, given texts) Answer {
	t.Helper()
	return scratch.Ask(t, s, status, path, given)
}

// object is an answer's JSON.
type object = map[string]any

func decoded(t testing.TB, a Answer) object { return scratch.Decoded(t, a) }

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
		"no listener":      {func(o *Options) { o.Port = 1 }, ErrUnavailable},
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
				t.Errorf("%q contains the password", err)
			}
			if _, err := s.Run(ctx, query(t, "/health", nil)); !errors.Is(err, tt.want) {
				t.Errorf("a question: got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestRefusals: refusals that need no database are answered without one.
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

// TestRunStops: a cancelled caller gets its own error, not a database error.
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
		for with, ctx := range map[string]context.Context{"": b.Context(), "/metered": WithMeter(b.Context(), &stepMeter{})} {
			b.Run(name+with, func(b *testing.B) {
				a, err := s.Run(ctx, q)
				if err != nil || a.Status != 200 {
					b.Fatal(a.Status, err)
				}
				b.SetBytes(int64(len(a.Body)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Run(ctx, q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// stepMeter is a Meter that keeps the steps, up to some.
type stepMeter struct {
	begun   []Step
	handled time.Duration
}

func (s *stepMeter) Begin(next Step) {
	if len(s.begun) < 100 {
		s.begun = append(s.begun, next)
	}
}

func (s *stepMeter) Handled(took time.Duration) { s.handled += took }

// TestMeter: a read reports the wait for its connection, and for each statement the wait
// for its result, the rows and the work on them.
func TestMeter(t *testing.T) {
	s := open(t, options(t))
	for range 2 { // with a new connection, and with an idle one
		var got stepMeter
		begun := time.Now()
		list := query(t, "/athletes/", texts{"season_year": "2025", "division": "2030", "gender": "M", "limit": "50000"})
		if _, err := s.Run(WithMeter(t.Context(), &got), list); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begun)
		statements := 0
		for i, step := range got.begun {
			switch step {
			case Connecting:
				if i != 0 {
					t.Errorf("step %d waits for a connection: %v", i, got.begun)
				}
			case Receiving:
				statements++
				if got.begun[i-1] != Querying || got.begun[i+1] != Handling {
					t.Errorf("step %d receives rows: %v", i, got.begun)
				}
			}
		}
		if got.begun[0] != Connecting || statements < 2 { // the generation and the list
			t.Errorf("%v", got.begun)
		}
		if got.handled <= 0 || got.handled > took {
			t.Errorf("%v of %v for the rows", got.handled, took)
		}
	}
}
