package pool

import (
	"context"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/dberror"
)

// Read calls do with a connection in a read-only transaction: all its queries
// see one state of the database. If the connection is lost, do is called once more
// with a new connection, and if the snapshot is lost, with a new snapshot, so do
// must begin anew each time.
// When ctx ends, the statement under way is ended in the server too.
func (p *Pool) Read(ctx context.Context, op string, do func(*Conn) error) error {
	if !p.begin() {
		return fmt.Errorf("%s: %w", op, errClosed)
	}
	defer p.work.Done()
	begun := time.Now()
	err := p.attempt(ctx, false, do)
	for repeats := 0; p.repeat(ctx, err, begun, repeats); repeats++ {
		err = p.attempt(ctx, dberror.Of(err).Err != dberror.ErrInterrupted, do)
	}
	return p.judge(ctx, op, err)
}

// repeat reports whether to start a failed read again. It returns false once the read has
// taken as long as a statement may: on a silent server a new connection would hang too.
func (p *Pool) repeat(ctx context.Context, err error, begun time.Time, repeats int) bool {
	c := dberror.Of(err)
	most := 1
	if c.Err == dberror.ErrInterrupted { // only the snapshot was lost
		most = maxSnapshots
	}
	return dberror.Repeatable(err) && repeats < most && ctx.Err() == nil && time.Since(begun) < p.opts.StatementTimeout
}

// maxSnapshots limits how often a read starts again because an import has redefined a
// table since its snapshot.
const maxSnapshots = 3

// attempt calls do once, in a transaction.
func (p *Pool) attempt(ctx context.Context, fresh bool, do func(*Conn) error) error {
	series := seriesOf(ctx)
	tx := series.take()
	if tx != nil {
		defer p.work.Done()
	} else {
		l, err := p.acquire(ctx, false, fresh)
		if err != nil {
			return err
		}
		tx = &transaction{link: l}
	}
	return p.use(ctx, tx.link, func(c *Conn) (err error) {
		if err = tx.limitTo(c.ctx, p.limitOf(ctx)); err == nil && tx.began.IsZero() {
			err = tx.begin(c.ctx)
		}
		if err == nil {
			c.tx = tx
			err = do(c)
		}
		if err == nil && series.goesOn(tx) {
			c.keep = func() { series.put(tx) }
			return nil
		}
		tx.end(ctx)
		return err
	})
}

// use runs do on l and releases l, unless do has set Conn.keep.
func (p *Pool) use(parent context.Context, l *link, do func(*Conn) error) (err error) {
	ctx, cancel := context.WithCancel(parent)
	l.drop.Store(&cancel)
	c, done := &Conn{link: l, ctx: ctx}, false
	defer func() {
		l.drop.Store(nil)
		cancel()
		if !done {
			l.conn.Close() // do panicked: the result may be unread
		}
		switch {
		case parent.Err() != nil && !l.valid():
			p.kill(l)
		case c.keep != nil && l.valid():
			c.keep()
		default:
			p.release(l)
		}
	}()
	err = do(c)
	if err == nil || answered(err) {
		p.good.Set(time.Now())
	}
	if ctx.Err() != nil && parent.Err() == nil && err != nil {
		err = fmt.Errorf("%w: dropped, because the server lists it as idle while a read waits", mysql.ErrInvalidConn)
	}
	done = true
	return err
}

// answered reports whether an error is the server's answer to one statement, rather than
// its refusal of all statements. A limit of the account can concern statements, too: 1226.
func answered(err error) bool {
	class := dberror.Of(err).Class
	return dberror.NumberOf(err) != 0 && class != dberror.Down && class != dberror.NoRoom
}
