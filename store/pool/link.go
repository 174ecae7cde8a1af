package pool

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/pool/concurrent"
	"github.com/lewistv/xcri-proxy/store/pool/socket"
	"github.com/lewistv/xcri-proxy/store/steps"
)

// link is an open connection. Except for the atomic fields, it belongs to the read
// that uses it.
type link struct {
	conn     driver.Conn
	socket   socket.Socket
	id       int64 // of the server's thread
	server   *host
	term     int64 // the dialer's term at the opening
	opened   time.Time
	released time.Time
	urgent   bool          // took an urgent place
	limit    time.Duration // of a statement in this session
	// awaits is when the statement under way was sent; zero once its result has begun to
	// arrive.
	awaits concurrent.Moment
	drop   atomic.Pointer[context.CancelFunc] // ends the read that uses the link
}

// reset prepares an idle connection for its next read. It fails if the server
// has closed it.
func (l *link) reset(ctx context.Context) bool {
	return l.valid() && l.conn.(driver.SessionResetter).ResetSession(ctx) == nil
}

func (l *link) valid() bool { return l.conn.(driver.Validator).IsValid() }

func (l *link) exec(ctx context.Context, statement string) error {
	steps.Of(ctx).Begin(steps.Querying)
	l.awaits.Set(time.Now())
	defer l.awaits.Clear()
	_, err := l.conn.(driver.ExecerContext).ExecContext(ctx, statement, nil)
	return err
}

// query calls row for each row of the result. The values are the driver's own,
// valid during the call.
func (l *link) query(ctx context.Context, text string, args []driver.NamedValue, row func([]driver.Value) error) error {
	m := steps.Of(ctx)
	m.Begin(steps.Querying)
	l.awaits.Set(time.Now())
	rows, err := l.conn.(driver.QueryerContext).QueryContext(ctx, text, args)
	l.awaits.Clear()
	if err != nil {
		return err
	}
	defer rows.Close()
	values := make([]driver.Value, len(rows.Columns()))
	err = rows.Next(values)
	m.Begin(steps.Receiving)
	row, report := m.Each(row)
	defer m.Begin(steps.Handling)
	defer report()
	for ; err == nil; err = rows.Next(values) {
		if err := row(values); err != nil {
			return err
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// number returns the last value of a result as a number; zero if there is none.
func (l *link) number(ctx context.Context, text string) (n int64, err error) {
	err = l.query(ctx, text, nil, func(row []driver.Value) error {
		n = asInt(row[len(row)-1])
		return nil
	})
	return n, err
}

// threads calls each for every connection to the server that the account may see:
// its own connections at least.
func (l *link) threads(ctx context.Context, each func(id int64, user, command string)) error {
	return l.query(ctx, "SHOW PROCESSLIST", nil, func(row []driver.Value) error {
		if len(row) < 5 {
			return fmt.Errorf("a list of threads with %d columns", len(row))
		}
		each(asInt(row[0]), asText(row[1]), asText(row[4]))
		return nil
	})
}

func asText(v driver.Value) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(v)
}

func asInt(v driver.Value) int64 {
	n, _ := strconv.ParseInt(asText(v), 10, 64)
	return n
}

// Conn is a connection during one read. It must not be used after the read.
type Conn struct {
	link *link
	ctx  context.Context
	tx   *transaction // nil outside Read
	keep func()       // keeps the connection for the next read; nil releases it
}

// Rows calls row for each row of the result. The values are the driver's own,
// valid during the call: database/sql would convert each by reflection. If the
// server refuses the comparison of a column with the characters of an argument,
// no row matches.
func (c *Conn) Rows(text string, args []any, row func([]driver.Value) error) error {
	err := c.link.query(c.ctx, text, named(args), row)
	if err == nil || dberror.Of(err).Class != dberror.NoMatch || isASCII(args) {
		return err
	}
	// The argument is the cause only if the statement works without it.
	if other := c.link.query(c.ctx, "EXPLAIN "+text, named(inASCII(args)), func([]driver.Value) error { return nil }); other != nil {
		return err
	}
	return nil
}

func named(args []any) []driver.NamedValue {
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return named
}

func isASCII(args []any) bool {
	for _, a := range args {
		text, _ := a.(string)
		for i := range len(text) {
			if text[i] >= 0x80 {
				return false
			}
		}
	}
	return true
}

// inASCII returns args in which each text with characters beyond ASCII is replaced.
func inASCII(args []any) []any {
	plain := make([]any, len(args))
	for i, a := range args {
		if plain[i] = a; !isASCII(args[i : i+1]) {
			plain[i] = "x"
		}
	}
	return plain
}
