package scope_test

import (
	"database/sql"
	"os"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

func TestMain(m *testing.M) { os.Exit(scratch.Main(m)) }

// options returns the settings of a server with the sample data.
func options(t testing.TB) store.Options {
	t.Helper()
	s := scratch.Server(t)
	return store.Options{Host: s.Host, Port: s.Port, Name: mariadb.Database, User: mariadb.Reader, Password: mariadb.Password}
}

func open(t testing.TB, opts store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func emptyTables(t testing.TB) (store.Options, *sql.DB) {
	opts := options(t)
	var db *sql.DB
	opts.Name, db = scratch.Tables(t)
	return opts, db
}

// sampleDatabase makes a database of the test's own with the sample data.
func sampleDatabase(t testing.TB) (*store.Store, func(statement string, args ...any)) {
	t.Helper()
	opts := options(t)
	var db *sql.DB
	opts.Name, db = scratch.Sample(t)
	return open(t, opts), func(statement string, args ...any) {
		t.Helper()
		scratch.Execute(t, db, statement, args...)
	}
}
