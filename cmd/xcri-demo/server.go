package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	gsql "github.com/dolthub/go-mysql-server/sql"
	vitess "github.com/dolthub/vitess/go/mysql"
	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/storetest"
)

// databaseName is the only schema of the embedded server.
const databaseName = "xcri"

// databaseUser is arbitrary: the embedded server has no accounts.
const databaseUser = "demo"

// database is an in-memory MySQL-compatible server on loopback.
type database struct {
	Host string
	Port int

	engine *sqle.Engine
	server *server.Server
	done   chan struct{}
}

// startDatabase runs an empty server on a free port of 127.0.0.1. The caller
// stops it with Close.
func startDatabase() (*database, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the database: %w", err)
	}
	addr := listener.Addr().(*net.TCPAddr)

	// The database's option to index primary keys stays off: see indexDropper.
	provider := memory.NewDBProvider(memory.NewDatabase(databaseName))
	engine := sqle.NewDefault(provider)

	// A nil context factory compiles, but every connection is dropped.
	srv, err := server.NewServerWithHandler(
		server.Config{Protocol: "tcp", Address: addr.String(), Listener: listener},
		engine, gsql.NewContext, memory.NewSessionBuilder(provider), nil, withoutIndexes)
	if err != nil {
		listener.Close()
		engine.Close()
		return nil, fmt.Errorf("start the database: %w", err)
	}
	d := &database{Host: addr.IP.String(), Port: addr.Port, engine: engine, server: srv, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		srv.Start() // always nil: it returns when the listener closes
	}()
	return d, nil
}

// secondaryIndex is a line of CREATE TABLE with the comma before it.
var secondaryIndex = regexp.MustCompile(`,\s*KEY \w+ \([\w, ]+\)`)

// deviation matches the standard deviation of a score. MariaDB returns eight decimals,
// and this server the number of the column's decimals.
var deviation = regexp.MustCompile(`STDDEV\((r\.\w+_score)\)`)

// indexDropper removes the secondary indexes from CREATE TABLE statements. They slow
// this server down: it sorts each index again for every INSERT, finds rows no faster
// with them, and plans joins with them where it would otherwise use a hash join.
// Without them the sample data loads in a third of the time, and a join may take a
// hundredth.
type indexDropper struct{ vitess.Handler }

func withoutIndexes(h vitess.Handler) (vitess.Handler, error) { return indexDropper{h}, nil }

// ComQuery receives every statement of a client that sends statements one by one and
// as text, as database/sql does with interpolated parameters.
func (d indexDropper) ComQuery(ctx context.Context, c *vitess.Conn, query string, rows vitess.ResultSpoolFn) error {
	if strings.HasPrefix(query, "CREATE TABLE ") {
		query = secondaryIndex.ReplaceAllString(query, "")
	}
	query = deviation.ReplaceAllString(query, "ROUND(STDDEV(CAST($1 AS DOUBLE)), 8)")
	return d.Handler.ComQuery(ctx, c, query, rows)
}

// Open returns a pool of connections to the server, which the caller closes.
func (d *database) Open() (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.DBName = databaseUser, databaseName
	cfg.Net, cfg.Addr = "tcp", fmt.Sprintf("%s:%d", d.Host, d.Port)
	cfg.InterpolateParams = true
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Fill creates the tables and loads the sample data. It calls begin with the name of
// each table.
func (d *database) Fill(ctx context.Context, begin func(table string)) error {
	db, err := d.Open()
	if err != nil {
		return err
	}
	defer db.Close()
	return storetest.LoadEach(ctx, db, begin)
}

// Close ends the server and all running queries.
func (d *database) Close() error {
	d.server.Close()
	<-d.done
	// The engine reports the end of its own context as an error.
	if err := d.engine.Close(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
