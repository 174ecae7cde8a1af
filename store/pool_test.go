package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/jsontext"
	"github.com/lewistv/xcri-proxy/store/pool"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// statement returns a query that runs one statement. Its answer is the first value
// of the last row.
func statement(text string) Query {
	return Query{Endpoint: &Endpoint{Path: "/statement", Answer: func(r *readapi.Read) error {
		return r.Rows(text, nil, func(row []driver.Value) error {
			r.Body = append(r.Body[:0], jsontext.AsText(row[0])...)
			return nil
		})
	}}}
}

// heavyJoin takes minutes of computing.
const heavyJoin = "SELECT COUNT(*) FROM " + athleteTable + " a JOIN " + athleteTable + " b JOIN " + athleteTable + " c" +
	" WHERE a.xcri_score + b.xcri_score + c.xcri_score < 0"

// sleep sleeps for 5 s. MySQL answers a statement of nothing but SLEEP without an error
// if its limit ends it.
const sleep = "SELECT 1 FROM (SELECT SLEEP(5)) s"

// connections returns the number of the account's open connections, and the IDs of
// connections whose statement has run for longer than older.
func connections(t testing.TB, db *sql.DB, user string, older time.Duration) (open int, working []int64) {
	t.Helper()
	age := "time * 1000"
	if mariadb.Accepts(db, "SELECT time_ms FROM information_schema.processlist") {
		age = "time_ms" // MariaDB
	}
	rows, err := db.Query("SELECT id, command, "+age+" FROM information_schema.processlist WHERE user = ?", user)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var command string
		var ms float64
		if err := rows.Scan(&id, &command, &ms); err != nil {
			t.Fatal(err)
		}
		open++
		if command != "Sleep" && ms > float64(older.Milliseconds()) {
			working = append(working, id)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return open, working
}

// idle waits until the account runs no statement, and fails the test if a statement
// runs for more than a second.
func idle(t testing.TB, db *sql.DB, user string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, old := connections(t, db, user, time.Second); len(old) > 0 {
			t.Fatalf("the server has worked for more than 1 s in connections %v", old)
		}
		if _, working := connections(t, db, user, -1); len(working) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the server still runs statements")
		}
	}
}

// TestAccount: the account of the tests may only read, as in production.
func TestAccount(t *testing.T) {
	opts := options(t)
	opts.MaxConns = 1
	s := open(t, opts)
	grants := 0
	err := s.pool.Read(t.Context(), "read the grants", func(c *pool.Conn) error {
		return c.Rows("SHOW GRANTS", nil, func(row []driver.Value) error {
			grant := jsontext.AsText(row[0])
			if !strings.HasPrefix(grant, "GRANT USAGE ON *.* ") && !strings.HasPrefix(grant, "GRANT SELECT ON `") {
				t.Errorf("the reader may do more than read: %s", grant)
			}
			grants++
			return nil
		})
	})
	if err != nil || grants < 2 {
		t.Errorf("%d grants, %v", grants, err)
	}
	_, err = pool.Poll(t.Context(), s.pool, "delete", func(c *pool.Conn) (struct{}, error) {
		return struct{}{}, c.Rows("DELETE FROM "+readapi.AthleteTable, nil, nil)
	})
	if err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("the reader may delete: %v", err)
	}
}

func TestSession(t *testing.T) {
	opts := options(t)
	opts.StatementTimeout = 1500 * time.Millisecond
	s := open(t, opts)
	db := root(t, "")
	for variable, want := range map[string]string{
		mariadb.Variable(db, "max_statement_time", "max_execution_time"): "1500",
		mariadb.Variable(db, "transaction_isolation", "tx_isolation"):    "REPEATABLE-READ",
		"character_set_client": "utf8mb4", "character_set_results": "utf8mb4", "collation_connection": "utf8mb4_general_ci",
	} {
		if variable == "max_statement_time" {
			want = "1.5" // seconds
		}
		a, err := s.Run(t.Context(), statement("SELECT @@"+variable))
		if err != nil || string(a.Body) != want {
			t.Errorf("%s is %s, %v; want %s", variable, a.Body, err, want)
		}
	}
}

