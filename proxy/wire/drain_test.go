package wire

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestLeave: ending a connection's wait loses no data that has already arrived.
func TestLeave(t *testing.T) {
	client, c := joined(t)
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

// joined returns the two ends of a connection, which are closed when the test ends.
func joined(t *testing.T) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server
}
