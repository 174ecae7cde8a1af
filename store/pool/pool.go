// Package pool keeps connections to a MySQL or MariaDB server for reads. It opens them
// with a pinned session, limits and reuses them, and acts on errors: a read whose connection
// is lost or hangs is repeated once on a new connection, a server that grants fewer
// connections than configured makes reads wait, and the server is reported as unavailable
// only after a probe has failed.
package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/gate"
	"github.com/lewistv/xcri-proxy/store/pool/concurrent"
	"github.com/lewistv/xcri-proxy/store/secure"
	"github.com/lewistv/xcri-proxy/store/steps"
)

// Options configure a Pool.
type Options struct {
	Host   string // or several, comma separated: the first that answers is used
	Port   int
	Socket string // a Unix socket, instead of Host and Port
	Name   string // of the database
	User   string
	// Password is not logged or repeated in an error.
	Password string
	TLS      secure.TLS
	// MaxConns limits the connections in use; zero means 8.
	MaxConns int
	// StatementTimeout limits the server's work on one statement; zero means
	// 10 s.
	StatementTimeout time.Duration
	// SearchTimeout does the same for the statements of a read WithSearch, if it is
	// shorter; zero means StatementTimeout.
	SearchTimeout time.Duration
	// DialTimeout limits the opening of a connection, with login and session, and the wait
	// for the server to grant the first connection. Zero means 2 s, or less with several
	// hosts, so that a poll has time for two.
	DialTimeout time.Duration
	// OnRoom is called when the server grants fewer connections than MaxConns. It must
	// not block; nil means no callback.
	OnRoom func(Room)
	// Logger receives the pool's own events; nil means no log.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxConns == 0 {
		o.MaxConns = 8
	}
	if o.StatementTimeout == 0 {
		o.StatementTimeout = 10 * time.Second
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = dialTimeout
		if strings.Contains(o.Host, ",") && o.Socket == "" {
			o.DialTimeout = nextTimeout
		}
	}
	if o.OnRoom == nil {
		o.OnRoom = func(Room) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

const (
	// dialTimeout is the default of Options.DialTimeout for one host, and nextTimeout
	// for several.
	dialTimeout, nextTimeout = 2 * time.Second, 800 * time.Millisecond
	// writeTimeout limits the sending of a statement.
	writeTimeout = 2 * time.Second
	// readMargin is the time that the client waits beyond the server's limit, so that
	// the server ends a slow statement.
	readMargin = 2 * time.Second
	// connLifetime recycles connections well within the server's wait_timeout.
	connLifetime = 3 * time.Minute
	// firstRetry is the first pause of a read that waits for the server to grant any
	// connection. It doubles.
	firstRetry = 50 * time.Millisecond
)

// Pool lends connections to reads. It is safe for concurrent use.
type Pool struct {
	opts        Options
	dialer      *dialer
	gate        *gate.Gate
	ctx         context.Context // ends with Close
	stop        context.CancelFunc
	work        sync.WaitGroup // reads and background work
	probes      concurrent.Flight
	good        concurrent.Moment // when a statement last succeeded
	looked      concurrent.Moment // when forgotten connections were last looked for
	stock       stock
	killTimeout time.Duration // raised by tests: on a busy machine a kill takes longer
}

// New returns a Pool. It does not connect. Close ends its background work.
func New(opts Options) (*Pool, error) {
	opts = opts.withDefaults()
	d, err := newDialer(opts)
	if err != nil {
		return nil, err
	}
	p := &Pool{opts: opts, dialer: d, gate: gate.New(opts.MaxConns), stock: stock{open: map[*link]bool{}}, killTimeout: killTimeout}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.work.Go(p.patrol)
	return p, nil
}

// errClosed is the failure of a read on a closed Pool.
var errClosed = errors.New("the pool of connections is closed")

// Close closes the connections once their reads have ended.
func (p *Pool) Close() error {
	p.stock.close()
	p.stop()
	p.work.Wait()
	for _, l := range p.stock.all() {
		p.discard(l)
	}
	return nil
}

// begin registers work that Close waits for. It returns false after Close.
func (p *Pool) begin() bool { return p.stock.begin(&p.work) }

// Stats are the counters of a Pool.
type Stats struct {
	Limit   int           // maximum of connections in use, as the server grants
	Open    int           // connections open now
	InUse   int           // connections lent now
	Waits   int64         // reads that waited for a connection
	Waited  time.Duration // their total waiting time
	Refused int64         // connections that the server did not grant
}

// Stats returns the current counters.
func (p *Pool) Stats() Stats {
	open, g := p.stock.size(), p.gate.Stats()
	return Stats{g.Limit, open, g.Used, g.Waits, g.Waited, g.Refused}
}

// Unset returns the refusals that matter of the host in use: see session.Session.Missing. It
// is nil before the first connection.
func (p *Pool) Unset() error {
	p.dialer.mu.Lock()
	h := p.dialer.hosts[p.dialer.now]
	p.dialer.mu.Unlock()
	return h.session.Missing()
}

// acquire takes a place and a connection. With fresh it opens a new connection, because the
// existing connections may be broken.
func (p *Pool) acquire(ctx context.Context, urgent, fresh bool) (*link, error) {
	steps.Of(ctx).Begin(steps.Connecting)
	pause := firstRetry
	for begun := time.Now(); ; {
		if err := p.gate.Enter(ctx, urgent); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("%w: %w", dberror.ErrBusy, err)
			}
			return nil, err
		}
		l, err := p.take(ctx, fresh)
		if err == nil {
			l.urgent = urgent
			return l, nil
		}
		open := p.stock.granted()
		p.gate.Leave(urgent)
		if dberror.Of(err).Class != dberror.NoRoom {
			return nil, err
		}
		p.shrink(open, err)
		fresh = false
		if open > 0 {
			continue // a connection being used will be free
		}
		if time.Since(begun) > p.opts.DialTimeout {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// take returns an idle connection that still works, or opens one. The caller has
// a place.
func (p *Pool) take(ctx context.Context, fresh bool) (*link, error) {
	for {
		l := p.stock.pop(fresh, p.Stats().Limit)
		switch {
		case l == nil:
			return p.open(ctx)
		case !fresh && p.usable(ctx, l):
			return l, nil
		}
		p.discard(l)
	}
}

// open opens a connection for a read.
func (p *Pool) open(ctx context.Context) (l *link, err error) {
	p.stock.dial()
	defer func() { p.stock.dialled(l) }()
	return p.dialer.open(ctx)
}

// usable reports whether an idle connection may be lent again.
func (p *Pool) usable(ctx context.Context, l *link) bool {
	return time.Since(l.opened) < connLifetime && p.dialer.current(l) && l.reset(ctx)
}

// release takes a connection back.
func (p *Pool) release(l *link) {
	urgent := l.urgent // once it is in stock, the next read sets it
	surplus := []*link{l}
	if l.valid() && p.dialer.current(l) {
		surplus = p.stock.push(l, p.Stats().Limit)
	}
	for _, l := range surplus {
		p.discard(l)
	}
	p.gate.Leave(urgent)
}

// discard closes a connection that no read uses.
func (p *Pool) discard(l *link) {
	l.conn.Close() // an error means that it is closed already
	p.stock.remove(l)
}

// Ping reports whether the server answers.
func (p *Pool) Ping(ctx context.Context) error {
	_, err := Poll(ctx, p, "ping", func(c *Conn) (struct{}, error) {
		return struct{}{}, c.link.conn.(driver.Pinger).Ping(ctx)
	})
	return err
}
