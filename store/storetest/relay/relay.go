// Package relay forwards TCP connections to a server byte by byte, so that a test
// can cut, freeze or silence them as a network does.
package relay

import (
	"net"
	"sync"
	"time"
)

// Relay listens on an address and forwards to a server. It is safe for concurrent
// use.
type Relay struct {
	listener net.Listener
	target   string

	mu       sync.Mutex
	open     map[*pair]bool
	silent   bool
	delay    time.Duration
	cutAfter int64 // bytes of the server until a connection is reset; 0 means never
	accepted int
}

// pair is a client's connection and ours to the server.
type pair struct {
	client, server net.Conn
	frozen         chan struct{} // closed when bytes are no longer forwarded
	freeze         sync.Once
	ended          chan struct{}
	end            sync.Once
}

// New listens on an address, such as 127.0.0.1:0, until Close.
func New(listen, target string) (*Relay, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	r := &Relay{listener: l, target: target, open: map[*pair]bool{}}
	go r.accept()
	return r, nil
}

// TB is the part of testing.TB that Start needs.
type TB interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
}

// Start listens on an address, such as 127.0.0.1:0, until the test ends.
func Start(t TB, listen, target string) *Relay {
	t.Helper()
	r, err := New(listen, target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// Addr returns the address that clients connect to.
func (r *Relay) Addr() (host string, port int) {
	addr := r.listener.Addr().(*net.TCPAddr)
	return addr.IP.String(), addr.Port
}

// Accepted returns how many connections clients have made.
func (r *Relay) Accepted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted
}

// Freeze stops forwarding on all connections that are open now, and leaves them
// open. New connections work.
func (r *Relay) Freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.open {
		p.freeze.Do(func() { close(p.frozen) })
	}
}

// Silence sets whether new connections are accepted without being forwarded.
func (r *Relay) Silence(silent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = silent
}

// Delay delays the bytes of the server on all connections, open or new.
func (r *Relay) Delay(delay time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = delay
}

// CutAfter resets each connection, open or new, once the server has sent more than the
// given number of further bytes on it; zero means never.
func (r *Relay) CutAfter(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cutAfter = bytes
}

// Cut resets all connections that are open now.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.open {
		p.reset()
	}
}

// Close resets all connections and refuses new connections.
func (r *Relay) Close() {
	r.listener.Close()
	r.Cut()
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		go r.serve(client)
	}
}

func (r *Relay) serve(client net.Conn) {
	p := &pair{client: client, frozen: make(chan struct{}), ended: make(chan struct{})}
	r.mu.Lock()
	silent := r.silent
	r.accepted++
	r.open[p] = true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.open, p)
		r.mu.Unlock()
	}()
	if !silent {
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			p.reset()
			return
		}
		r.mu.Lock()
		p.server = server
		r.mu.Unlock()
		select {
		case <-p.ended: // cut while dialling
			server.Close()
			return
		default:
		}
		go r.pump(p, server, client, false)
		go r.pump(p, client, server, true)
	}
	<-p.ended
}

// pump forwards bytes until either side ends. counted marks the server's bytes, to which
// CutAfter and Delay apply.
func (r *Relay) pump(p *pair, to, from net.Conn, counted bool) {
	defer p.reset()
	buf := make([]byte, 32<<10)
	var sent, limit int64
	for {
		n, err := from.Read(buf)
		select {
		case <-p.frozen:
			<-p.ended
			return
		default:
		}
		if counted {
			r.mu.Lock()
			if r.cutAfter != limit { // set meanwhile: count from here
				sent, limit = 0, r.cutAfter
			}
			r.mu.Unlock()
			if sent += int64(n); limit > 0 && sent > limit {
				to.Write(buf[:max(0, int64(n)-(sent-limit))])
				return
			}
		}
		r.mu.Lock()
		delay := r.delay
		r.mu.Unlock()
		if counted && delay > 0 {
			select {
			case <-p.ended:
				return
			case <-time.After(delay):
			}
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// reset closes both sides with a TCP reset.
func (p *pair) reset() {
	p.end.Do(func() {
		for _, c := range []net.Conn{p.client, p.server} {
			if tcp, ok := c.(*net.TCPConn); ok {
				tcp.SetLinger(0)
				tcp.Close()
			}
		}
		close(p.ended)
	})
}
