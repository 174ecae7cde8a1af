// Package port finds ports of the loopback interface for the servers of tests.
package port

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// first and end bound the ports that Free returns. The system gives higher ports to clients and
// to listeners without a port, so that it gives none of these to another program while a
// server is down.
const first, end = 10_000, 30_000

// Free returns a port of 127.0.0.1 on which no program listens.
func Free() (int, error) {
	for range 1000 {
		port := first + rand.IntN(end-first)
		if ln, err := net.Listen("tcp", at(port)); err == nil {
			return port, ln.Close()
		}
	}
	return 0, errors.New("no free port")
}

// TB is the part of testing.TB that Address needs.
type TB interface {
	Helper()
	Fatal(...any)
}

// Address returns an address of the loopback interface at which no program listens.
func Address(t TB) string {
	t.Helper()
	port, err := Free()
	if err != nil {
		t.Fatal(err)
	}
	return at(port)
}

func at(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
