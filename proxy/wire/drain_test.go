package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// TestLeave: ending a connection's wait loses no data that has already arrived.
func TestLeave(t *testing.T) {
	client, c := proxytest.Pair(t)
	io.WriteString(client, "a request")
	b := make([]byte, 1)
	if _, err := c.Read(b); err != nil { // wait for the first byte, so that the rest has arrived
		t.Fatal(err)
	}
	leave(c)
	rest, err := io.ReadAll(c)
	if string(rest) != " request" || err != nil {
		t.Errorf("read %q, %v", rest, err)
	}
	if _, err := io.WriteString(c, "an answer"); err != nil {
		t.Error(err)
	}
}

// TestLeaveWithoutASocket: a connection whose directions do not end separately ends its
// wait by its deadline.
func TestLeaveWithoutASocket(t *testing.T) {
	_, c := net.Pipe()
	leave(c)
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d, %v", n, err)
	}
}

// TestDrainChecks: a drain checks each 20 ms whether connections are left.
func TestDrainChecks(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := testServer(nil)
		added, _ := s.add(&fakeConn{})
		time.AfterFunc(50*time.Millisecond, func() { added.Close() })
		begun := time.Now()
		if s.Drain(t.Context(), time.Hour); time.Since(begun) != 60*time.Millisecond {
			t.Errorf("ended after %v", time.Since(begun))
		}
	})
}

// TestReleaseWaitsForServe: connections may still come until the listener's last
// connection was accepted. A connection is released after the quiet time, not before.
func TestReleaseWaitsForServe(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, fake, left := testServer(nil), &fakeConn{}, map[*Conn]bool{}
		c := &s.conns
		c.listen(nil)
		if !c.release(left, time.Minute) {
			t.Error("nothing is open before the last connection was accepted")
		}
		added, _ := s.add(fake)
		for _, step := range []struct {
			after time.Duration
			left  int
		}{{time.Minute - 1, 0}, {1, 1}, {time.Minute, 1}} {
			time.Sleep(step.after)
			if !c.release(left, time.Minute) || fake.left != step.left {
				t.Errorf("hung up %d times, want %d", fake.left, step.left)
			}
		}
		added.Close()
		if c.served(); c.release(left, time.Minute) {
			t.Error("something is open after the last connection was accepted and closed")
		}
	})
}

// TestRelease: a connection is released once, when no data has arrived on it for the
// given time.
func TestRelease(t *testing.T) {
	s, fake, left := testServer(nil), &fakeConn{}, map[*Conn]bool{}
	c := &s.conns
	if c.release(left, 0) {
		t.Error("something is open before the first connection")
	}
	added, _ := s.add(fake)
	if !c.release(left, time.Hour) || fake.left != 0 {
		t.Error("hung up too soon")
	}
	for range 2 {
		if !c.release(left, 0) || fake.left != 1 {
			t.Errorf("hung up %d times", fake.left)
		}
	}
	added.Close()
	if c.release(left, 0) {
		t.Error("a closed connection still counts")
	}
}

// fakeConn counts how often it was released.
type fakeConn struct {
	net.Conn
	left int
}

func (c *fakeConn) CloseRead() error {
	c.left++
	return nil
}

func (c *fakeConn) Close() error { return nil }
