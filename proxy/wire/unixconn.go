package wire

import (
	"net"
	"sync/atomic"
	"time"
)

// unixConn is a connection on a Unix socket. The kernel does not tell when data
// last came on one, so it is noted.
type unixConn struct {
	*net.UnixConn
	opened time.Time
	heard  atomic.Int64 // time of the last data, since opened
}

// followUnix returns a connection that notes when data comes, if the kernel does
// not.
func followUnix(accepted net.Conn) net.Conn {
	if unix, ok := accepted.(*net.UnixConn); ok {
		return &unixConn{UnixConn: unix, opened: time.Now()}
	}
	return accepted
}

// Read reads data and notes its time.
func (c *unixConn) Read(b []byte) (int, error) {
	n, err := c.UnixConn.Read(b)
	if n > 0 {
		c.heard.Store(int64(time.Since(c.opened)))
	}
	return n, err
}

// NetConn returns the connection itself.
func (c *unixConn) NetConn() net.Conn { return c.UnixConn }

// quiet returns for how long no data has come.
func (c *unixConn) quiet() time.Duration {
	return time.Since(c.opened) - time.Duration(c.heard.Load())
}