// TestSearchesHaveTheirLimit: the statements of a search have the limit of searches, and all
// other statements the usual limit.
func TestSearchesHaveTheirLimit(t *testing.T) {
	opts := options(t)
	opts.StatementTimeout, opts.SearchTimeout = 9*time.Second, 7*time.Second
	s := open(t, opts)
	limit := "SELECT @@" + mariadb.Variable(root(t, ""), "max_statement_time", "max_execution_time")
	for lane, want := range map[Lane]string{ByKey: "9", WholeList: "9", Search: "7"} {
		q := statement(limit)
		q.Endpoint.Lane = lane
		if a, err := s.Run(t.Context(), q); err != nil || !strings.HasPrefix(string(a.Body), want) {
			t.Errorf("lane %d: %s, %v, want %s s", lane, a.Body, err, want)
		}
	}
}

func TestPool(t *testing.T) {
	opts := account(t)
	opts.MaxConns = 4
	s := open(t, opts)
	db := root(t, "")
	ids := make(chan string, 80)
	round := func() {
		done := make(chan struct{})
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				a, err := s.Run(t.Context(), statement("SELECT CONNECTION_ID() FROM (SELECT SLEEP(0.03)) s"))
				if err != nil {
					t.Error(err)
				}
				ids <- string(a.Body)
			})
		}
		go func() { all.Wait(); close(done) }()
		for {
			if n, _ := connections(t, db, opts.User, 0); n > opts.MaxConns {
				t.Errorf("%d connections, the limit is %d", n, opts.MaxConns)
			}
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	round()
	stats := s.Stats()
	if stats.Limit != 4 || stats.Open != 4 || stats.Waits == 0 || stats.Waited == 0 {
		t.Errorf("after 40 concurrent queries: %+v", stats)
	}
	idle(t, db, opts.User)
	if n, _ := connections(t, db, opts.User, 0); n != 4 {
		t.Errorf("%d connections are kept open, want 4", n)
	}
	round()
	close(ids)
	used := map[string]bool{}
	for id := range ids {
		used[id] = true
	}
	if len(used) != 4 {
		t.Errorf("80 queries used connections %v", used)
	}
}

// TestPoolWait: a wait for a connection ends with the caller's context.
func TestPoolWait(t *testing.T) {
	opts := options(t)
	opts.MaxConns = 1
	s := open(t, opts)
	busy, release := make(chan struct{}), make(chan struct{})
	var holder sync.WaitGroup
	holder.Go(func() {
		_, err := s.Run(t.Context(), Query{Endpoint: &Endpoint{Path: "/hold", Answer: func(*readapi.Read) error {
			close(busy)
			<-release
			return nil
		}}})
		if err != nil {
			t.Error(err)
		}
	})
	<-busy
	if in := s.Stats().InUse; in != 1 {
		t.Errorf("%d connections in use", in)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Run(ctx, query(t, "/health", nil)); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v", err)
	}
	close(release)
	holder.Wait()
	ask(t, s, 200, "/health", nil)
}

// TestStatementLimit: the server ends a slow statement, and the connection is used
// again.
func TestStatementLimit(t *testing.T) {
	opts := account(t)
	opts.StatementTimeout, opts.MaxConns = 300*time.Millisecond, 2
	s := open(t, opts)
	db := root(t, "")
	for name, slow := range map[string]string{"a sleep": sleep, "a heavy join": heavyJoin} {
		t.Run(name, func(t *testing.T) {
			before, err := s.Run(t.Context(), statement("SELECT CONNECTION_ID()"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Run(t.Context(), statement(slow)); !errors.Is(err, ErrTimeout) {
				t.Errorf("got %v", err)
			}
			idle(t, db, opts.User)
			after, err := s.Run(t.Context(), statement("SELECT CONNECTION_ID()"))
			if err != nil || string(after.Body) != string(before.Body) {
				t.Errorf("connection %s, then %s, %v", before.Body, after.Body, err)
			}
		})
	}
}

// TestCallerLimit: when the caller's context ends first, the statement is ended in the
// server too.
func TestCallerLimit(t *testing.T) {
	opts := account(t)
	opts.StatementTimeout = 300 * time.Millisecond
	s := open(t, opts)
	db := root(t, "")
	for name, slow := range map[string]string{"a sleep": sleep, "a heavy join": heavyJoin} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := s.Run(ctx, statement(slow)); !errors.Is(err, ErrTimeout) {
				t.Errorf("got %v", err)
			}
			idle(t, db, opts.User)
			ask(t, s, 200, "/health", nil)
		})
	}
}

