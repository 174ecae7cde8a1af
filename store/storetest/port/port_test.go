package port

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestFree: a port is free, and is none that the system gives to clients.
func TestFree(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Skip(err)
	}
	lowest, err := strconv.Atoi(strings.Fields(string(text))[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		ln, err := net.Listen("tcp", Address(t))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if n := ln.Addr().(*net.TCPAddr).Port; n < first || n >= end || n >= lowest && lowest > end {
			t.Errorf("port %d; clients get ports from %d on", n, lowest)
		}
	}
}
