package socket

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// HungUp reports the end of the other side, also while bytes of it are not read, and
// takes no silent client for gone.
func TestHungUp(t *testing.T) {
	client, server := proxytest.Pair(t)
	if HungUp(server) {
		t.Error("gone at first")
	}
	io.WriteString(client, "a request")
	if HungUp(server) {
		t.Error("gone after a request")
	}
	client.Close()
	for deadline := time.Now().Add(time.Minute); !HungUp(server); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not gone after its end")
		}
	}
	got := make([]byte, 9)
	if _, err := io.ReadFull(server, got); err != nil || string(got) != "a request" {
		t.Errorf("%q, %v: the check has read something", got, err)
	}
	if pipe, _ := net.Pipe(); HungUp(pipe) {
		t.Error("a connection without a socket")
	}
}

// TestWaiting: a connection waits from its arrival until it is accepted.
func TestWaiting(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		address := "127.0.0.1:0"
		if network == "unix" {
			address = t.TempDir() + "/socket"
		}
		ln, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		if Waiting(ln) {
			t.Errorf("%s: waiting before the first connection", network)
		}
		client, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); !Waiting(ln); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: a connection does not wait", network)
			}
		}
		conn, err := ln.Accept()
		if err != nil || Waiting(ln) {
			t.Errorf("%s: waiting after %v", network, err)
		}
		conn.Close()
		client.Close()
		if ln.Close(); Waiting(ln) {
			t.Errorf("%s: waiting on a closed listener", network)
		}
	}
}

// TestReadable: a connection is readable from the arrival of bytes, or of the end, until they
// are read.
func TestReadable(t *testing.T) {
	client, server := proxytest.Pair(t)
	if Readable(server) {
		t.Error("readable at first")
	}
	io.WriteString(client, "x")
	await := func(what string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !Readable(server); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not readable after %s", what)
			}
		}
	}
	await("a byte")
	if _, err := server.Read(make([]byte, 1)); err != nil || Readable(server) {
		t.Errorf("readable after the read, %v", err)
	}
	client.Close()
	await("the end")
	if pipe, _ := net.Pipe(); Readable(pipe) || Readable(nil) {
		t.Error("a connection without a socket")
	}
}
