package socket

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// TestQuietFor: only data from the client resets the quiet time of a connection.
func TestQuietFor(t *testing.T) {
	client, conn := proxytest.Pair(t)
	long := time.Now().Add(-time.Hour)
	if _, known := sinceLastData(conn); known != (runtime.GOOS == "linux") {
		t.Errorf("the kernel reports it: %t", known)
	}
	if runtime.GOOS != "linux" {
		return
	}
	io.WriteString(conn, "an answer")
	for QuietFor(conn, long) < 50*time.Millisecond {
		time.Sleep(time.Millisecond)
	}
	for deadline := time.Now().Add(time.Minute); QuietFor(conn, long) >= 50*time.Millisecond; {
		if time.Now().After(deadline) {
			t.Fatal("a request does not end the quiet")
		}
		io.WriteString(client, "a request")
		if _, err := conn.Read(make([]byte, 9)); err != nil {
			t.Fatal(err)
		}
	}
}

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
	conn := Follow(accepted).(*unixConn)
	long := time.Now().Add(-time.Hour)
	conn.opened = long
	if quiet := QuietFor(conn, time.Now()); quiet < time.Hour {
		t.Errorf("quiet for %v", quiet)
	}
	client.Write([]byte("x"))
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if quiet := QuietFor(conn, long); quiet > 30*time.Minute {
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
	if Follow(other) != other {
		t.Error("a TCP connection is wrapped")
	}
}
