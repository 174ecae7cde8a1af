package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/dberror"
)

// answering is a connection that answers a statement with rows or an error.
type answering struct {
	driver.Conn
	answer func(text string) ([][]driver.Value, error)
	asked  []string // the statements with their arguments
	closed bool
}

func (a *answering) Close() error  { a.closed = true; return nil }
func (a *answering) IsValid() bool { return !a.closed }

func (a *answering) QueryContext(_ context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	for _, arg := range args {
		text += fmt.Sprintf(" %d=%v", arg.Ordinal, arg.Value)
	}
	a.asked = append(a.asked, text)
	rows, err := a.answer(text)
	if err != nil {
		return nil, err
	}
	return &someRows{rows: rows}, nil
}

type someRows struct {
	driver.Rows
	rows [][]driver.Value
}

func (*someRows) Close() error { return nil }

func (r *someRows) Columns() []string {
	if len(r.rows) == 0 {
		return nil
	}
	return make([]string, len(r.rows[0]))
}

func (r *someRows) Next(row []driver.Value) error {
	if len(r.rows) == 0 {
		return io.EOF
	}
	copy(row, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}

// TestCharactersBeyondTheColumn: if the server cannot compare a column with the characters
// of an argument, no row matches. Any other cause of the same error stays an error.
func TestCharactersBeyondTheColumn(t *testing.T) {
	mixed, other := &mysql.MySQLError{Number: 1267}, &mysql.MySQLError{Number: 1064}
	for name, tt := range map[string]struct {
		args      []any
		fails     error
		alsoPlain bool // the statement fails with other arguments, too
		asked     []string
		none      bool
	}{
		"beyond the column":        {[]any{1, "Ren\u00e9", "M"}, mixed, false, []string{"Q 1=1 2=Ren\u00e9 3=M", "EXPLAIN Q 1=1 2=x 3=M"}, true},
		"the first such character": {[]any{"\u0080"}, mixed, false, []string{"Q 1=\u0080", "EXPLAIN Q 1=x"}, true},
		"another cause":            {[]any{"Ren\u00e9"}, mixed, true, []string{"Q 1=Ren\u00e9", "EXPLAIN Q 1=x"}, false},
		"no such argument":         {[]any{"Rene\x7f", 7}, mixed, false, []string{"Q 1=Rene\x7f 2=7"}, false},
		"another error":            {[]any{"Ren\u00e9"}, other, false, []string{"Q 1=Ren\u00e9"}, false},
	} {
		conn := &answering{answer: func(text string) ([][]driver.Value, error) {
			if text[0] == 'Q' || tt.alsoPlain {
				return nil, tt.fails
			}
			return nil, nil
		}}
		c := &Conn{link: &link{conn: conn}, ctx: t.Context()}
		err := c.Rows("Q", tt.args, func([]driver.Value) error { t.Errorf("%s: a row", name); return nil })
		if tt.none != (err == nil) || !tt.none && !errors.Is(err, tt.fails) || !slices.Equal(conn.asked, tt.asked) {
			t.Errorf("%s: %v, asked %q", name, err, conn.asked)
		}
	}
}

// TestThreads: each of the server's threads is listed with its user and its state. A list
// of another form is an error.
func TestThreads(t *testing.T) {
	rows := [][]driver.Value{{int64(7), []byte("us"), "host", "db", "Sleep"}, {int64(8), []byte("them"), "host", "db", "Query"}}
	l := &link{conn: &answering{answer: func(string) ([][]driver.Value, error) { return rows, nil }}}
	var got []string
	list := func() error {
		got = nil
		return l.threads(t.Context(), func(id int64, user, command string) { got = append(got, fmt.Sprint(id, user, command)) })
	}
	if err := list(); err != nil || !slices.Equal(got, []string{"7usSleep", "8themQuery"}) {
		t.Errorf("%q, %v", got, err)
	}
	rows = [][]driver.Value{{int64(7), "us", "host", "db"}}
	if err := list(); err == nil || got != nil {
		t.Errorf("four columns: %q, %v", got, err)
	}
}

// TestRowFails: an error for a row ends the result and is the error of the statement.
func TestRowFails(t *testing.T) {
	rows := [][]driver.Value{{int64(1)}, {int64(2)}}
	l := &link{conn: &answering{answer: func(string) ([][]driver.Value, error) { return rows, nil }}}
	fails, calls := errors.New("fails"), 0
	if err := l.query(t.Context(), "Q", nil, func([]driver.Value) error { calls++; return fails }); err != fails || calls != 1 {
		t.Errorf("%v after %d rows", err, calls)
	}
	if n, err := l.number(t.Context(), "Q"); n != 2 || err != nil {
		t.Errorf("the last number is %d, %v", n, err)
	}
}

// TestStockOrder: the connection used last is reused first, and the oldest makes room for
// a fresh connection once the limit is reached.
func TestStockOrder(t *testing.T) {
	a, b, c := &link{id: 1}, &link{id: 2}, &link{id: 3}
	s := &stock{open: map[*link]bool{a: true, b: true, c: true}}
	for _, l := range []*link{a, b, c} {
		if surplus := s.push(l, 3); surplus != nil {
			t.Errorf("%d is closed", surplus[0].id)
		}
	}
	if l := s.pop(true, 4); l != nil {
		t.Errorf("%d is taken although the server has room", l.id)
	}
	s.dial()
	if s.granted() != 4 || s.size() != 3 {
		t.Errorf("%d granted, %d open", s.granted(), s.size())
	}
	if l := s.pop(true, 4); l != a {
		t.Errorf("not the oldest: %+v", l)
	}
	s.dialled(nil)
	for _, want := range []*link{c, b, nil} {
		if l := s.pop(false, 3); l != want {
			t.Errorf("%+v, want %+v", l, want)
		}
	}
}

// TestSurplusConnections: a connection over the limit is closed, as is every connection of
// a closed stock, and a connection that was idle for too long, unless it is alone.
func TestSurplusConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := &link{id: 1}, &link{id: 2}, &link{id: 3}
		s := &stock{open: map[*link]bool{a: true, b: true, c: true}}
		if got := s.push(c, 2); !slices.Equal(got, []*link{c}) {
			t.Errorf("over the limit: %v", got)
		}
		s.push(a, 3)
		time.Sleep(connLifetime)
		if got := s.push(b, 3); got != nil {
			t.Errorf("idle for its lifetime: %v", got)
		}
		time.Sleep(time.Nanosecond)
		if got := s.push(c, 3); !slices.Equal(got, []*link{a}) {
			t.Errorf("idle for longer: %v", got)
		}
		time.Sleep(connLifetime + 1)
		s.pop(false, 3)
		s.pop(false, 3)
		if got := s.push(b, 3); got != nil {
			t.Errorf("alone: %v", got)
		}
		s.close()
		if got := s.push(c, 3); !slices.Contains(got, c) || s.begin(&sync.WaitGroup{}) {
			t.Errorf("closed: %v", got)
		}
	})
}

