package legacy

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// keepFor is the time until an idle connection is closed: less than the 5 s
	// after which uvicorn closes it.
	keepFor = 3 * time.Second
	// dialTimeout limits the time to open a connection to a running machine.
	dialTimeout = 3 * time.Second
	// maxHead bounds the status line and headers of an answer.
	maxHead = 32 << 10
)

// conn is a connection to the old API.
type conn struct {
	net.Conn
	from   *bufio.Reader
	expiry *time.Timer // closes the connection while it is idle
	pool   *pool
	once   sync.Once
}

// Close closes the connection and removes it from the count of open connections.
func (c *conn) Close() error {
	c.once.Do(func() { c.pool.opened.Add(-1) })
	return c.Conn.Close()
}

// pool holds the connections. Each request under way has a slot and at most one
// connection. Idle connections are limited to the number of free slots.
type pool struct {
	network, address string
	tls              *tls.Config // nil means http
	slots            chan struct{}
	opened           atomic.Int64 // connections

	mu     sync.Mutex
	idle   []*conn // the latest used last
	closed bool
}

func newPool(root *url.URL, conns int) *pool {
	p := &pool{network: "tcp", slots: make(chan struct{}, conns)}
	port := root.Port()
	if root.Scheme == "https" {
		p.tls = &tls.Config{ServerName: root.Hostname(), MinVersion: tls.VersionTLS12}
		if port == "" {
			port = "443"
		}
	}
	if port == "" {
		port = "80"
	}
	p.address = net.JoinHostPort(root.Hostname(), port)
	return p
}

// enter waits for a slot until ctx ends or wait has passed; leave frees the slot.
func (p *pool) enter(ctx context.Context, wait time.Duration) error { return enter(ctx, p.slots, wait) }

// enter adds an element to slots, for which it waits until ctx ends or wait has passed.
func enter(ctx context.Context, slots chan<- struct{}, wait time.Duration) error {
	select {
	case slots <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case slots <- struct{}{}:
		return nil
	case <-timer.C:
		return ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pool) leave() { <-p.slots }

// take returns the most recently used idle connection; nil means no connection is
// idle. It closes connections that the peer has closed, and connections with
// unexpected bytes, which would be read as the next answer.
func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		c.expiry.Stop()
		if isQuiet(c.Conn) {
			return c
		}
		c.Close()
	}
	return nil
}

// makeRoom closes idle connections, the longest idle first, until idle connections
// and slots in use are within the limit. The caller holds a slot and is about to
// open a connection.
func (p *pool) makeRoom() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 && len(p.idle)+len(p.slots) > cap(p.slots) {
		p.idle[0].expiry.Stop()
		p.idle[0].Close()
		p.idle = slices.Delete(p.idle, 0, 1)
	}
}

// open returns how many connections are open.
func (p *pool) open() int { return int(p.opened.Load()) }

// keep makes a connection available to the next request.
func (p *pool) keep(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return
	}
	c.expiry = time.AfterFunc(keepFor, func() { p.expire(c) })
	p.idle = append(p.idle, c)
}

// expire closes an idle connection unless a request has taken it meanwhile.
func (p *pool) expire(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.idle, c); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
		c.Close()
	}
}

// dial opens a connection.
func (p *pool) dial(ctx context.Context) (*conn, error) {
	p.makeRoom()
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var dialer interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = &net.Dialer{}
	if p.tls != nil {
		dialer = &tls.Dialer{Config: p.tls}
	}
	opened, err := dialer.DialContext(ctx, p.network, p.address)
	if err != nil {
		return nil, err
	}
	p.opened.Add(1)
	return &conn{Conn: opened, from: bufio.NewReaderSize(opened, maxHead), pool: p}, nil
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		c.expiry.Stop()
		c.Close()
	}
	p.idle = nil
}
