package wire

import (
	"net"
	"sync"
	"time"
)

// Conn is a connection of a Server. It sets deadlines for the Timeouts itself and
// moves a deadline only when too little of it is left: that takes less time than a
// deadline for each step. The errors of deadlines are ignored: on a closed connection
// the next read or write fails, too. It belongs to the goroutine that serves it; other
// goroutines may call Close and leave.
type Conn struct {
	net.Conn
	server   *Server
	closed   sync.Once
	session  *session // nil before the first byte
	reserved bool     // over the limit: only reserved targets are served, and one only

	// The times below count from when the connection was opened: that takes half as
	// long to read as the time of day.
	opened          time.Time
	readBy, writeBy time.Duration // the deadlines that are set
	answered        bool          // a request was answered
	writing         bool          // the write deadline is set for the present answer
	hurried         bool          // the write deadline must not be moved
}

// expect sets the deadline for the first byte of a request.
func (c *Conn) expect() {
	if !c.answered {
		c.limitRequest()
		return
	}
	c.extend(&c.readBy, c.server.opts.Timeouts.Idle, c.SetReadDeadline)
}

// limitRequest sets the deadline for the rest of a request. The deadline of the first
// request counts from the opening of the connection.
func (c *Conn) limitRequest() {
	c.readBy = c.server.opts.Timeouts.Read
	if c.answered {
		c.readBy += time.Since(c.opened)
	}
	c.SetReadDeadline(c.opened.Add(c.readBy))
}

// extend moves a deadline unless at least must is left of it.
func (c *Conn) extend(deadline *time.Duration, must time.Duration, set func(time.Time) error) {
	if now := time.Since(c.opened); *deadline-now < must {
		*deadline = now + must + c.server.opts.Timeouts.Slack
		set(c.opened.Add(*deadline))
	}
}

// limitWrite sets the deadline for an answer before its first part.
func (c *Conn) limitWrite() {
	if !c.writing && !c.hurried {
		c.writing = true
		c.extend(&c.writeBy, c.server.opts.Timeouts.Write, c.SetWriteDeadline)
	}
}

// Write sends a part of an answer, or keeps it until the following body is sent.
func (c *Conn) Write(b []byte) (int, error) {
	if s := c.session; s.body.variant != nil {
		s.body.header = append(s.body.header, b...)
		return len(b), nil
	}
	c.limitWrite()
	return c.Conn.Write(b)
}

// hurry sets a short write deadline for a client that is refused because the server is
// full.
func (c *Conn) hurry() {
	c.hurried = true
	c.SetWriteDeadline(time.Now().Add(lingerTime))
}

// NetConn returns the connection itself.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Close closes the connection. It may be called more than once.
func (c *Conn) Close() error {
	c.closed.Do(func() { c.server.conns.remove(c) })
	return c.Conn.Close()
}
