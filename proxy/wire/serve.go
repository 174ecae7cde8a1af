package wire

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/budget"
	"github.com/lewistv/xcri-proxy/proxy/wire/socket"
	"github.com/lewistv/xcri-proxy/proxy/wire/strict"
)

// session holds the buffers and the request context of a connection. It is reused for
// other connections.
type session struct {
	input
	ctx  fasthttp.RequestCtx
	head strict.Head
	body body
	room budget.Room // of the request's body
}

func newSession() *session { return &session{input: newInput()} }

// serve answers the requests of the connection and closes it.
func (c *Conn) serve() {
	s := c.server.sessions.Get().(*session)
	s.input.open(c.Conn)
	s.body.sender, s.room = socket.Sender{}, c.server.opts.Bodies.Room()
	c.session = s
	defer func() {
		if r := recover(); r != nil {
			c.server.opts.OnPanic("", r)
		}
		c.Close()
		s.reset()
		s.input.close(&c.server.buffers)
		c.server.sessions.Put(s)
	}()
	for c.next() {
		c.answered = true
	}
}

// reset releases everything that belongs to a request and its answer.
func (s *session) reset() {
	s.ctx.Request.Reset()  // and the user values
	s.ctx.Response.Reset() // which closes a body
	s.room.Close()
}

// next serves one request, and reports whether the connection goes on.
func (c *Conn) next() bool {
	h := &c.session.head
	c.session.narrow(&c.server.buffers)
	size, err := c.readHead(h)
	if err != nil {
		c.refuse(err)
		return false
	}
	if c.reserved && !c.server.opts.Reserved(h.Target) {
		c.countRefusal()
		c.refuse(errNoRoom)
		return false
	}
	if c.server.opts.Answer != nil && h.Plain() && !c.reserved {
		switch done, err := c.answer(h); {
		case err != nil:
			return false
		case done:
			c.session.from.Discard(size)
			return true
		}
	}
	return c.handle(h, size)
}

// readHead waits for a request and reads its head, which stays in the read buffer. It
// returns the head's length, and io.EOF if no request comes. An empty line before a
// request is skipped.
func (c *Conn) readHead(h *strict.Head) (int, error) {
	from := c.session.from
	h.IsHEAD = false
	if from.Buffered() == 0 {
		c.expect()
		if _, err := from.Peek(1); err != nil {
			return 0, io.EOF
		}
	}
	limited, skipped, searched := false, false, 0
	for {
		b, _ := from.Peek(from.Buffered())
		if !skipped && bytes.HasPrefix(b, []byte("\r\n")) {
			from.Discard(2)
			skipped, searched = true, 0
			continue
		}
		size, err := strict.End(b, searched)
		if err == nil {
			if p := h.Parse(b[:size]); p != nil {
				return 0, p
			}
			return size, nil
		}
		if err != strict.ErrIncomplete {
			return 0, err
		}
		if len(b) == from.Size() {
			if from, err = c.session.widen(&c.server.buffers, c.server.opts.Bodies); err != nil {
				return 0, err
			}
		}
		searched = len(b)
		if !limited {
			limited = true
			c.limitRequest()
		}
		if _, err := from.Peek(len(b) + 1); err != nil {
			return 0, c.cut(err, len(b) == 0)
		}
	}
}

// cut returns the reason to refuse a request that could not be read completely, or
// io.EOF if no byte of it has arrived. Other errors, and nil, stay as they are.
func (c *Conn) cut(err error, nothing bool) error {
	switch {
	case nothing:
		return io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errEnd
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errLate
	}
	return err
}

// answer lets the fast path answer a request. After an error the connection is closed.
func (c *Conn) answer(h *strict.Head) (done bool, err error) {
	b := &c.session.body
	defer func() {
		if r := recover(); r != nil {
			c.server.opts.OnPanic(string(h.Target), r)
			done, err = false, errors.New("panic")
		}
		b.Close()
	}()
	header, v, ok := c.server.opts.Answer(b.header[:0], h)
	if !ok {
		return false, nil
	}
	c.writing = false
	if v != nil {
		b.conn, b.variant, b.header = c, v, header
		if v.Len() >= uncopied {
			_, err := b.WriteTo(nil)
			return true, err
		}
		header = append(header, v.Body...)
	}
	b.header = header
	c.limitWrite()
	_, err = c.Conn.Write(header)
	return true, err
}

// handle reads the body of a request and lets the Handler answer. It reports whether
// the connection goes on.
func (c *Conn) handle(h *strict.Head, size int) bool {
	s := c.session
	defer s.reset()
	ctx := &s.ctx
	before := s.from.Buffered()
	if err := ctx.Request.Header.Read(s.from); err != nil || before-s.from.Buffered() != size {
		c.refuse(strict.Bad("The request could not be read"))
		return false
	}
	if err := c.readRequest(h); err != nil {
		c.refuse(err)
		return false
	}
	ctx.Init2(c, quiet{}, true)
	ctx.Response.Header.SetNoDefaultContentType(true)
	closes, http10 := h.Closes, h.HTTP10
	c.server.opts.Handler(ctx)
	err := c.respond(closes, http10)
	c.server.opts.Sent(ctx)
	return err == nil
}

// readRequest adds to ctx the parts that fasthttp's parser does not handle: joined
// fields, and the body.
func (c *Conn) readRequest(h *strict.Head) error {
	r := &c.session.ctx.Request
	h.EachJoined(r.Header.SetBytesV) // of which it sets the first line
	if !h.HasBody() {
		return nil
	}
	if h.Expects && !h.HTTP10 {
		return errExpect
	}
	c.limitRequest()
	return c.cut(strict.ReadBody(c.session.from, h, c.bodySink(r)), false)
}

// bodySink returns the function that receives the pieces of a request's body.
func (c *Conn) bodySink(r *fasthttp.Request) func([]byte) error {
	if !c.server.opts.TakesBody(r.RequestURI()) {
		return func([]byte) error { return nil }
	}
	return func(b []byte) error {
		if !c.session.room.Grow(2 * len(b)) { // the buffer grows in steps
			return errBodyRoom
		}
		r.AppendBody(b)
		return nil
	}
}

// errClosing is the error of an answer after which the connection is closed.
var errClosing = errors.New("the connection is closed after the answer")

// respond sends the answer that ctx holds.
func (c *Conn) respond(closes, http10 bool) error {
	ctx := &c.session.ctx
	header := &ctx.Response.Header
	if ctx.IsHead() {
		ctx.Response.SkipBody = true
	}
	closes = closes || header.ConnectionClose() || c.reserved
	if closes {
		header.SetConnectionClose()
	} else if http10 {
		header.Set(fasthttp.HeaderConnection, "keep-alive")
	}
	if len(header.Server()) == 0 {
		header.SetServer(c.server.opts.Name)
	}
	c.writing = false
	to := c.server.buffers.writer(c)
	defer c.server.buffers.giveBack(to)
	if err := ctx.Response.Write(to); err != nil {
		return err
	}
	if err := to.Flush(); err != nil {
		return err
	}
	if closes {
		return errClosing
	}
	return nil
}

// quiet is the logger of a RequestCtx. It discards all messages.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
