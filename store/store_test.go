package store

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/lewistv/xcri-proxy/testdata/mariadb"
)

var server mariadb.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	server.Close()
	os.Exit(code)
}

// options returns those of a server with the sample data.
func options(t testing.TB) Options {
	t.Helper()
	s, err := server.Get()
	if err != nil {
		t.Fatal(err)
	}
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

// query returns a question with the defaults of the parameters not named.
func query(t testing.TB, path string, args map[string]string) Query {
	t.Helper()
	for _, e := range Endpoints() {
		if e.Path != path {
			continue
		}
		q := Query{Endpoint: e, Args: make([]Arg, len(e.Params))}
		for i, p := range e.Params {
			text, given := args[p.Name]
			if !given {
				text, given = p.Default, p.Default != ""
			}
			q.Args[i] = Arg{given, text}
		}
		return q
	}
	t.Fatalf("no endpoint %s", path)
	return Query{}
}

func TestCheck(t *testing.T) {
	ctx := context.Background()
	good := options(t)
	if err := open(t, good).Check(ctx); err != nil {
		t.Errorf("a good set-up: %v", err)
	}
	for name, tt := range map[string]struct {
		change func(*Options)
		want   error
	}{
		"wrong password":   {func(o *Options) { o.Password = "wrong" }, ErrSetup},
		"unknown database": {func(o *Options) { o.Name = "nowhere" }, ErrSetup},
		"missing table":    {func(o *Options) { o.Name = "information_schema" }, ErrSetup},
		"nobody listens":   {func(o *Options) { o.Port = 1 }, ErrUnavailable},
		"no such host":     {func(o *Options) { o.Host = "nowhere.invalid" }, ErrUnavailable},
		"no such socket":   {func(o *Options) { o.Socket = "/nowhere.sock" }, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			opts := good
			tt.change(&opts)
			if err := open(t, opts).Check(ctx); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestRun asks every endpoint once; the recorded answers hold what it says.
func TestRun(t *testing.T) {
	s := open(t, options(t))
	for path, args := range map[string]map[string]string{
		"/athletes/": {"season_year": "2025", "limit": "2"}, "/team-knockout/matchups/common-opponents": {"team_a_id": "20153", "team_b_id": "20129"},
		"/team-knockout/matchups/head-to-head": {"team_a_id": "20199", "team_b_id": "20194"},
		"/metadata/summary/processing":         nil, "/snapshots/": nil, "/health": nil,
		"/scs/distribution/{component}": {"component": "saga"},
	} {
		a, err := s.Run(context.Background(), query(t, path, args))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		t.Logf("%s: %d %s %.600s", path, a.Status, a.Generation, a.Body)
	}
}
