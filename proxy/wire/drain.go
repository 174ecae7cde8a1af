package wire

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/wire/socket"
)

// drainTick is the interval at which a drain checks for connections to close.
const drainTick = 20 * time.Millisecond

// queueTime is the longest time for which a drain waits until the connections in the
// listener's queue are accepted. Clients that go on connecting could keep the queue filled.
const queueTime = time.Second

// Drain stops accepting connections and closes the open connections without losing a
// request: connections that the kernel has accepted already are served, and a connection
// on which nothing has arrived for quiet is closed. The Handler should close the
// connection with each answer meanwhile. Drain returns when no connection is left, or ctx
// ends. The listener is closed, not shut down, so that another process that holds it too
// goes on accepting.
func (s *Server) Drain(ctx context.Context, quiet time.Duration) {
	s.conns.awaitQueue(ctx)
	s.conns.closeListener()
	left := map[*Conn]bool{}
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for s.conns.release(left, quiet) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// conns holds a listener and the open connections accepted from it.
type conns struct {
	mu       sync.Mutex
	listener net.Listener // nil before Serve
	serving  bool         // until the last connection was accepted
	closed   bool         // no listener may be served any more
	open     map[*Conn]bool
}

// listen makes ln the listener. It returns false after closeListener.
func (c *conns) listen(ln net.Listener) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.listener, c.serving = ln, true
	return true
}

// served records that no more connections will be accepted.
func (c *conns) served() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving = false
}

// awaitQueue waits until Serve has accepted the connections that wait in the listener's
// queue: closing the listener would reset them, with the requests that they carry.
func (c *conns) awaitQueue(ctx context.Context) {
	c.mu.Lock()
	ln := c.listener
	c.mu.Unlock()
	for end := time.Now().Add(queueTime); socket.Waiting(ln) && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
}

// closeListener closes the listener, if there is a listener, and refuses later listeners.
func (c *conns) closeListener() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener != nil {
		c.listener.Close() // an error means that it is closed already
	}
	c.closed = true
}

// add adds a connection and returns the number of open connections.
func (c *conns) add(added *Conn) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[*Conn]bool{}
	}
	c.open[added] = true
	return len(c.open)
}

func (c *conns) remove(closed *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, closed)
}

func (c *conns) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// release ends the wait of the connections on which nothing has arrived for quiet, except
// the connections in left, to which it adds them. It reports whether any connection is
// still open.
func (c *conns) release(left map[*Conn]bool, quiet time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		if !left[conn] && socket.QuietFor(conn.Conn, conn.opened) >= quiet {
			left[conn] = true
			leave(conn.Conn)
		}
	}
	return c.serving || len(c.open) > 0
}

// leave ends a connection's wait for a request. Data that the kernel has received by
// then is still read and answered, which a deadline would prevent, and an answer under
// way goes on.
func leave(conn net.Conn) {
	if tcp, ok := conn.(interface{ CloseRead() error }); ok {
		tcp.CloseRead() // an error means that it is closed
		return
	}
	conn.SetReadDeadline(time.Now())
}
