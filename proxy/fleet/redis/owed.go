package redis

import (
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/wire/socket"
)

// guards are the open connections of an Engine, and the connections that it opens now.
type guards struct {
	mu  sync.Mutex
	all map[*guard]bool
}

func (g *guards) add(one *guard) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all == nil {
		g.all = map[*guard]bool{}
	}
	g.all[one] = true
}

func (g *guards) remove(one *guard) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.all, one)
}

// owed returns the longest time for which a server has owed a reply or a connection.
func (g *guards) owed(now time.Time) (longest time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for one := range g.all {
		longest = max(longest, one.owed(now))
	}
	return longest
}

// owed returns the time since the oldest command without a reply was sent. It returns zero
// if bytes have arrived that the client has not read yet: this process is late then, and
// not the server.
func (g *guard) owed(now time.Time) time.Duration {
	since := g.since()
	if since.IsZero() || !now.After(since) || socket.Readable(g.socket()) {
		return 0
	}
	return now.Sub(since)
}

// since returns when the oldest command without a reply was sent, the begin of a write that
// the server has not taken, or of the attempt to connect; the zero time for none.
func (g *guard) since() (since time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.due {
		if !one.optional && !one.sent.IsZero() {
			since = one.sent
			break
		}
	}
	if since.IsZero() || !g.waits.IsZero() && g.waits.Before(since) {
		since = g.waits
	}
	return since
}

// socket returns the connection below TLS; nil before the server has accepted it.
func (g *guard) socket() net.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	if secure, ok := g.Conn.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return g.Conn
}
