package socket

import (
	"net"
	"sync/atomic"
	"time"
)

// unixConn is a connection on a Unix socket. It records the time of the last data,
// which the kernel does not report for Unix sockets.
type unixConn struct {
	*net.UnixConn
	opened time.Time
	heard  atomic.Int64 // time of the last data, counted from opened
}

// Follow wraps a connection for which the kernel does not report the time of the last
// data.
func Follow(accepted net.Conn) net.Conn {
	if unix, ok := accepted.(*net.UnixConn); ok {
		return &unixConn{UnixConn: unix, opened: time.Now()}
	}
	return accepted
}

// Read reads data and records its time.
func (c *unixConn) Read(b []byte) (int, error) {
	n, err := c.UnixConn.Read(b)
	if n > 0 {
		c.heard.Store(int64(time.Since(c.opened)))
	}
	return n, err
}

// NetConn returns the connection itself.
func (c *unixConn) NetConn() net.Conn { return c.UnixConn }

// quiet returns the time since data last arrived.
func (c *unixConn) quiet() time.Duration {
	return time.Since(c.opened) - time.Duration(c.heard.Load())
}
