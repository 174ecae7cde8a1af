package proxy

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// drainTick is how often a drain looks for connections to close.
const drainTick = 20 * time.Millisecond

// Drain stops accepting connections and lets go of those that are open without
// losing a request: each answer from now on tells its client to close the
// connection, and a connection on which nothing has come for quiet is closed. It
// returns when none is left, or ctx ends. The listener is closed, not shut down,
// so that another process that holds it too goes on accepting.
func (p *Proxy) Drain(ctx context.Context, quiet time.Duration) {
	p.stopping.Store(true)
	p.verify.stop()
	p.conns.closeListener()
	seen := map[*track]glance{}
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for p.conns.release(seen, quiet) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// conns are a listener and the connections accepted from it that are open. The
// connections themselves stay as they are: fasthttp writes header and body of an
// answer in one system call to a *net.TCPConn alone.
type conns struct {
	mu       sync.Mutex
	listener *listener // nil before Serve
	serving  bool      // until the last connection was accepted
	closed   bool      // no listener is wanted any more
	open     sync.Map  // net.Conn to *track
}

// track follows one connection. Its turns are even while it waits for a
// request and odd from the first byte of one to the end of the answer.
type track struct{ turns atomic.Uint32 }

// glance is what a drain saw of a track, and when it first saw it so.
type glance struct {
	turns uint32
	since time.Time
}

// listen returns what accepts connections from ln, or nil after closeListener.
func (c *conns) listen(ln net.Listener) *listener {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.listener = &listener{Listener: ln}
	c.serving = true
	return c.listener
}

// served tells that no more connections will be accepted.
func (c *conns) served() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving = false
}

// closeListener ends what listen began, if it did, and keeps it from beginning.
func (c *conns) closeListener() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.listener != nil {
		c.listener.Close() // an error means that it does not listen, as is wanted
	}
}

// note follows the connections of the server.
func (c *conns) note(from net.Conn, state fasthttp.ConnState) {
	switch state {
	case fasthttp.StateNew:
		c.open.Store(from, &track{})
	case fasthttp.StateClosed, fasthttp.StateHijacked:
		c.open.Delete(from)
	default: // a request begins, or its answer has ended
		if v, ok := c.open.Load(from); ok {
			v.(*track).turns.Add(1)
		}
	}
}

// release lets go of the connections that have been quiet for that long since
// they were first seen so, and reports whether any is still open.
func (c *conns) release(seen map[*track]glance, quiet time.Duration) bool {
	c.mu.Lock()
	left := c.serving // before the look: what was accepted last is open by then
	c.mu.Unlock()
	now := time.Now()
	c.open.Range(func(from, of any) bool {
		left = true
		v := of.(*track)
		turns := v.turns.Load()
		switch was, known := seen[v]; {
		case !known || was.turns != turns:
			seen[v] = glance{turns, now}
		case turns%2 == 0 && now.Sub(was.since) >= quiet:
			leave(from.(net.Conn))
		}
		return true
	})
	return left
}

// leave ends a connection's wait for a request. What the kernel holds by then
// is still read and answered, which a deadline would hide.
func leave(from net.Conn) {
	if tcp, ok := from.(interface{ CloseRead() error }); ok {
		tcp.CloseRead() // an error means that it is closed
		return
	}
	from.SetReadDeadline(time.Now())
}

// listener is one that may be closed twice.
type listener struct {
	net.Listener
	close sync.Once
	err   error
}

func (l *listener) Close() error {
	l.close.Do(func() { l.err = l.Listener.Close() })
	return l.err
}
