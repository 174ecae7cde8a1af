package pool

import (
	"cmp"
	"context"
	"crypto/tls"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/limit"
	"github.com/lewistv/xcri-proxy/store/pool/session"
	"github.com/lewistv/xcri-proxy/store/pool/socket"
	"github.com/lewistv/xcri-proxy/store/secure"
)

const (
	// firstRest is the time for which a host that did not answer is tried last. It
	// doubles up to longestRest.
	firstRest, longestRest = time.Second, 30 * time.Second
)

// host is one server. The fields from rest on belong to the dialer's mutex.
type host struct {
	name      string
	connector driver.Connector
	encrypted driver.Connector // to diagnose a refusal without TLS; nil with TLS
	session   *session.Session
	limit     time.Duration // of a statement
	timeout   time.Duration // of opening a connection

	rest      time.Duration // pause after the last failure; zero after a success
	restUntil time.Time
	reported  bool // that it refuses variables of the session
}

// dialer opens connections to the first host that answers.
type dialer struct {
	hosts []*host
	log   *slog.Logger

	mu   sync.Mutex
	now  int   // index of the host in use
	term int64 // counts the changes of host; older connections are not reused
}

func newDialer(opts Options) (*dialer, error) {
	d := &dialer{log: opts.Logger}
	names := strings.Split(opts.Host, ",")
	if opts.Socket != "" {
		names = []string{""}
	}
	for _, name := range names {
		h, err := newHost(opts, strings.TrimSpace(name))
		if err != nil {
			return nil, fmt.Errorf("database settings: %w", err)
		}
		d.hosts = append(d.hosts, h)
	}
	return d, nil
}

// newHost returns the host of a name; an empty name means the Unix socket.
func newHost(opts Options, name string) (*host, error) {
	h := &host{name: name, session: session.New(opts.StatementTimeout), limit: opts.StatementTimeout, timeout: opts.DialTimeout}
	cfg, err := configOf(opts, name)
	if err != nil {
		return nil, err
	}
	if h.connector, err = mysql.NewConnector(cfg); err != nil || cfg.TLS != nil {
		return h, err
	}
	cfg.TLS = &tls.Config{InsecureSkipVerify: true}
	h.encrypted, err = mysql.NewConnector(cfg)
	return h, err
}

// configOf returns the driver's configuration of a host.
func configOf(opts Options, name string) (cfg *mysql.Config, err error) {
	cfg = mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = opts.User, opts.Password, opts.Name
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(name, strconv.Itoa(opts.Port))
	if opts.Socket != "" {
		cfg.Net, cfg.Addr = "unix", opts.Socket
	}
	cfg.WriteTimeout = writeTimeout // host.open limits the dial
	cfg.ReadTimeout = opts.StatementTimeout + readMargin
	cfg.InterpolateParams = true // one round trip a statement
	cfg.Collation = session.Collation
	cfg.Logger = &mysql.NopLogger{} // errors are returned, and logged there
	cfg.DialFunc = socket.Dial
	cfg.AllowFallbackToPlaintext = opts.TLS.Mode == secure.Preferred
	cfg.TLS, err = opts.TLS.Config(name)
	return cfg, err
}

// open opens a connection to the host in use, or to another host if it does not answer.
func (d *dialer) open(ctx context.Context) (*link, error) {
	var failed []error
	for _, h := range d.order() {
		l, err := h.open(ctx)
		if err == nil {
			d.use(h, l)
			return l, nil
		}
		failed = append(failed, err)
		if !elsewhere(err) || ctx.Err() != nil && len(d.hosts) == 1 {
			break
		}
		d.failed(h)
		if ctx.Err() != nil {
			break
		}
	}
	err := failed[0]
	for _, next := range failed[1:] {
		err = fmt.Errorf("%w; %w", err, next)
	}
	return nil, err
}

// elsewhere reports whether another host may do: this one can't be reached, or only its
// encryption is wrong. A wrong account is wrong everywhere.
func elsewhere(err error) bool {
	c, r := dberror.Of(err).Class, dberror.ReasonOf(err)
	return c == dberror.Down || c == dberror.TryAgain || r == dberror.NeedsTLS || r == dberror.NoTLS || r == dberror.BadCertificate
}

// order returns the hosts in the order of attempts: the host in use, then the others
// as configured, with recently failed hosts last.
func (d *dialer) order() []*host {
	d.mu.Lock()
	defer d.mu.Unlock()
	hosts := slices.Clone(d.hosts)
	now, current := time.Now(), d.hosts[d.now]
	rank := func(h *host) int {
		switch {
		case h.restUntil.After(now):
			return 2
		case h == current:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(hosts, func(a, b *host) int { return rank(a) - rank(b) })
	return hosts
}

// use makes h the host in use and marks l, unless it is nil, as a connection to it.
func (d *dialer) use(h *host, l *link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h.rest, h.restUntil = 0, time.Time{}
	if i := slices.Index(d.hosts, h); i != d.now {
		d.log.Warn("another database host is used from now on", "host", h.name, "before", d.hosts[d.now].name)
		d.now = i
		d.term++
	}
	if l != nil {
		l.term = d.term
	}
	if err := h.session.Missing(); err != nil && !h.reported {
		h.reported = true
		d.log.Warn("the database does not set all variables of a session, which keep the server's values", "error", err)
	}
}

// failed marks h to be tried last for a while.
func (d *dialer) failed(h *host) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h.rest = min(max(2*h.rest, firstRest), longestRest)
	h.restUntil = time.Now().Add(h.rest)
}

// current reports whether l is a connection to the host in use.
func (d *dialer) current(l *link) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return l.term == d.term
}

// retire prevents the reuse of all open connections.
func (d *dialer) retire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.term++
}

// preferred returns a host that is listed before the host in use and due for another
// attempt, or nil.
func (d *dialer) preferred() *host {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.hosts[:d.now] {
		if time.Now().After(h.restUntil) {
			return h
		}
	}
	return nil
}

// open opens a connection and pins its session.
func (h *host) open(parent context.Context) (*link, error) {
	ctx, cancel := limit.Within(parent, h.timeout)
	defer cancel()
	l, err := h.connect(ctx)
	if err != nil && ctx.Err() != nil && parent.Err() == nil {
		return nil, fmt.Errorf("%w: no connection to %s within %v: %w", dberror.ErrUnavailable, cmp.Or(h.name, "the socket"), h.timeout, err)
	}
	return l, h.diagnose(ctx, secure.WithReason(err))
}

func (h *host) connect(ctx context.Context) (*link, error) {
	l := &link{server: h, limit: h.limit}
	conn, err := h.connector.Connect(l.socket.Record(ctx))
	if err != nil {
		return nil, err
	}
	l.conn, l.opened = conn, time.Now()
	if err = h.session.SetUp(ctx, l.exec); err == nil {
		l.id, err = l.number(ctx, "SELECT CONNECTION_ID()")
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

// diagnose determines whether the server denied a login because it was not encrypted:
// the server reports the same error as for a wrong password.
func (h *host) diagnose(ctx context.Context, err error) error {
	if h.encrypted == nil || dberror.NumberOf(err) != 1045 {
		return err
	}
	conn, denied := h.encrypted.Connect(ctx)
	if denied != nil {
		return err
	}
	conn.Close()
	return &dberror.SetupError{Reason: dberror.NeedsTLS, Err: err}
}
