package port

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestFree: a port is free, and is none that Linux gives to clients by default or on this
// machine.
func TestFree(t *testing.T) {
	lowest := 32_768
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if lowest, err = strconv.Atoi(strings.Fields(string(text))[0]); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		ln, err := net.Listen("tcp", Address(t))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if n := ln.Addr().(*net.TCPAddr).Port; n < 1024 || n >= lowest {
			t.Fatalf("port %d; clients get ports from %d on", n, lowest)
		}
	}
}
