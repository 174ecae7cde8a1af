package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"
)

var errUnasked = errors.New("the shared level sends a reply to no command")

// large is the size of a write that is a part of a value: the client writes as much together.
const large = bufferSize / 2

// guard is a connection whose server need not keep to the protocol. The client behind it
// panics, in a goroutine of its own, at a reply without a command and at a length that is
// negative or huge. guard counts the commands and checks each message first: the connection
// fails instead, and the circuit breaker opens.
type guard struct {
	net.Conn
	moved *atomic.Int64 // see Engine.Moved
	open  *guards       // has this guard until the connection ends

	mu       sync.Mutex
	sent     frames
	received frames
	due      []due     // for each command, in their order
	waits    time.Time // begin of the present write or the attempt to connect; zero for none
	// resp3 is true if the client has chosen RESP3. In RESP2 the messages of subscriptions
	// have the type of a reply, and old is true on the connection that has them.
	resp3, old bool
}

// due is the reply to a command: the confirmations of subscriptions, or any message.
type due struct {
	confirmations int
	begun         bool      // some have come
	optional      bool      // an error alone is a reply, as to the end of a subscription
	sent          time.Time // zero while the write is under way
}

// guarded returns a function that connects as a client with the options does, behind a
// guard.
func guarded(o valkey.ClientOption, moved *atomic.Int64, open *guards) func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
	return func(ctx context.Context, to string, dialer *net.Dialer, secure *tls.Config) (conn net.Conn, err error) {
		g := &guard{moved: moved, open: open, waits: time.Now()}
		open.add(g)
		switch {
		case o.DialCtxFn != nil: // a Unix socket
			conn, err = o.DialCtxFn(ctx, to, dialer, secure)
		case secure != nil:
			conn, err = (&tls.Dialer{NetDialer: dialer, Config: secure}).DialContext(ctx, "tcp", to)
		default:
			conn, err = dialer.DialContext(ctx, "tcp", to)
		}
		if err != nil {
			open.remove(g)
			return nil, err
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.Conn, g.waits = conn, time.Time{}
		return g, nil
	}
}

// Write notes the commands before the server can answer them.
func (g *guard) Write(b []byte) (int, error) {
	if err := g.note(b); err != nil {
		return 0, err
	}
	n, err := g.Conn.Write(b)
	g.written()
	if n >= large {
		g.moved.Add(int64(n))
	}
	return n, err
}

// written notes the time at which the server has received the commands.
func (g *guard) written() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waits = time.Time{}
	now := time.Now()
	for i := len(g.due) - 1; i >= 0 && g.due[i].sent.IsZero(); i-- {
		g.due[i].sent = now
	}
}

func (g *guard) note(b []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waits = time.Now()
	for len(b) > 0 {
		n, ended, err := g.sent.next(b)
		if err != nil {
			return err
		}
		if b = b[n:]; ended {
			g.command(strings.ToUpper(string(g.sent.words[0])), string(g.sent.words[1]))
		}
	}
	return nil
}

// command notes a command.
func (g *guard) command(name, argument string) {
	reply := due{}
	switch {
	case strings.HasSuffix(name, "UNSUBSCRIBE"):
		reply.optional = true // a PING follows, which has a reply
	case strings.HasSuffix(name, "SUBSCRIBE"):
		g.old = !g.resp3
		reply.confirmations = g.sent.count - 1
	case name == "HELLO":
		g.resp3 = argument == "3"
	}
	g.due = append(g.due, reply)
}

// Read returns bytes once they have been checked.
func (g *guard) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	g.moved.Add(int64(n))
	if wrong := g.check(b[:n]); wrong != nil {
		g.Close()
		return 0, wrong
	}
	return n, err
}

// Close ends the connection: the server owes no reply any more.
func (g *guard) Close() error {
	g.open.remove(g)
	return g.Conn.Close()
}

func (g *guard) check(b []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(b) > 0 {
		n, ended, err := g.received.next(b)
		if err != nil {
			return err
		}
		if b = b[n:]; ended && !g.expected() {
			return errUnasked
		}
	}
	return nil
}

// expected reports whether a message may come now.
func (g *guard) expected() bool {
	m := &g.received
	confirms := false
	if m.kind == '>' || g.old && m.kind == '*' && m.count > 0 && string(m.words[0]) != "pong" {
		switch string(m.words[0]) {
		case "subscribe", "psubscribe", "ssubscribe":
			confirms = true
		default:
			return true // a message of a subscription
		}
	}
	isError := m.kind == '-' || m.kind == '!'
	for len(g.due) > 0 && g.due[0].optional {
		g.due = g.due[1:]
		if isError {
			return true
		}
	}
	if len(g.due) == 0 {
		return false
	}
	switch next := &g.due[0]; {
	case confirms && next.confirmations > 1:
		next.confirmations--
		next.begun = true
		return true
	case confirms != (next.confirmations > 0) && (!isError || next.begun):
		return false
	}
	g.due = g.due[1:]
	return true
}
