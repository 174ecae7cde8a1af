package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
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

// conn is a connection of the server. It sets deadlines for the timeouts itself and
// moves a deadline only when too little of it is left, where fasthttp would move three
// for each request. It sends a body without copying it, together with the header. It is
// for the goroutine that serves it; others may Close it, or leave it.
type conn struct {
	net.Conn
	timeouts timeouts
	fast     *fastPath   // nil means that all requests go to the server
	closing  func(*conn) // called by the first Close
	closed   sync.Once

	// active is set from the first byte of a request that the server has received
	// until the server has written the answer. Bytes read meanwhile belong to this
	// request, whatever they look like.
	active   bool
	answered bool // the last operation was the write of an answer
	writing  bool // the write deadline is set for the present answer

	// The times below count from when the connection was opened: that takes half as
	// long to read as the time of day.
	opened          time.Time
	limit           time.Duration // of the request that is being received; zero before it is set
	readBy, writeBy time.Duration // the deadlines that are set

	body body
}

// follow records the state that the server reports of a connection.
func (c *conn) follow(state fasthttp.ConnState) {
	switch state {
	case fasthttp.StateActive:
		c.active, c.answered, c.writing = true, false, false
	case fasthttp.StateIdle:
		c.active, c.answered, c.limit = false, true, 0
	}
}

// Read reads a part of a request. Between requests it waits for the next request,
// and returns nothing of those that the fast path answers. A client that sends no
// further request in time gets io.EOF, with which the server closes the connection
// without an answer: a client could take it for the answer to its next request.
func (c *conn) Read(b []byte) (int, error) {
	for {
		if err := c.limitRead(); err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(b)
		if c.active {
			return n, err
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, io.EOF
		}
		// While no request is under way the server holds no bytes. It offers its whole
		// buffer then.
		if err != nil || c.fast == nil || len(b) < maxHeaderBytes {
			return n, err
		}
		c.writing = false
		answered, err := c.fast.answer(c, b[:n])
		if err != nil {
			return 0, err
		}
		if !answered {
			return n, nil
		}
		c.answered = true
	}
}

func (c *conn) limitRead() error {
	switch {
	case c.answered:
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

// Write sends a part of an answer, or keeps it for the body that follows.
func (c *conn) Write(b []byte) (int, error) {
	if c.body.variant != nil {
		c.body.header = append(c.body.header, b...)
		return len(b), nil
	}
	if err := c.limitWrite(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *conn) limitWrite() error {
	if c.writing {
		return nil
	}
	c.writing = true
	return c.extend(&c.writeBy, c.timeouts.write, c.SetWriteDeadline)
}

// answer sends an answer that the server has no part in: a header, which may be in
// the buffer of c.body, and the body of a variant, or none.
func (c *conn) answer(header []byte, v *cache.Variant) error {
	c.body.header = header
	if v != nil {
		if v.Len() >= uncopied {
			c.body.conn, c.body.variant = c, v
			defer c.body.Close()
			_, err := c.body.WriteTo(nil)
			return err
		}
		c.body.header = append(header, v.Body...)
	}
	if err := c.limitWrite(); err != nil {
		return err
	}
	_, err := c.Conn.Write(c.body.header)
	return err
}

// send makes the body of a variant that of an answer to another request than HEAD.
func (c *conn) send(answer *fasthttp.Response, v *cache.Variant) {
	answer.SetBodyStream(&c.body, v.Len()) // which closes it
	answer.ImmediateHeaderFlush = true
	c.body.conn, c.body.variant, c.body.header = c, v, c.body.header[:0]
}

// body is the body of the answer that the server is about to write.
type body struct {
	conn    *conn
	variant *cache.Variant // nil for a body that goes through the server's buffer
	header  []byte         // what the server has written before it

	parts  [2][]byte
	vector net.Buffers
	sender sender
}

// WriteTo sends the header and the body. It does not need the server's writer.
func (b *body) WriteTo(io.Writer) (sent int64, err error) {
	c, v := b.conn, b.variant
	if err := c.limitWrite(); err != nil {
		return 0, err
	}
	if v.File != nil {
		sent, err = b.sender.send(c.Conn, b.header, v.File)
	} else {
		b.parts = [2][]byte{b.header, v.Body}
		b.vector = b.parts[:]
		sent, err = b.vector.WriteTo(c.Conn)
		b.parts, b.vector = [2][]byte{}, nil
	}
	return max(0, sent-int64(len(b.header))), err
}

// Read is not used: who writes a body prefers WriteTo.
func (b *body) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Close releases the body, whether or not it was sent.
func (b *body) Close() error {
	if v := b.variant; v != nil {
		b.variant = nil
		v.Release()
	}
	return nil
}

// NetConn returns the connection itself.
func (c *conn) NetConn() net.Conn { return c.Conn }

// Close closes the connection. It may be called more than once.
func (c *conn) Close() error {
	c.closed.Do(func() { c.closing(c) })
	return c.Conn.Close()
}

// copyTo writes head and then the file, which the caller holds.
func copyTo(to io.Writer, head []byte, file *memfile.File) (sent int64, err error) {
	n, err := to.Write(head)
	if err != nil {
		return int64(n), err
	}
	m, err := io.Copy(to, file.Reader())
	return int64(n) + m, err
}
