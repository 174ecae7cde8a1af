// Package wire serves HTTP/1.1 connections. It reads requests strictly, so that no
// bytes of a body can be taken for a request, sets the deadlines of each step, offers
// plain requests to a fast path before they are parsed in full, and sends bodies
// without copying them.
//
// A connection has one reader. It finds the end of a request's head, checks the head, and
// chooses the fast path or the handler by it. The fast path gets only requests without a
// body; for the handler the body is read first. Requests of a pipeline are answered one
// after the other.
package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/proxy/budget"
	"github.com/lewistv/xcri-proxy/proxy/rarely"
	"github.com/lewistv/xcri-proxy/proxy/wire/socket"
	"github.com/lewistv/xcri-proxy/proxy/wire/strict"
)

// Limits of a request, in bytes.
const (
	MaxHead = strict.MaxHead
	MaxBody = strict.MaxBody
)

// Head is the checked head of a request. See package strict.
type Head = strict.Head

// Options configure a Server. Handler is required.
type Options struct {
	// Handler answers a request. It must not panic.
	Handler fasthttp.RequestHandler
	// Sent is called after the Handler's answer to a request was sent, or could not be. It
	// must neither block nor panic; nil ignores it.
	Sent func(ctx *fasthttp.RequestCtx)
	// Answer is the fast path: it may append the header of the answer to a plain
	// request to dst. The body, which may be nil, follows it; the Server releases it.
	// If Answer returns false, the Handler gets the request. Nil means no fast path.
	Answer func(dst []byte, h *Head) (header []byte, body *entry.Variant, ok bool)
	// OnPanic is called after a panic, which closes the connection: in Answer with the
	// target of the request, elsewhere with an empty target; nil ignores it.
	OnPanic func(target string, cause any)
	// OnRefuse is called with the status of each answer to a request that the Server
	// refuses itself; nil ignores it.
	OnRefuse func(status int)
	// TakesBody reports whether the Handler needs the body of a request for a target; nil
	// means always. All other bodies are read and dropped. Bodies is the memory that
	// bodies, and heads over 4 KiB, take until they are answered; nil has no limit.
	TakesBody func(target []byte) bool
	Bodies    *budget.Budget
	// Name is the value of the header Server.
	Name     string
	Timeouts Timeouts
	// MaxConns is the most connections that are served at a time; zero means 4000. On
	// up to ReservedConns more, zero means 64, one request is served if Reserved
	// returns true for its target; nil reserves nothing. All other connections get a
	// 503, or are closed if even those are too many.
	MaxConns, ReservedConns int
	Reserved                func(target []byte) bool
	// Logger receives refusals of connections; nil discards them.
	Logger *slog.Logger
}

// Timeouts limit the time that a client may take. Options without Timeouts have
// DefaultTimeouts.
type Timeouts struct {
	Read  time.Duration // to send a request; the first, from the start of the connection
	Idle  time.Duration // to begin the next request
	Write time.Duration // to receive an answer
	// Slack is the time by which a deadline may be late, so that it need not be moved
	// for each request.
	Slack time.Duration
}

// DefaultTimeouts are the Timeouts of Options without any.
var DefaultTimeouts = Timeouts{Read: 10 * time.Second, Idle: 60 * time.Second, Write: 90 * time.Second, Slack: 10 * time.Second}

func (o Options) withDefaults() Options {
	if o.Timeouts == (Timeouts{}) {
		o.Timeouts = DefaultTimeouts
	}
	if o.MaxConns == 0 {
		o.MaxConns = 4000
	}
	if o.ReservedConns == 0 {
		o.ReservedConns = 64
	}
	if o.Reserved == nil {
		o.Reserved = func([]byte) bool { return false }
	}
	if o.TakesBody == nil {
		o.TakesBody = func([]byte) bool { return true }
	}
	if o.Sent == nil {
		o.Sent = func(*fasthttp.RequestCtx) {}
	}
	if o.OnPanic == nil {
		o.OnPanic = func(string, any) {}
	}
	if o.OnRefuse == nil {
		o.OnRefuse = func(int) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server serves the connections of a listener. It is safe for concurrent use.
type Server struct {
	opts        Options
	sessions    sync.Pool
	buffers     buffers
	conns       conns
	refused     atomic.Int64
	lastRefusal rarely.Event // limits the log of refusals
}

// New returns a Server.
func New(opts Options) *Server {
	s := &Server{opts: opts.withDefaults()}
	s.sessions.New = func() any { return newSession() }
	return s
}

// Stats is a snapshot of a Server's connections.
type Stats struct {
	Open    int64 // connections
	Refused int64 // connections over the limit since the start: refused with a 503, or closed
}

// Stats returns the current counts.
func (s *Server) Stats() Stats { return Stats{Open: int64(s.conns.count()), Refused: s.refused.Load()} }

// Serve answers the connections of ln until Drain or Shutdown, which close it. It may
// be called once.
func (s *Server) Serve(ln net.Listener) error {
	if !s.conns.listen(ln) {
		return ln.Close()
	}
	defer s.conns.served()
	for {
		accepted, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		c, number := s.add(accepted)
		switch most := s.opts.MaxConns; {
		case number > most+2*s.opts.ReservedConns:
			c.countRefusal()
			c.Close()
		case number > most+s.opts.ReservedConns:
			c.turnAway()
		default:
			c.reserved = number > most
			go c.serve()
		}
	}
}

// ServeConn answers the requests of one connection and closes it.
func (s *Server) ServeConn(accepted net.Conn) {
	c, _ := s.add(accepted)
	c.serve()
}

func (s *Server) add(accepted net.Conn) (c *Conn, number int) {
	socket.LimitUnsent(accepted)
	c = &Conn{Conn: socket.Follow(accepted), server: s, opened: time.Now()}
	return c, s.conns.add(c)
}

// Shutdown drains the server and closes idle connections immediately. It returns ctx's
// error if connections are left.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain(ctx, 0)
	if s.conns.count() > 0 {
		return ctx.Err()
	}
	return nil
}
