package proxy

import (
	"context"
	"net"
	"sync"
	"time"
)

// drainTick is how often a drain looks for connections to close.
const drainTick = 20 * time.Millisecond

// Drain stops accepting connections and lets go of those that are open without
// losing a request: each answer from now on tells its client to close the
// connection, and a connection on which nothing has come for quiet is closed. It
// returns when none is left, or ctx ends. The listener is closed, not shut down,
// so that another process that holds it too goes on accepting.
func (p *Proxy) Drain(ctx context.Context, quiet time.Duration) {
	p.stopping.Store(true)
	p.verify.Close()
	p.conns.closeListener()
	p.private.conns.closeListener()
	left := map[*conn]bool{}
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for {
		public, private := p.conns.release(left, quiet), p.private.conns.release(left, quiet)
		if !public && !private {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// conns are a listener and the connections accepted from it that are open. They
// are followed from their first to their last moment only: what a drain wants to
// know of the time between, the kernel knows.
type conns struct {
	timeouts timeouts
	fast     *fastPath // nil for none
	mu       sync.Mutex
	listener *listener // nil before Serve
	serving  bool      // until the last connection was accepted
	closed   bool      // no listener is wanted any more
	open     map[*conn]bool
}

// listen returns what accepts connections from ln, or nil after closeListener.
func (c *conns) listen(ln net.Listener) *listener {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.listener = &listener{Listener: ln, conns: c}
	c.serving = true
	return c.listener
}

// served tells that no more connections will be accepted.
func (c *conns) served() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving = false
}

// closeListener ends what listen began, if it did, and keeps it from beginning.
func (c *conns) closeListener() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.listener != nil {
		c.listener.Close() // an error means that it does not listen, as is wanted
	}
}

// add makes a connection one of the server's.
func (c *conns) add(accepted net.Conn) *conn {
	added := &conn{Conn: followUnix(accepted), timeouts: c.timeouts, fast: c.fast, closing: c.remove, opened: time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[*conn]bool{}
	}
	c.open[added] = true
	return added
}

func (c *conns) remove(closed *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, closed)
}

// release lets go of the connections on which nothing has come for that long,
// but for those that were left before, and reports whether any is still open.
func (c *conns) release(left map[*conn]bool, quiet time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		if !left[conn] && quietFor(conn.Conn, conn.opened) >= quiet {
			left[conn] = true
			leave(conn.Conn)
		}
	}
	return c.serving || len(c.open) > 0
}

// quietFor returns for how long nothing has come on a connection: where the
// kernel does not tell, since it was opened.
func quietFor(conn net.Conn, opened time.Time) time.Duration {
	if unix, ok := conn.(*unixConn); ok {
		return unix.quiet()
	}
	if quiet, known := sinceLastData(conn); known {
		return quiet
	}
	return time.Since(opened)
}

// leave ends a connection's wait for a request. What the kernel holds by then is
// still read and answered, which a deadline would hide, and an answer under way
// goes on.
func leave(conn net.Conn) {
	if tcp, ok := conn.(interface{ CloseRead() error }); ok {
		tcp.CloseRead() // an error means that it is closed
		return
	}
	conn.SetReadDeadline(time.Now())
}

// listener makes the connections that it accepts the server's. It may be closed
// twice.
type listener struct {
	net.Listener
	conns *conns
	close sync.Once
	err   error
}

func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.conns.add(accepted), nil
}

func (l *listener) Close() error {
	l.close.Do(func() { l.err = l.Listener.Close() })
	return l.err
}
