//go:build unix

package port

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// TestHeld: clients are refused once the listener is closed, and no other listener gets its
// port before the test ends.
func TestHeld(t *testing.T) {
	var addr string
	t.Run("held", func(t *testing.T) {
		ln := Held(t)
		addr = ln.Addr().String()
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		ln.Close()
		if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a client gets %v", err)
		}
		if other, err := net.Listen("tcp", addr); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("another listener %v gets %v", other, err)
		}
	})
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal("after the test:", err)
	}
	ln.Close()
}
