package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/pool/session"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// Global values of the server that would change answers do not affect a read.
func TestSessionIsPinned(t *testing.T) {
	srv := shared(t)
	db := root(t, srv)
	isolation := mariadb.Variable(db, "transaction_isolation", "tx_isolation")
	limit, wantLimit := mariadb.Variable(db, session.MaxStatementTime, session.MaxExecutionTime), "1500"
	if limit == session.MaxStatementTime {
		wantLimit = "1.5"
	}
	globals := map[string]string{
		"autocommit": "0", "sql_select_limit": "2", "max_join_size": "3", "sql_big_selects": "0", "group_concat_max_len": "4",
		"sql_mode": "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'", isolation: "'READ-UNCOMMITTED'",
		"init_connect": "'SET NAMES latin1'", limit: "77",
	}
	for name, value := range globals {
		var before string
		if err := db.QueryRow("SELECT @@GLOBAL." + name).Scan(&before); err != nil {
			t.Fatal(err)
		}
		execute(t, db, "SET GLOBAL "+name+" = "+value)
		if strings.HasPrefix(value, "'") {
			before = "'" + before + "'"
		}
		defer execute(t, db, "SET GLOBAL "+name+" = "+before)
	}
	opts := optionsOf(srv)
	opts.StatementTimeout, opts.MaxConns = 1500*time.Millisecond, 1
	p := open(t, opts)
	for variable, want := range map[string]string{
		"autocommit": "1", "sql_select_limit": session.Unlimited, "max_join_size": session.Unlimited, "sql_big_selects": "1",
		"group_concat_max_len": "1048576", "sql_mode": "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION", isolation: "REPEATABLE-READ",
		"character_set_client": "utf8mb4", "character_set_results": "utf8mb4", "collation_connection": session.Collation,
		limit: wantLimit,
	} {
		if got := mustRead(t, p, "SELECT @@SESSION."+variable); got != want {
			t.Errorf("%s is %s, want %s", variable, got, want)
		}
	}
	rows := 0
	err := p.Read(t.Context(), "rows", func(c *Conn) error {
		rows = 0
		return c.Rows("SELECT 'é' FROM "+metadata, nil, func(row []driver.Value) error {
			if rows++; asText(row[0]) != "é" {
				t.Errorf("é is %q", row[0])
			}
			return nil
		})
	})
	if err != nil || rows <= 2 {
		t.Errorf("%d rows, %v", rows, err)
	}
	// A poll sees every change that was committed since the last poll.
	execute(t, db, "CREATE TABLE polled (a INT)")
	defer execute(t, db, "DROP TABLE polled")
	for _, want := range []string{"0", "1", "2"} {
		if got, err := pollOnce(t.Context(), p, "SELECT COUNT(*) FROM polled"); err != nil || got != want {
			t.Errorf("%s rows, %v, want %s", got, err, want)
		}
		execute(t, db, "INSERT INTO polled VALUES (1)", "COMMIT")
	}
}

// A MariaDB server that reports itself as MySQL 8 is treated as MariaDB.
func TestServerByAnotherName(t *testing.T) {
	if db := root(t, shared(t)); mariadb.Variable(db, session.MaxStatementTime, session.MaxExecutionTime) != session.MaxStatementTime {
		t.Skip("only MariaDB can report another version")
	}
	srv, err := mariadb.Start(mariadb.Options{Empty: true, Args: []string{"--version=8.0.11"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	opts := optionsOf(srv)
	opts.StatementTimeout = 200 * time.Millisecond
	p := open(t, opts)
	if version := mustRead(t, p, "SELECT VERSION()"); version != "8.0.11" {
		t.Fatalf("the server calls itself %s", version)
	}
	if _, err := read(t.Context(), p, "SELECT SLEEP(60)"); !errors.Is(err, dberror.ErrTimeout) || dberror.NumberOf(err) != 1969 {
		t.Errorf("the limit of a statement: %v", err)
	}
}

// fakeConn is a connection to a server that refuses some statements.
type fakeConn struct {
	driver.Conn
	refuse map[string]uint16 // parts of statements, and the error number
	mu     sync.Mutex        // guards done while goroutines use the connection in turn
	done   []string
	closed bool
}

func (c *fakeConn) Close() error  { c.closed = true; return nil }
func (c *fakeConn) IsValid() bool { return !c.closed }

func (c *fakeConn) ResetSession(context.Context) error { return nil }

func (c *fakeConn) ExecContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done = append(c.done, q)
	for part, number := range c.refuse {
		if strings.Contains(q, part) {
			return nil, &mysql.MySQLError{Number: number, Message: "refused"}
		}
	}
	return driver.ResultNoRows, nil
}

func (c *fakeConn) QueryContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Rows, error) {
	if number, ok := c.refuse[q]; ok {
		return nil, &mysql.MySQLError{Number: number}
	}
	return &fakeRows{}, nil
}

// fakeRows is one row with the number 7.
type fakeRows struct {
	driver.Rows
	read bool
}

func (*fakeRows) Columns() []string { return []string{"a"} }
func (*fakeRows) Close() error      { return nil }

func (r *fakeRows) Next(row []driver.Value) error {
	if r.read {
		return io.EOF
	}
	row[0], r.read = int64(7), true
	return nil
}

type fakeConnector struct {
	driver.Connector
	conns []*fakeConn
}

func (c *fakeConnector) Connect(context.Context) (driver.Conn, error) {
	next := c.conns[0]
	c.conns = c.conns[1:]
	return next, nil
}

// TestSetUpFails: a connection whose session cannot be set up is closed.
func TestSetUpFails(t *testing.T) {
	for _, refuse := range []map[string]uint16{
		nil, {"SET NAMES": 1115}, {"ISOLATION": 1193}, {"autocommit": 1193}, {"sql_mode": 1927}, {"SELECT CONNECTION_ID()": 1064},
	} {
		conn := &fakeConn{refuse: refuse}
		h := &host{connector: &fakeConnector{conns: []*fakeConn{conn}}, session: session.New(time.Second), timeout: time.Second}
		l, err := h.open(t.Context())
		if (err != nil) != (refuse != nil) || conn.closed != (refuse != nil) || err == nil && l.id != 7 {
			t.Errorf("%v is refused: error %v, closed %v", refuse, err, conn.closed)
		}
	}
}
