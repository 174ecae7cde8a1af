package wire

import (
	"errors"
	"io"
	"net"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/proxy/wire/socket"
)

// uncopied is the size from which a body is sent without being copied. A smaller body
// fits the write buffer together with its header.
const uncopied = 2 << 10

// Send sets a variant's body as the body of the answer to a request other than HEAD.
// The caller holds the variant; Send releases it once the answer was sent.
func Send(ctx *fasthttp.RequestCtx, v *entry.Variant) {
	if c, ok := ctx.Conn().(*Conn); ok && v.Len() >= uncopied {
		c.session.body.prepare(c, v)
		ctx.Response.SetBodyStream(&c.session.body, v.Len()) // the response closes it
		ctx.Response.ImmediateHeaderFlush = true
		return
	}
	if v.File != nil {
		ctx.Response.SetBodyStream(&heldBody{v.Reader(), v}, v.Len()) // the response closes it
		return
	}
	ctx.Response.SetBodyRaw(v.Body)
}

// Stream sets a body of unknown length that comes in parts, whose reader the response
// closes. The client has the time of an answer for each part.
func Stream(ctx *fasthttp.RequestCtx, parts io.ReadCloser) {
	if c, ok := ctx.Conn().(*Conn); ok {
		parts = &stream{parts, c}
	}
	ctx.Response.SetBodyStream(parts, -1)
	ctx.Response.ImmediateHeaderFlush = true
}

// stream is a body that comes in parts. The goroutine of the connection reads it.
type stream struct {
	io.ReadCloser
	conn *Conn
}

func (s *stream) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b)
	s.conn.writing = false // the next write gets a deadline of its own
	return n, err
}

// heldBody reads the body of a variant and releases the variant.
type heldBody struct {
	io.Reader
	variant *entry.Variant
}

func (h *heldBody) Close() error {
	h.variant.Release()
	return nil
}

// body is the body of the answer that a connection is about to send.
type body struct {
	conn    *Conn
	variant *entry.Variant // nil for a body that goes through the write buffer
	header  []byte         // written before the body; also the buffer for headers

	parts  [2][]byte
	vector net.Buffers
	sender socket.Sender
}

func (b *body) prepare(c *Conn, v *entry.Variant) {
	b.conn, b.variant, b.header = c, v, b.header[:0]
}

// WriteTo sends the header and the body. It does not need the writer.
func (b *body) WriteTo(io.Writer) (sent int64, err error) {
	c, v := b.conn, b.variant
	c.limitWrite()
	if v.File != nil {
		sent, err = b.sender.Send(c.Conn, b.header, v.File)
	} else {
		b.parts = [2][]byte{b.header, v.Body}
		b.vector = b.parts[:]
		sent, err = b.vector.WriteTo(c.Conn)
		b.parts, b.vector = [2][]byte{}, nil
	}
	return max(0, sent-int64(len(b.header))), err
}

// Read is not used: a copy prefers WriteTo.
func (b *body) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Close releases the body, whether or not it was sent.
func (b *body) Close() error {
	if v := b.variant; v != nil {
		b.conn, b.variant = nil, nil
		v.Release()
	}
	return nil
}
