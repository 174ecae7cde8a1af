package pool

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/pool/socket"
	"github.com/lewistv/xcri-proxy/store/secure"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/relay"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

func TestMain(m *testing.M) { os.Exit(scratch.Main(m)) }

// shared returns the server of all tests that do not stop it.
func shared(t testing.TB) *mariadb.Server { return scratch.Server(t) }

func optionsOf(s *mariadb.Server) Options {
	return Options{Host: s.Host, Port: s.Port, Name: mariadb.Database, User: mariadb.Reader, Password: mariadb.Password}
}

// root returns connections with all privileges.
func root(t testing.TB, s *mariadb.Server) *sql.DB {
	t.Helper()
	db, err := s.Root(mariadb.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func execute(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

var accounts atomic.Int64

// account creates a reader that no other test uses, with account options such as
// REQUIRE SSL.
func account(t testing.TB, s *mariadb.Server, options string) Options {
	t.Helper()
	opts := optionsOf(s)
	opts.User = fmt.Sprintf("pooltest%d", accounts.Add(1))
	db := root(t, s)
	execute(t, db, "CREATE USER "+opts.User+"@'%' IDENTIFIED BY '"+opts.Password+"' "+options,
		"GRANT SELECT ON "+opts.Name+".* TO "+opts.User+"@'%'")
	t.Cleanup(func() { execute(t, db, "DROP USER "+opts.User+"@'%'") })
	return opts
}

func open(t testing.TB, opts Options) *Pool {
	t.Helper()
	p, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// read runs one statement and returns the first column of its last row.
func read(ctx context.Context, p *Pool, text string, args ...any) (value string, err error) {
	err = p.Read(ctx, "read", func(c *Conn) error {
		value = ""
		return c.Rows(text, args, func(row []driver.Value) error {
			value = asText(row[0])
			return nil
		})
	})
	return value, err
}

func mustRead(t testing.TB, p *Pool, text string) string {
	t.Helper()
	value, err := read(t.Context(), p, text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

// poll is a Poll of one statement.
func pollOnce(ctx context.Context, p *Pool, text string) (string, error) {
	return Poll(ctx, p, "poll", func(c *Conn) (value string, err error) {
		err = c.Rows(text, nil, func(row []driver.Value) error {
			value = asText(row[0])
			return nil
		})
		return value, err
	})
}

// fill opens conns connections of the pool and leaves them idle.
func fill(t testing.TB, p *Pool, conns int) {
	t.Helper()
	var all, here sync.WaitGroup
	here.Add(conns)
	for range conns {
		all.Go(func() {
			err := p.Read(t.Context(), "fill", func(*Conn) error {
				here.Done()
				here.Wait() // until every read has a connection
				return nil
			})
			if err != nil {
				t.Error(err)
				here.Done()
			}
		})
	}
	all.Wait()
	if n := p.Stats().Open; n != conns {
		t.Fatalf("%d connections are open, want %d", n, conns)
	}
}

// threads returns the commands of the account's connections by their ID.
func threads(t testing.TB, db *sql.DB, user string) map[int64]string {
	t.Helper()
	rows, err := db.Query("SELECT id, command FROM information_schema.processlist WHERE user = ?", user)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[int64]string{}
	for rows.Next() {
		var id int64
		var command string
		if err := rows.Scan(&id, &command); err != nil {
			t.Fatal(err)
		}
		all[id] = command
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// await polls until a condition that another process causes holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never " + what)
		}
	}
}

// All reads succeed on the existing connections when the server grants no further
// connection because of any of its limits (1040, 1203, 1226).
func TestReadsWaitForRoom(t *testing.T) {
	srv := shared(t)
	for name, option := range map[string]string{"max_connections": "", "the account's limit": "WITH MAX_USER_CONNECTIONS 5"} {
		t.Run(name, func(t *testing.T) {
			opts := account(t, srv, option)
			var rooms []Room
			var mu sync.Mutex
			opts.OnRoom = func(r Room) { mu.Lock(); rooms = append(rooms, r); mu.Unlock() }
			p := open(t, opts)
			fill(t, p, 5)
			if option == "" {
				useUp(t, srv)
			}
			var all sync.WaitGroup
			for i := range 24 {
				all.Go(func() {
					if got, err := read(t.Context(), p, "SELECT "+strconv.Itoa(i)+" FROM (SELECT SLEEP(0.02)) s"); err != nil || got != strconv.Itoa(i) {
						t.Errorf("read %d: %q, %v", i, got, err)
					}
				})
			}
			for range 5 {
				if _, err := pollOnce(t.Context(), p, "SELECT 1"); err != nil {
					t.Errorf("a poll beside them: %v", err)
				}
			}
			all.Wait()
			if s := p.Stats(); s.Limit != 5 || s.Open != 5 || s.Refused == 0 || s.Waits == 0 {
				t.Errorf("%+v", s)
			}
			mu.Lock()
			defer mu.Unlock()
			if len(rooms) == 0 || rooms[len(rooms)-1].Granted != 5 || rooms[0].Wanted != 8 || dberror.NumberOf(rooms[0].Cause) == 0 {
				t.Errorf("reported %+v", rooms)
			}
		})
	}
}

// useUp opens connections until the server grants no further one.
func useUp(t *testing.T, srv *mariadb.Server) {
	db := root(t, srv)
	execute(t, db, "SET GLOBAL max_connections = 20")
	t.Cleanup(func() { execute(t, db, "SET GLOBAL max_connections = 100") })
	others := open(t, optionsOf(srv))
	for {
		l, err := others.dialer.open(t.Context())
		if dberror.NumberOf(err) == 1040 {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.conn.Close() })
	}
}

// If the server grants no connection at all, a read fails once DialTimeout has passed.
func TestNoRoomAtAll(t *testing.T) {
	srv := shared(t)
	opts := account(t, srv, "WITH MAX_USER_CONNECTIONS 1")
	held := open(t, opts)
	fill(t, held, 1)
	p := open(t, opts)
	if _, err := read(t.Context(), p, "SELECT 1"); !errors.Is(err, dberror.ErrUnavailable) || dberror.NumberOf(err) != 1226 {
		t.Errorf("no connection: %v", err)
	}
	// A read waits for a moment, and works as soon as there is one.
	opts.DialTimeout = time.Minute
	p = open(t, opts)
	refused := p.Stats().Refused
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if _, err := read(t.Context(), p, "SELECT 1"); err != nil {
			t.Error(err)
		}
	})
	await(t, "refused", func() bool { return p.Stats().Refused > refused })
	held.Close()
	waiting.Wait()
}

// Capacity compares the settings with the server's limits.
func TestCapacity(t *testing.T) {
	srv := shared(t)
	opts := account(t, srv, "WITH MAX_USER_CONNECTIONS 6")
	other := open(t, opts)
	fill(t, other, 3)
	p := open(t, opts)
	c, err := p.Capacity(t.Context())
	if err != nil || c.Wanted != 8 || c.Server != 100 || c.Account != 6 || c.AccountUsed != 4 || c.Ours != 1 || c.Used < 4 || c.Room() != 3 {
		t.Errorf("%+v, room %d, %v", c, c.Room(), err)
	}
	for _, tt := range []struct {
		c    Capacity
		want int
	}{
		{Capacity{Wanted: 8, Server: 151, Used: 10}, 8},
		{Capacity{Wanted: 8, Server: 151, Used: 150, Ours: 1}, 2},
		{Capacity{Wanted: 8, Server: 151, Used: 152, Ours: 2}, 2},
		{Capacity{Wanted: 8, Server: 151, Used: 10, Account: 4, AccountUsed: 3, Ours: 1}, 2},
	} {
		if got := tt.c.Room(); got != tt.want {
			t.Errorf("%+v: %d, want %d", tt.c, got, tt.want)
		}
	}
}

// With one connection a poll waits for a slow read. If its time ends first, it reports
// that it got no connection, which is no outage, and the read goes on.
func TestPollBehindASlowRead(t *testing.T) {
	opts := account(t, shared(t), "")
	opts.MaxConns = 1
	p := open(t, opts)
	reading, release := make(chan struct{}), make(chan struct{})
	var slow sync.WaitGroup
	slow.Go(func() {
		err := p.Read(t.Context(), "slow", func(*Conn) error {
			close(reading)
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-reading
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := pollOnce(ctx, p, "SELECT 1"); !errors.Is(err, dberror.ErrBusy) || errors.Is(err, dberror.ErrUnavailable) || dberror.ClassOf(err) != dberror.NoRoom {
		t.Errorf("got %v", err)
	}
	// A poll that waits is served before reads that came earlier. The order is that in
	// which they get the connection: a caller may learn late that its call has ended.
	order := make(chan string, 8)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if err := p.Read(t.Context(), "waiting", func(*Conn) error { order <- "read"; return nil }); err != nil {
			t.Error(err)
		}
	})
	await(t, "a read that waits", func() bool { return p.Stats().Waits == 2 })
	waiting.Go(func() {
		if _, err := Poll(t.Context(), p, "waiting", func(*Conn) (int, error) { order <- "poll"; return 0, nil }); err != nil {
			t.Error(err)
		}
	})
	await(t, "a poll that waits", func() bool { return p.Stats().Waits == 3 })
	close(release)
	if first := <-order; first != "poll" {
		t.Errorf("the %s is served first", first)
	}
	waiting.Wait()
	slow.Wait()
}

// A read whose statement or connection is killed is repeated, and other reads are not
// affected.
func TestKilledReadsAreRepeated(t *testing.T) {
	srv := shared(t)
	db := root(t, srv)
	for _, kill := range []string{"KILL QUERY", "KILL CONNECTION"} {
		t.Run(kill, func(t *testing.T) {
			p := open(t, account(t, srv, ""))
			fill(t, p, 3)
			var ids []string
			err := p.Read(t.Context(), "killed", func(c *Conn) error {
				id := strconv.FormatInt(c.link.id, 10)
				if ids = append(ids, id); len(ids) > 1 {
					return c.Rows("SELECT 1", nil, func([]driver.Value) error { return nil })
				}
				go func() {
					for state := ""; state != "User sleep"; {
						if db.QueryRow("SELECT state FROM information_schema.processlist WHERE id = "+id).Scan(&state) != nil {
							return
						}
					}
					db.Exec(kill + " " + id)
				}()
				return c.Rows("SELECT 1 FROM (SELECT SLEEP(20)) s", nil, func([]driver.Value) error { return nil })
			})
			if err != nil || len(ids) != 2 || ids[0] == ids[1] {
				t.Errorf("%v over connections %v", err, ids)
			}
			mustRead(t, p, "SELECT 1")
		})
	}
}

// sleep sleeps for 5 s. MySQL answers a statement of nothing but SLEEP without an error
// if its limit ends it.
const sleep = "SELECT 1 FROM (SELECT SLEEP(5)) s"

const metadata = "iz_rankings_xcri_calculation_metadata"

// A table that is altered between two statements of a read (1412) makes the read
// begin again, also in a transaction that an earlier read has begun.
func TestAlteredTable(t *testing.T) {
	srv := shared(t)
	db := root(t, srv)
	p := open(t, optionsOf(srv))
	for _, ctx := range []context.Context{t.Context(), p.WithSeries(t.Context())} {
		execute(t, db, "CREATE TABLE altered (a INT PRIMARY KEY)", "INSERT INTO altered VALUES (1)")
		if _, err := read(ctx, p, "SELECT 1 FROM "+metadata); err != nil {
			t.Fatal(err)
		}
		readAltered(t, ctx, p, db)
		execute(t, db, "DROP TABLE altered")
	}
}

func readAltered(t *testing.T, ctx context.Context, p *Pool, db *sql.DB) {
	t.Helper()
	tries := 0
	value := ""
	err := p.Read(ctx, "altered", func(c *Conn) error {
		if err := c.Rows("SELECT 1 FROM "+metadata, nil, func([]driver.Value) error { return nil }); err != nil {
			return err
		}
		if tries++; tries == 1 {
			execute(t, db, "ALTER TABLE altered ADD COLUMN b INT DEFAULT 7, ALGORITHM = COPY")
		}
		return c.Rows("SELECT b FROM altered", nil, func(row []driver.Value) error {
			value = asText(row[0])
			return nil
		})
	})
	if err != nil || tries != 2 || value != "7" {
		t.Errorf("%q after %d tries, %v", value, tries, err)
	}
}

// A statement that ends by its own limit is not repeated.
func TestNotRepeated(t *testing.T) {
	opts := optionsOf(shared(t))
	opts.StatementTimeout = 100 * time.Millisecond
	p := open(t, opts)
	for text, want := range map[string]error{sleep: dberror.ErrTimeout, "SELECT nothing FROM " + metadata: dberror.ErrSetup, "nonsense": nil} {
		tries := 0
		err := p.Read(t.Context(), "slow", func(c *Conn) error {
			tries++
			return c.Rows(text, nil, func([]driver.Value) error { return nil })
		})
		if err == nil || want != nil && !errors.Is(err, want) || tries != 1 {
			t.Errorf("%s: %v after %d tries", text, err, tries)
		}
	}
}

// relayed returns options that reach the server through a relay.
func relayed(t testing.TB, opts Options, listen string) (Options, *relay.Relay) {
	t.Helper()
	r := relay.Start(t, listen, net.JoinHostPort(opts.Host, strconv.Itoa(opts.Port)))
	opts.Host, opts.Port = r.Addr()
	return opts, r
}

// A connection that is reset in the middle of a result makes the read start again on a
// new connection. After a second reset the read fails, but is no outage, since the
// server answers.
func TestResetInAResult(t *testing.T) {
	opts, r := relayed(t, optionsOf(shared(t)), "127.0.0.1:0")
	p := open(t, opts)
	const large = "SELECT REPEAT('x', 1000) FROM " + metadata + " a, " + metadata + " b"
	want := mustRead(t, p, "SELECT COUNT(*) FROM "+metadata+" a, "+metadata+" b")
	for resets, fails := range map[int]bool{1: false, 2: true} {
		tries, rows := 0, 0
		err := p.Read(t.Context(), "reset", func(c *Conn) error {
			rows = 0
			if tries++; tries <= resets {
				r.CutAfter(50_000)
				defer r.CutAfter(0)
			}
			return c.Rows(large, nil, func([]driver.Value) error { rows++; return nil })
		})
		if tries != 2 || (err != nil) != fails || !fails && strconv.Itoa(rows) != want {
			t.Errorf("%d resets: %d rows of %s, %v after %d tries", resets, rows, want, err, tries)
		}
		if fails && (!errors.Is(err, dberror.ErrInterrupted) || errors.Is(err, dberror.ErrUnavailable)) {
			t.Errorf("%d resets: %v", resets, err)
		}
		mustRead(t, p, "SELECT 1")
	}
}

// If pooled connections hang while new connections work, a poll detects it and answers, the
// hanging reads are repeated, and none of the old connections is used again.
func TestForgottenConnections(t *testing.T) {
	srv := shared(t)
	db := root(t, srv)
	opts, r := relayed(t, account(t, srv, ""), "127.0.0.1:0")
	p := open(t, opts)
	fill(t, p, 6)
	old := map[*link]bool{}
	for _, l := range p.stock.all() {
		old[l] = true
	}
	r.Freeze()
	// The poll has less time than the timeout of a connection.
	long, cancelLong := context.WithTimeout(t.Context(), time.Minute)
	defer cancelLong()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if got, err := read(long, p, "SELECT 'answer'"); err != nil || got != "answer" {
				t.Errorf("a read on a forgotten connection: %q, %v", got, err)
			}
		})
	}
	await(t, "three reads", func() bool { return p.Stats().InUse == 3 })
	short, cancelShort := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancelShort()
	for {
		if got, err := pollOnce(short, p, "SELECT 'poll'"); err != nil || got != "poll" {
			t.Fatalf("poll: %q, %v", got, err)
		}
		if p.Stats().InUse == 0 {
			break
		}
	}
	all.Wait()
	mustRead(t, p, "SELECT 1")
	fill(t, p, 6)
	for _, l := range p.stock.all() {
		if old[l] {
			t.Error("an old connection is still open")
		}
	}
	// The polls' own connections are closed, and the frozen connections stay open.
	await(t, "closed", func() bool { return len(threads(t, db, opts.User)) <= 12 })
}

// Hanging connections are detected even if the poll's own connection works.
func TestForgottenConnectionsBesideAWorkingPoll(t *testing.T) {
	opts, r := relayed(t, account(t, shared(t), ""), "127.0.0.1:0")
	p := open(t, opts)
	var all, begun sync.WaitGroup
	begun.Add(3)
	frozen := make(chan struct{})
	for range 3 {
		all.Go(func() {
			tries := 0
			err := p.Read(t.Context(), "read", func(c *Conn) error {
				if tries++; tries == 1 {
					begun.Done()
					<-frozen
				}
				return c.Rows("SELECT 1", nil, func([]driver.Value) error { return nil })
			})
			if err != nil || tries != 2 {
				t.Errorf("%v after %d tries", err, tries)
			}
		})
	}
	begun.Wait()
	r.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // less than a read may take
	defer cancel()
	if _, err := pollOnce(ctx, p, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	close(frozen)
	for p.Stats().InUse > 0 {
		if _, err := pollOnce(ctx, p, "SELECT 1"); err != nil {
			t.Fatalf("poll: %v", err)
		}
	}
	all.Wait()
}

// While no poll looks for hanging connections, the pool does, each time and long before the
// timeout of a statement. Statements that the server still runs go on.
func TestForgottenConnectionsWithoutPolls(t *testing.T) {
	opts, r := relayed(t, account(t, shared(t), ""), "127.0.0.1:0")
	opts.StatementTimeout = time.Minute
	p := open(t, opts)
	for range 2 {
		fill(t, p, 3)
		r.Freeze()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := read(t.Context(), p, "SELECT 1"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	tries := 0
	if err := p.Read(t.Context(), "slow", func(c *Conn) error {
		tries++
		return c.Rows("SELECT SLEEP(7)", nil, func([]driver.Value) error { return nil }) // more than two patrols
	}); err != nil || tries != 1 {
		t.Errorf("a slow statement: %v after %d tries", err, tries)
	}
}

// A connection whose slow statement the server still runs is not dropped.
func TestSlowReadsAreNotDropped(t *testing.T) {
	p := open(t, account(t, shared(t), ""))
	tries := 0
	var slow sync.WaitGroup
	slow.Go(func() {
		err := p.Read(t.Context(), "slow", func(c *Conn) error {
			tries++
			return c.Rows("SELECT SLEEP(1.5)", nil, func([]driver.Value) error { return nil })
		})
		if err != nil || tries != 1 {
			t.Errorf("%v after %d tries", err, tries)
		}
	})
	await(t, "reading", func() bool { return p.Stats().InUse == 1 })
	for p.Stats().InUse > 0 {
		if _, err := pollOnce(t.Context(), p, "SELECT 1"); err != nil {
			t.Error(err)
		}
	}
	slow.Wait()
}

// lateConn is a connection whose process reads late: while its lock is held, nothing is read.
type lateConn struct {
	net.Conn
	late sync.RWMutex
}

func (c *lateConn) Read(b []byte) (int, error) {
	c.late.RLock()
	defer c.late.RUnlock()
	return c.Conn.Read(b)
}

// TestLateReadsAreNotDropped: a read whose result has arrived is not dropped although the
// server lists its connection as idle: a process that waits for a processor reads late.
func TestLateReadsAreNotDropped(t *testing.T) {
	opts := account(t, shared(t), "")
	p := open(t, opts)
	h := p.dialer.hosts[0]
	cfg, err := configOf(p.opts, h.name)
	if err != nil {
		t.Fatal(err)
	}
	var first atomic.Pointer[lateConn]
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := socket.Dial(ctx, network, addr)
		late := &lateConn{Conn: conn}
		first.CompareAndSwap(nil, late)
		return late, err
	}
	if h.connector, err = mysql.NewConnector(cfg); err != nil {
		t.Fatal(err)
	}
	tries := 0
	var waits sync.WaitGroup
	begun := make(chan *link)
	waits.Go(func() {
		err := p.Read(t.Context(), "late", func(c *Conn) error {
			if tries++; tries == 1 {
				first.Load().late.Lock()
				begun <- c.link
			}
			return c.Rows("SELECT 1", nil, func([]driver.Value) error { return nil })
		})
		if err != nil || tries != 1 {
			t.Errorf("%v after %d tries", err, tries)
		}
	})
	l := <-begun
	await(t, "arrived", func() bool { return l.socket.Unread() && time.Since(l.awaits.Get()) > 2*hedgeAfter })
	for range 3 {
		if _, err := pollOnce(t.Context(), p, "SELECT 1"); err != nil {
			t.Error(err)
		}
	}
	first.Load().late.Unlock()
	waits.Wait()
}

// A server that accepts connections but never answers is reported as unavailable
// within the time of a poll.
func TestSilentServer(t *testing.T) {
	opts, r := relayed(t, optionsOf(shared(t)), "127.0.0.1:0")
	r.Silence(true)
	p := open(t, opts)
	if _, err := read(t.Context(), p, "SELECT 1"); !errors.Is(err, dberror.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	r.Silence(false)
	mustRead(t, p, "SELECT 1")
}

// A read that fails because its connections are lost again and again is not an
// outage while other reads succeed.
func TestOutageNeedsAProbe(t *testing.T) {
	opts, r := relayed(t, optionsOf(shared(t)), "127.0.0.1:0")
	p := open(t, opts)
	cut := func(c *Conn) error {
		r.Cut()
		return c.Rows("SELECT 1", nil, func([]driver.Value) error { return nil })
	}
	if err := p.Read(t.Context(), "cut", cut); !errors.Is(err, dberror.ErrInterrupted) || errors.Is(err, dberror.ErrUnavailable) {
		t.Errorf("the server answers: %v", err)
	}
	gone := func(c *Conn) error {
		r.Close()
		return cut(c)
	}
	if err := p.Read(t.Context(), "gone", gone); !errors.Is(err, dberror.ErrUnavailable) {
		t.Errorf("the server is gone: %v", err)
	}
}

// heavyJoin takes hours. Unlike SLEEP it does not detect that its client has left.
const heavyJoin = "SELECT COUNT(*) FROM " + athletes + " a JOIN " + athletes + " b JOIN " + athletes + " c" +
	" WHERE a.xcri_score + b.xcri_score + c.xcri_score < 0"

const athletes = "iz_rankings_xcri_athlete_rankings"

// A cancelled read is ended in the server too, and its place is free again.
func TestCancelEndsTheStatement(t *testing.T) {
	srv := shared(t)
	db := root(t, srv)
	for name, conns := range map[string]int{"the pool's other connections": 4, "no other connection": 2} {
		t.Run(name, func(t *testing.T) {
			opts := account(t, srv, "")
			opts.MaxConns, opts.StatementTimeout = conns, time.Hour
			p := open(t, opts)
			p.killTimeout = time.Minute
			if conns == 4 {
				fill(t, p, 4)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			for range 2 {
				all.Go(func() {
					if _, err := read(ctx, p, heavyJoin); !errors.Is(err, context.Canceled) {
						t.Errorf("got %v", err)
					}
				})
			}
			busy := func() (n int) {
				for _, command := range threads(t, db, opts.User) {
					if command == "Query" {
						n++
					}
				}
				return n
			}
			await(t, "two statements", func() bool { return busy() == 2 })
			cancel()
			all.Wait()
			await(t, "killed", func() bool { return busy() == 0 })
			await(t, "free", func() bool { return p.Stats().InUse == 0 })
			mustRead(t, p, "SELECT 1")
		})
	}
}

// A cancelled read is ended in the server even if its statement has not yet begun there: a
// relay holds the statement back.
func TestCancelEndsALateStatement(t *testing.T) {
	srv := shared(t)
	opts, r := relayed(t, account(t, srv, ""), "127.0.0.1:0")
	opts.MaxConns = 2
	p, db := open(t, opts), root(t, srv)
	p.killTimeout = time.Minute
	mustRead(t, p, "SELECT 1")
	before := slices.Collect(maps.Keys(threads(t, db, opts.User)))
	r.Freeze()
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() { read(ctx, p, heavyJoin) })
	await(t, "begun", func() bool { return p.Stats().InUse == 1 })
	cancel()
	reading.Wait()
	await(t, "killed", func() bool {
		now := threads(t, db, opts.User)
		return !slices.ContainsFunc(before, func(id int64) bool { _, there := now[id]; return there })
	})
}

// Cancelling never kills the statement of another read: readers cancel at random while
// others count.
func TestCancelLeavesOthersAlone(t *testing.T) {
	p := open(t, account(t, shared(t), ""))
	var all sync.WaitGroup
	for i := range 7 {
		all.Go(func() {
			for n := range 60 {
				if i%2 == 0 {
					if got, err := read(t.Context(), p, "SELECT 1 + SLEEP(0.001)"); err != nil || got != "1" {
						t.Errorf("a read without cancellation: %q, %v", got, err)
					}
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n%7)*time.Millisecond/2)
				read(ctx, p, "SELECT SLEEP(0.002)")
				cancel()
			}
		})
	}
	all.Wait()
	await(t, "free", func() bool { return p.Stats().InUse == 0 })
}

// Every kind of wrong account or set-up is reported with its own reason.
func TestReasons(t *testing.T) {
	srv := shared(t)
	for _, tt := range []struct {
		name, option string
		change       func(*Options)
		want         dberror.Reason
	}{
		{"a wrong password", "", func(o *Options) { o.Password = "x" }, dberror.Denied},
		{"a locked account", "ACCOUNT LOCK", nil, dberror.Blocked},
		{"an expired password", "PASSWORD EXPIRE", nil, dberror.Blocked},
		{"an unknown database", "", func(o *Options) { o.Name = "nowhere" }, dberror.NoDatabase},
		{"TLS that the server has not", "", func(o *Options) { o.TLS.Mode = secure.Required }, dberror.NoTLS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := account(t, srv, tt.option)
			if tt.change != nil {
				tt.change(&opts)
			}
			_, err := read(t.Context(), open(t, opts), "SELECT 1 FROM "+metadata)
			if !errors.Is(err, dberror.ErrSetup) || dberror.ReasonOf(err) != tt.want || dberror.ClassOf(err) != dberror.Setup {
				t.Errorf("%v: reason %d, class %v", err, dberror.ReasonOf(err), dberror.ClassOf(err))
			}
			if _, err := pollOnce(t.Context(), open(t, opts), "SELECT 1 FROM "+metadata); !errors.Is(err, dberror.ErrSetup) {
				t.Errorf("a poll: %v", err)
			}
		})
	}
	opts := optionsOf(srv)
	opts.Name = "information_schema"
	if _, err := read(t.Context(), open(t, opts), "SELECT 1 FROM nothing"); dberror.ReasonOf(err) != dberror.NoTable {
		t.Errorf("a missing table: %v", err)
	}
}

// An account with the host part localhost is denied over TCP if the server does
// not resolve names, and works over the socket.
func TestHostPart(t *testing.T) {
	srv, err := mariadb.Start(mariadb.Options{Empty: true, Args: []string{"--skip-name-resolve"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	db := root(t, srv)
	execute(t, db, "CREATE USER local@localhost IDENTIFIED BY 'x'", "GRANT SELECT ON "+mariadb.Database+".* TO local@localhost")
	opts := Options{Host: srv.Host, Port: srv.Port, Name: mariadb.Database, User: "local", Password: "x"}
	if _, err := read(t.Context(), open(t, opts), "SELECT 1"); dberror.ReasonOf(err) != dberror.Denied || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("over TCP: %v, reason %d", err, dberror.ReasonOf(err))
	}
	opts.Socket = srv.Socket
	mustRead(t, open(t, opts), "SELECT 1")
}
