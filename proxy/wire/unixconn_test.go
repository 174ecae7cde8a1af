package wire

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestDrainOfUnixSocket: a drain keeps a connection on which data has just arrived,
// and closes a quiet connection.
func TestDrainOfUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "xcri-drain-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ln, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	conn := followUnix(accepted).(*unixConn)
	long := time.Now().Add(-time.Hour)
	conn.opened = long
	if quiet := quietFor(conn, time.Now()); quiet < time.Hour {
		t.Errorf("quiet for %v", quiet)
	}
	client.Write([]byte("x"))
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if quiet := quietFor(conn, long); quiet > 30*time.Minute {
		t.Errorf("quiet for %v after a byte", quiet)
	}
	if conn.NetConn() != accepted {
		t.Error("another connection")
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	other, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if followUnix(other) != other {
		t.Error("a TCP connection is wrapped")
	}
}
