package socket

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// pair connects to a listener of this process, and returns the client's side with its
// Socket and the server's side.
func pair(t *testing.T, network, addr string) (below *Socket, client, server net.Conn) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	below = &Socket{}
	if client, err = Dial(below.Record(t.Context()), network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return below, client, server
}

// arrives waits until bytes or the end have arrived.
func arrives(t *testing.T, s *Socket) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !s.Unread(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing has arrived")
		}
	}
}

// TestUnread: bytes are unread from their arrival to their read, and Unread leaves them in
// the socket. The end of a connection stays unread.
func TestUnread(t *testing.T) {
	for network, addr := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		t.Run(network, func(t *testing.T) {
			below, client, server := pair(t, network, addr)
			if below.Unread() {
				t.Error("unread before a byte was sent")
			}
			for range 3 {
				if _, err := server.Write([]byte("xy")); err != nil {
					t.Fatal(err)
				}
				arrives(t, below)
				var b [2]byte
				if _, err := io.ReadFull(client, b[:]); err != nil || string(b[:]) != "xy" {
					t.Errorf("%q, %v", b, err)
				}
				if below.Unread() {
					t.Error("unread after the read")
				}
			}
			server.Close()
			arrives(t, below)
			if client.Close(); below.Unread() {
				t.Error("unread after the connection was closed")
			}
		})
	}
}

// TestUnknown: of a Socket that was not recorded nothing is known, and a failed dial
// records nothing.
func TestUnknown(t *testing.T) {
	var zero Socket
	if zero.Unread() {
		t.Error("the zero Socket has unread bytes")
	}
	_, client, _ := pair(t, "tcp", "127.0.0.1:0")
	addr := client.RemoteAddr().String()
	conn, err := Dial(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if conn, err := Dial(zero.Record(ended), "tcp", addr); err == nil || conn != nil || zero.conn != nil {
		t.Errorf("%v, %v, %v", conn, err, zero.conn)
	}
}
