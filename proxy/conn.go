package proxy

import (
	"net"
	"sync"
	"time"
)

// timeouts are how long a client may take.
type timeouts struct {
	read  time.Duration // to send a request; the first, from when it connected
	idle  time.Duration // to begin the next one
	write time.Duration // to take an answer
}

// deadlineSlack is how much later than it must be a deadline is set, so that it
// need not be moved for each request.
const deadlineSlack = 10 * time.Second

// conn is a connection of the server. It keeps the timeouts with deadlines that
// are moved now and then, where fasthttp would move three for each request, and
// sends the header of an answer together with a body that does not fit the
// server's buffer, in one system call. It is for the goroutine that serves it;
// others may Close it, or leave it.
type conn struct {
	net.Conn
	timeouts timeouts
	closing  func(*conn) // called by the first Close
	closed   sync.Once

	last            use
	limit           time.Time // of the request that is coming; zero before its first byte
	readBy, writeBy time.Time // the deadlines that are set

	// more tells that the answer goes on after the buffer that is written next,
	// which then waits in begun.
	more   bool
	begun  []byte
	parts  [2][]byte
	vector net.Buffers
}

// use is what a connection was last used for.
type use uint8

const (
	toConnect use = iota
	toRead
	toWrite
)

// Read reads a part of a request. After an answer it waits for the next one.
func (c *conn) Read(b []byte) (int, error) {
	if err := c.limitRead(); err != nil {
		return 0, err
	}
	c.last = toRead
	return c.Conn.Read(b)
}

func (c *conn) limitRead() error {
	switch {
	case c.last == toWrite:
		c.limit = time.Time{}
		return extend(&c.readBy, c.timeouts.idle, c.SetReadDeadline)
	case c.limit.IsZero():
		c.limit = time.Now().Add(c.timeouts.read)
		c.readBy = c.limit
		return c.SetReadDeadline(c.limit)
	}
	return nil
}

// extend sets a deadline that leaves the time that it must, unless the one that is
// set does.
func extend(deadline *time.Time, must time.Duration, set func(time.Time) error) error {
	now := time.Now()
	if deadline.Sub(now) >= must {
		return nil
	}
	*deadline = now.Add(must + deadlineSlack)
	return set(*deadline)
}

// Write sends a part of an answer.
func (c *conn) Write(b []byte) (int, error) {
	if c.last != toWrite {
		c.last = toWrite
		if err := extend(&c.writeBy, c.timeouts.write, c.SetWriteDeadline); err != nil {
			return 0, err
		}
	}
	switch {
	case len(c.begun) > 0:
		return c.writeAfter(b)
	case c.more && len(b) == writeBuffer:
		c.begun = append(c.begun, b...)
		return len(b), nil
	}
	c.more = false
	return c.Conn.Write(b)
}

// writeAfter sends what has been begun and b.
func (c *conn) writeAfter(b []byte) (int, error) {
	c.parts = [2][]byte{c.begun, b}
	c.vector = c.parts[:]
	sent, err := c.vector.WriteTo(c.Conn)
	sent -= int64(len(c.begun))
	c.more, c.begun, c.parts, c.vector = false, c.begun[:0], [2][]byte{}, nil
	return int(max(0, sent)), err
}

// Close closes the connection. It may be called more than once.
func (c *conn) Close() error {
	c.closed.Do(func() { c.closing(c) })
	return c.Conn.Close()
}