// ownServer starts a server that the test may stop.
func ownServer(t testing.TB) *mariadb.Server {
	t.Helper()
	srv, err := mariadb.Start(mariadb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return srv
}

// fill opens all connections of the pool.
func fill(t testing.TB, s *Store, conns int) {
	t.Helper()
	var all, here sync.WaitGroup
	here.Add(conns)
	e := &Endpoint{Path: "/fill", Answer: func(*readapi.Read) error {
		here.Done()
		here.Wait() // until every read has a connection
		return nil
	}}
	for range conns {
		all.Go(func() {
			if _, err := s.Run(t.Context(), Query{Endpoint: e}); err != nil {
				t.Error(err)
				here.Done()
			}
		})
	}
	all.Wait()
	if n := s.Stats().Open; n != conns {
		t.Fatalf("%d connections are open, want %d", n, conns)
	}
}

// together runs the same query n times concurrently and returns the errors.
func together(t testing.TB, s *Store, n int) (failed []error) {
	t.Helper()
	errs := make(chan error, n)
	q := query(t, "/metadata/latest/date", nil)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			_, err := s.Run(t.Context(), q)
			errs <- err
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// TestRestart kills and suspends the server while connections are open.
func TestRestart(t *testing.T) {
	const conns = 12
	srv := ownServer(t)
	opts := optionsOf(srv)
	// On a busy machine a server takes seconds to start and to accept a login.
	opts.MaxConns, opts.StatementTimeout, opts.DialTimeout = conns, time.Minute, time.Minute
	s := open(t, opts)
	up := func() {
		t.Helper()
		if err := srv.Run(); err != nil {
			t.Fatal(err)
		}
	}

	fill(t, s, conns)
	srv.Kill()
	for i := range 3 {
		// A read that waited for a time limit would take a minute.
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if _, err := s.Run(ctx, query(t, "/health", nil)); !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			t.Errorf("query %d while the server is down: %v, %v", i, err, ctx.Err())
		}
		if err := s.Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("ping: %v", err)
		}
		if err := s.Check(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("check: %v", err)
		}
	}
	up()

	fill(t, s, conns)
	srv.Kill()
	up()
	if failed := together(t, s, conns); len(failed) > 0 {
		t.Errorf("%d of %d first queries after a restart fail: %v", len(failed), conns, failed)
	}

	// A read that has begun is repeated once.
	tries := 0
	e := &Endpoint{Path: "/restart", Answer: func(r *readapi.Read) error {
		if tries++; tries == 1 {
			srv.Kill()
			up()
		}
		return r.Rows("SELECT 'again'", nil, func(row []driver.Value) error {
			r.Body = append(r.Body, jsontext.AsText(row[0])...)
			return nil
		})
	}}
	if a, err := s.Run(t.Context(), Query{Endpoint: e}); err != nil || string(a.Body) != "again" || tries != 2 {
		t.Errorf("a restart during a query: %q, %v after %d tries", a.Body, err, tries)
	}
	tries = 0
	e = &Endpoint{Path: "/down", Answer: func(r *readapi.Read) error {
		if tries++; tries == 1 {
			srv.Kill()
		}
		return r.Rows("SELECT 1", nil, func([]driver.Value) error { return nil })
	}}
	if _, err := s.Run(t.Context(), Query{Endpoint: e}); !errors.Is(err, ErrUnavailable) || tries != 1 {
		t.Errorf("the server goes away during a query: %v after %d tries", err, tries)
	}
	up()
	ask(t, s, 200, "/health", nil)
	opts.StatementTimeout = 4 * time.Second
	s = open(t, opts)
	fill(t, s, conns)
	hang(t, srv, s)
}

// readMargin is the constant of package pool.
const readMargin = 2 * time.Second

// hang suspends the server's process: connections are accepted and get no answer.
func hang(t *testing.T, srv *mariadb.Server, s *Store) {
	if err := srv.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Run(ctx, query(t, "/health", nil)); !errors.Is(err, ErrTimeout) {
		t.Errorf("a server that hangs, and a caller with 200 ms: %v", err)
	}
	// Without a deadline of the caller, the limit of the connection ends the read,
	// which is not repeated.
	start := time.Now()
	_, err := s.Run(t.Context(), query(t, "/health", nil))
	took := time.Since(start)
	if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrTimeout) {
		t.Errorf("a server that hangs: %v", err)
	}
	if most := 2 * (4*time.Second + readMargin); took >= most {
		t.Errorf("a server that hangs: %v after %v, want less than %v", err, took, most)
	}
	if err := srv.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	ask(t, s, 200, "/health", nil)
	if failed := together(t, s, 12); len(failed) > 0 {
		t.Errorf("after the hang: %v", failed)
	}
}