// TestRepeat: a lost connection is replaced once, and a lost snapshot three times, within
// the time of a statement and while the caller waits.
func TestRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &Pool{opts: Options{StatementTimeout: time.Minute}}
		ended, end := context.WithCancel(t.Context())
		end()
		begun := time.Now()
		for name, tt := range map[string]struct {
			ctx   context.Context
			err   error
			most  int
			after time.Duration
		}{
			"a lost snapshot":         {t.Context(), &mysql.MySQLError{Number: 1412}, 3, 0},
			"a lost connection":       {t.Context(), mysql.ErrInvalidConn, 1, 0},
			"a lost connection, late": {t.Context(), mysql.ErrInvalidConn, 0, time.Minute},
			"no caller":               {ended, mysql.ErrInvalidConn, 0, 0},
			"a bad statement":         {t.Context(), &mysql.MySQLError{Number: 1064}, 0, 0},
			"no error":                {t.Context(), nil, 0, 0},
		} {
			for repeats := range 5 {
				if got := p.repeat(tt.ctx, tt.err, begun.Add(-tt.after), repeats); got != (repeats < tt.most) {
					t.Errorf("%s: repeated after %d repeats: %t (class %v)", name, repeats, got, dberror.Of(tt.err))
				}
			}
		}
	})
}

// TestRoom: a pool may have its own connections and the rest of the tighter limit, up
// to the number that it wants.
func TestRoom(t *testing.T) {
	for _, tt := range []struct {
		Capacity
		want int
	}{
		{Capacity{Wanted: 8, Server: 100, Used: 20}, 8},
		{Capacity{Wanted: 8, Server: 100, Used: 95, Ours: 2}, 7},
		{Capacity{Wanted: 8, Server: 100, Used: 101, Ours: 2}, 2},
		{Capacity{Wanted: 8, Server: 100, Used: 20, Account: 5, AccountUsed: 4, Ours: 2}, 3},
		{Capacity{Wanted: 8, Server: 100, Used: 99, Account: 50, AccountUsed: 4, Ours: 2}, 3},
		{Capacity{Wanted: 8, Server: 100, Used: 20, Account: 0, AccountUsed: 4, Ours: 2}, 8},
		{Capacity{Wanted: 8, Server: 100, Used: 20, Account: 1, AccountUsed: 0}, 1},
	} {
		if got := tt.Room(); got != tt.want {
			t.Errorf("%+v: %d", tt.Capacity, got)
		}
	}
}

// TestClosedPoolTakesNoWork: reads and polls of a closed pool fail, and nothing is called.
func TestClosedPoolTakesNoWork(t *testing.T) {
	p, err := New(Options{Host: "127.0.0.1", Port: 1})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if n, err := Poll(t.Context(), p, "poll", func(*Conn) (int, error) { t.Error("called"); return 1, nil }); n != 0 || !errors.Is(err, errClosed) {
		t.Errorf("%d, %v", n, err)
	}
	if err := p.Read(t.Context(), "read", func(*Conn) error { t.Error("called"); return nil }); !errors.Is(err, errClosed) {
		t.Error(err)
	}
}

// TestDialTimeOfSeveralHosts: with several hosts there is time to try a second host.
func TestDialTimeOfSeveralHosts(t *testing.T) {
	for _, tt := range []struct {
		opts Options
		want time.Duration
	}{
		{Options{Host: "a"}, 2 * time.Second},
		{Options{Host: "a,b"}, 800 * time.Millisecond},
		{Options{Host: "a,b", Socket: "/socket"}, 2 * time.Second},
		{Options{Host: "a,b", DialTimeout: time.Minute}, time.Minute},
	} {
		if got := tt.opts.withDefaults().DialTimeout; got != tt.want {
			t.Errorf("%+v: %v", tt.opts, got)
		}
	}
}
