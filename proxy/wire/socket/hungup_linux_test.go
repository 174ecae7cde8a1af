package socket

import (
	"io"
	"net"
	"testing"
	"time"
)

// HungUp reports the end of the other side, also while bytes of it are not read, and
// takes no silent client for gone.
func TestHungUp(t *testing.T) {
	client, server := joined(t)
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
