// Package stores opens Stores for tests, on the server of package scratch.
package stores

import (
	"database/sql"
	"net"
	"strconv"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/relay"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// Options returns the options of a Store with the sample data, which all tests share.
func Options(t testing.TB) store.Options { return Of(t, mariadb.Database) }

// Of returns the options of a Store on a database of the server.
func Of(t testing.TB, database string) store.Options {
	t.Helper()
	return On(scratch.Server(t), database)
}

// On returns the options of a Store on a database of another server.
func On(s *mariadb.Server, database string) store.Options {
	return store.Options{Host: s.Host, Port: s.Port, Name: database, User: mariadb.Reader, Password: mariadb.Password}
}

// Beside returns the options of a Store on the database that db uses.
func Beside(t testing.TB, db *sql.DB) store.Options {
	t.Helper()
	var name string
	if err := db.QueryRow("SELECT DATABASE()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	return Of(t, name)
}

// Open opens a Store until the test ends.
func Open(t testing.TB, opts store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// ThroughRelay opens a Store whose connections go through a relay.
func ThroughRelay(t testing.TB, opts store.Options) (*relay.Relay, *store.Store) {
	t.Helper()
	way := relay.Start(t, "127.0.0.1:0", net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port)))
	opts.Host, opts.Port = way.Addr()
	return way, Open(t, opts)
}

// Empty returns the options of a Store with a database of its own, without tables.
func Empty(t testing.TB) (store.Options, *sql.DB) {
	t.Helper()
	name, db := scratch.Empty(t)
	return Of(t, name), db
}

// Tables returns the options of a Store with a database of its own, with the API's tables
// and no rows.
func Tables(t testing.TB) (store.Options, *sql.DB) {
	t.Helper()
	name, db := scratch.Tables(t)
	return Of(t, name), db
}

// Sample opens a Store with a database of its own, with the sample data.
func Sample(t testing.TB) (*store.Store, *sql.DB) {
	t.Helper()
	name, db := scratch.Sample(t)
	return Open(t, Of(t, name)), db
}

// Changeable opens a Store like Sample, and returns a function that changes its data.
func Changeable(t testing.TB) (*store.Store, func(statement string, args ...any)) {
	t.Helper()
	s, db := Sample(t)
	return s, func(statement string, args ...any) {
		t.Helper()
		scratch.Execute(t, db, statement, args...)
	}
}
