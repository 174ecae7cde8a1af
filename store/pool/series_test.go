package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/gate"
	"github.com/lewistv/xcri-proxy/store/pool/session"
)

// inSeries runs f in a bubble, with a pool of one connection, which records its statements.
func inSeries(t *testing.T, f func(t *testing.T, p *Pool, conn *fakeConn)) {
	synctest.Test(t, func(t *testing.T) {
		conn := &fakeConn{}
		p := &Pool{opts: Options{}.withDefaults(), gate: gate.New(1), stock: stock{open: map[*link]bool{}}}
		p.ctx, p.stop = context.WithCancel(context.Background())
		p.dialer = &dialer{log: p.opts.Logger, hosts: []*host{{
			session: session.New(p.opts.StatementTimeout), limit: p.opts.StatementTimeout, timeout: time.Second,
			connector: connectorFunc(func() (driver.Conn, error) { return conn, nil }),
		}}}
		f(t, p, conn)
		p.Close()
	})
}

// transactions returns the begins and ends of transactions.
func (c *fakeConn) transactions() (all []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.done {
		if s == "START TRANSACTION READ ONLY" || s == "ROLLBACK" {
			all = append(all, s[:5])
		}
	}
	return all
}

// Reads of a series share a transaction, and Once runs once in it. It ends when no read
// follows for a while, and Close waits for that.
func TestSeries(t *testing.T) {
	inSeries(t, func(t *testing.T, p *Pool, conn *fakeConn) {
		ctx, runs := p.WithSeries(t.Context()), 0
		reads := func(n int) {
			t.Helper()
			for range n {
				began := time.Time{}
				err := p.Read(ctx, "read", func(c *Conn) error {
					if !began.IsZero() && c.Began() != began {
						t.Error("another transaction")
					}
					began = c.Began()
					value, err := c.Once("generation", func() (string, error) { runs++; return fmt.Sprint(runs), nil })
					if value != fmt.Sprint(runs) {
						t.Errorf("%s of read %d", value, runs)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		}
		reads(3)
		if got := conn.transactions(); !slices.Equal(got, []string{"START"}) || runs != 1 || p.Stats().InUse != 1 {
			t.Errorf("%q, %d runs, %+v", got, runs, p.Stats())
		}
		time.Sleep(seriesIdle)
		synctest.Wait()
		if got := conn.transactions(); !slices.Equal(got, []string{"START", "ROLLB"}) || p.Stats().InUse != 0 {
			t.Errorf("after a pause: %q, %+v", got, p.Stats())
		}
		if err := p.Read(t.Context(), "another", func(*Conn) error { return nil }); err != nil {
			t.Error(err)
		}
		reads(2)
		if err := p.Close(); err != nil || len(conn.transactions()) != 6 || runs != 2 || p.Stats().Open != 0 {
			t.Errorf("after Close: %v, %q, %d runs, %+v", err, conn.transactions(), runs, p.Stats())
		}
	})
}

// The transaction of a series ends at an age, however often it is read.
func TestAgeOfSeries(t *testing.T) {
	inSeries(t, func(t *testing.T, p *Pool, conn *fakeConn) {
		ctx := p.WithSeries(t.Context())
		for range 10 * seriesFor / time.Millisecond {
			err := p.Read(ctx, "read", func(c *Conn) error {
				if age := time.Since(c.Began()); age >= seriesFor {
					t.Errorf("a read of a transaction that is %v old", age)
				}
				time.Sleep(time.Millisecond)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		if n := len(conn.transactions()); n != 2*10 {
			t.Errorf("%d begins and ends", n)
		}
	})
}

// A read that fails ends the transaction, also if it fails before its first statement. So
// does a read while another read waits for a connection, and a read that panics ends the
// connection.
func TestEndOfSeries(t *testing.T) {
	inSeries(t, func(t *testing.T, p *Pool, conn *fakeConn) {
		ctx, failed := p.WithSeries(t.Context()), errors.New("failed")
		read := func(ctx context.Context, do func()) error {
			return p.Read(ctx, "read", func(*Conn) error { do(); return nil })
		}
		if err := p.Read(ctx, "read", func(*Conn) error { return failed }); !errors.Is(err, failed) || len(conn.transactions()) != 2 {
			t.Errorf("%v, %q", err, conn.transactions())
		}
		other := make(chan error)
		err := read(ctx, func() {
			go func() { other <- read(t.Context(), func() {}) }()
			synctest.Wait()
		})
		if err := errors.Join(err, <-other); err != nil || len(conn.transactions()) != 6 {
			t.Errorf("%v, %q", err, conn.transactions())
		}
		conn.refuse = map[string]uint16{"max_statement_time": 1205}
		p.opts.SearchTimeout = time.Second
		err = errors.Join(read(ctx, func() {}), read(WithSearch(ctx), func() { t.Error("read without its limit") }))
		if dberror.NumberOf(err) != 1205 || len(conn.transactions()) != 8 || p.Stats().InUse != 0 {
			t.Errorf("%v, %q, %+v", err, conn.transactions(), p.Stats())
		}
		func() {
			defer func() { recover() }()
			read(ctx, func() { panic("no") })
		}()
		if p.Stats().Open != 0 {
			t.Errorf("%+v", p.Stats())
		}
	})
}
