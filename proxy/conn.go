package proxy

import (
	"net"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
)

// timeouts are how long a client may take.
type timeouts struct {
	read  time.Duration // to send a request; the first, from when it connected
	idle  time.Duration // to begin the next one
	write time.Duration // to take an answer
	// slack is how much later than it must be a deadline is set, so that it need
	// not be moved for each request.
	slack time.Duration
}

// conn is a connection of the server. It keeps the timeouts with deadlines that
// are moved now and then, where fasthttp would move three for each request. It
// sends the header of an answer together with a body that does not fit the
// server's buffer, and a large body from its file. It is for the goroutine that
// serves it; others may Close it, or leave it.
type conn struct {
	net.Conn
	timeouts timeouts
	closing  func(*conn) // called by the first Close
	closed   sync.Once

	last use
	// What follows counts from when the connection was opened: that takes half as
	// long to tell as the time of day.
	opened          time.Time
	limit           time.Duration // of the request that is coming; zero before its first byte
	readBy, writeBy time.Duration // the deadlines that are set

	// next is the body of the answer that is to be written, if that goes on after
	// the first full buffer, which then waits in begun.
	next   *cache.Variant
	begun  []byte
	parts  [2][]byte
	vector net.Buffers
	sender sender
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
		c.limit = 0
		return c.extend(&c.readBy, c.timeouts.idle, c.SetReadDeadline)
	case c.limit == 0:
		c.limit = time.Since(c.opened) + c.timeouts.read
		c.readBy = c.limit
		return c.SetReadDeadline(c.opened.Add(c.limit))
	}
	return nil
}

// extend sets a deadline that leaves the time that it must, unless the one that is
// set does.
func (c *conn) extend(deadline *time.Duration, must time.Duration, set func(time.Time) error) error {
	now := time.Since(c.opened)
	if *deadline-now >= must {
		return nil
	}
	*deadline = now + must + c.timeouts.slack
	return set(c.opened.Add(*deadline))
}

// Write sends a part of an answer.
func (c *conn) Write(b []byte) (int, error) {
	if c.last != toWrite {
		c.last = toWrite
		if err := c.extend(&c.writeBy, c.timeouts.write, c.SetWriteDeadline); err != nil {
			return 0, err
		}
	}
	switch {
	case len(c.begun) > 0:
		return c.writeAfter(b)
	case c.next != nil && len(b) == writeBuffer:
		c.begun = append(c.begun, b...)
		return len(b), nil
	}
	c.next = nil
	return c.Conn.Write(b)
}

// writeAfter sends what has been begun and b, the rest of the body that is next.
func (c *conn) writeAfter(b []byte) (int, error) {
	sent, ok, err := int64(0), false, error(nil)
	if header := len(c.begun) + len(b) - len(c.next.Body); c.next.File != nil && header > 0 && header < len(c.begun) {
		sent, ok, err = c.sender.send(c.Conn, c.begun[:header], c.next.File, int64(len(c.next.Body)))
	}
	if !ok {
		c.parts = [2][]byte{c.begun, b}
		c.vector = c.parts[:]
		sent, err = c.vector.WriteTo(c.Conn)
		c.parts, c.vector = [2][]byte{}, nil
	}
	sent -= int64(len(c.begun))
	c.next, c.begun = nil, c.begun[:0]
	return int(max(0, sent)), err
}

// Close closes the connection. It may be called more than once.
func (c *conn) Close() error {
	c.closed.Do(func() { c.closing(c) })
	return c.Conn.Close()
}
