package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/wire/stricttest"
)

// halfPipe is a connection whose directions end separately. It counts the bytes read.
type halfPipe struct {
	net.Conn
	read int
	shut bool
}

func (h *halfPipe) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	h.read += n
	return n, err
}

func (h *halfPipe) CloseWrite() error { h.shut = true; return nil }

// TestLinger: a refused client may go on sending for a second, and 256 KiB. It sees the end
// of the answer before that.
func TestLinger(t *testing.T) {
	for name, tt := range map[string]struct {
		sends bool
		took  time.Duration
		read  int
	}{"silent": {took: time.Second}, "sends without end": {sends: true, read: 256 << 10}} {
		inBubble(t, func(t *testing.T) {
			client, end := net.Pipe()
			half := &halfPipe{Conn: end}
			c, _ := testServer(nil).add(half)
			if tt.sends {
				go io.Copy(client, endless{})
			}
			begun := time.Now()
			c.linger()
			if took := time.Since(begun); took != tt.took || half.read != tt.read || !half.shut {
				t.Errorf("%s: %d bytes in %v, answer ended: %t", name, half.read, took, half.shut)
			}
			c.Close()
		})
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// TestDeadlineStaysWhileEnoughIsLeft: a deadline is moved only if less than the required
// time is left of it.
func TestDeadlineStaysWhileEnoughIsLeft(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		begun := time.Now()
		c := &Conn{server: testServer(nil), opened: begun}
		var deadline time.Duration
		var set []time.Duration
		extend := func() {
			c.extend(&deadline, time.Minute, func(at time.Time) error { set = append(set, at.Sub(begun)); return nil })
		}
		extend()
		time.Sleep(DefaultTimeouts.Slack)
		if extend(); len(set) != 1 || set[0] != time.Minute+DefaultTimeouts.Slack {
			t.Errorf("set to %v", set)
		}
		time.Sleep(time.Nanosecond)
		if extend(); len(set) != 2 || set[1] != time.Minute+2*DefaultTimeouts.Slack+1 {
			t.Errorf("set to %v", set)
		}
	})
}

// TestReservedConnectionServesOneRequest: a connection over the limit is not kept for a
// second request, also for a target that the fast path answers.
func TestReservedConnectionServesOneRequest(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := testServer(func(o *Options) {
			o.MaxConns, o.Reserved = 1, func([]byte) bool { return true }
		})
		ln := &pipes{accept: make(chan net.Conn)}
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln) }()
		first, end := net.Pipe()
		ln.accept <- end
		second, end := net.Pipe()
		ln.accept <- end
		go io.WriteString(second, strings.Repeat(stricttest.Lines("GET /hit HTTP/1.1", "Host: a"), 2))
		all, _ := io.ReadAll(second)
		if answers, rest := answersIn(string(all)); len(answers) != 1 || rest != "" || answers[0].header.Get("Connection") != "close" {
			t.Errorf("%q", all)
		}
		first.Close()
		second.Close()
		close(ln.accept)
		if err := <-served; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// TestOwnLimitsStay: the limits of the Options replace the defaults.
func TestOwnLimitsStay(t *testing.T) {
	own := Timeouts{Read: time.Second, Idle: 2 * time.Second, Write: 3 * time.Second}
	if o := New(Options{Timeouts: own, MaxConns: 5, ReservedConns: 6}).opts; o.Timeouts != own || o.MaxConns != 5 || o.ReservedConns != 6 {
		t.Errorf("%+v", o)
	}
}

// TestShutdownWithoutConnections: a shutdown that leaves no connection succeeds, also when
// its time is over.
func TestShutdownWithoutConnections(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	s, failed := testServer(nil), errors.New("failed")
	if err := s.Shutdown(ended); err != nil {
		t.Error(err)
	}
	if err := s.Serve(closing{err: failed}); !errors.Is(err, failed) {
		t.Errorf("a listener after the shutdown that cannot be closed: %v", err)
	}
}

// closing is a listener whose Close fails.
type closing struct {
	net.Listener
	err error
}

func (c closing) Close() error { return c.err }

// TestTurnedAwayLeavesNothing: a connection that is turned away without a request leaves
// nothing in the answers of others.
func TestTurnedAwayLeavesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := testServer(nil)
		for range 10 {
			client, end := net.Pipe()
			c, _ := s.add(end)
			c.turnAway()
			all, _ := io.ReadAll(client)
			if answers, _ := answersIn(string(all)); len(answers) != 1 || answers[0].status != 503 || answers[0].header.Get("Retry-After") != "5" {
				t.Fatalf("%q", all)
			}
			synctest.Wait()
			answers, rest, _ := converse(t, s, stricttest.Lines("GET /a HTTP/1.1", "Host: a")+stricttest.Lines("GET /b HTTP/1.1", "Host: a"))
			if len(answers) != 2 || rest != "" || answers[0].status != 200 || len(answers[0].header["Retry-After"])+len(answers[0].header["Cache-Control"]) > 0 {
				t.Fatalf("%+v, then %q", answers, rest)
			}
		}
	})
}

// TestClose: a connection may be closed more than once, and counts as open until the first
// Close. The result is of the connection.
func TestClose(t *testing.T) {
	s := testServer(nil)
	_, end := proxytest.Pair(t)
	c, number := s.add(end)
	if number != 1 || s.Stats().Open != 1 || c.NetConn() != c.Conn {
		t.Errorf("%d connections, %+v", number, s.Stats())
	}
	if err := c.Close(); err != nil || s.Stats().Open != 0 {
		t.Errorf("%v, %+v", err, s.Stats())
	}
	if err := c.Close(); err == nil || s.Stats().Open != 0 {
		t.Errorf("closed again: %v, %+v", err, s.Stats())
	}
}
