package wire

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/wire/strict"
)

const (
	// lingerTime and lingerBytes limit how long a refused client may go on sending.
	lingerTime  = time.Second
	lingerBytes = 256 << 10
	// retryAfter is the value of Retry-After where connections are refused, in seconds.
	retryAfter = "5"
)

// refuse answers a refused request in the format of the API's errors if err is a
// problem. After any other error no client reads the answer.
func (c *Conn) refuse(err error) {
	var p *strict.Problem
	if !errors.As(err, &p) {
		return
	}
	if p == errNoRoom {
		c.hurry()
	}
	c.server.opts.OnRefuse(p.Status)
	r := &c.session.ctx.Response
	r.SkipBody = c.session.head.IsHEAD
	r.SetStatusCode(p.Status)
	r.Header.SetContentType("application/json")
	r.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	if p.Status == fasthttp.StatusServiceUnavailable {
		r.Header.Set(fasthttp.HeaderRetryAfter, retryAfter)
	}
	r.SetBodyString(`{"detail":"` + p.Detail + `"}`)
	if c.respond(true, false) == errClosing {
		c.linger()
	}
}

// linger ends a connection whose client may still be sending. If it were closed with
// unread bytes, the kernel would reset it, and the client might lose the answer.
// Source: RFC 9112, 9.6.
func (c *Conn) linger() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return
	}
	half.CloseWrite() // if the connection is closed, the read fails, too
	c.SetReadDeadline(time.Now().Add(lingerTime))
	io.CopyN(io.Discard, c.Conn, lingerBytes) // after an error there are no more bytes to wait for
}

// turnAway refuses a connection without reading a request.
func (c *Conn) turnAway() {
	c.countRefusal()
	go func() {
		defer c.Close()
		s := c.server.sessions.Get().(*session)
		defer c.server.sessions.Put(s)
		c.session, s.head.IsHEAD = s, false
		c.refuse(errNoRoom)
		s.reset()
	}()
}

// countRefusal counts a refused connection, and logs at most one refusal a minute.
func (c *Conn) countRefusal() {
	s := c.server
	total := s.refused.Add(1)
	if s.lastRefusal.Now(time.Minute) {
		s.opts.Logger.Warn("connection limit reached; further connections get a 503",
			"limit", s.opts.MaxConns, "open", s.conns.count(), "refused", total)
	}
}

var _ net.Conn = (*Conn)(nil)
