// Package port finds ports of the loopback interface for the servers of tests.
package port

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// first and end bound the ports that Free returns. The system gives higher ports to clients and
// to listeners without a port, so that it gives none of these to another program while a
// server is down.
const first, end = 10_000, 30_000

// leases are sockets of UDP, each at the number of a port that Free has returned. A server
// can listen with TCP at a number that UDP holds, and the kernel closes the sockets when the
// process ends.
var leases struct {
	sync.Mutex
	held []net.PacketConn
}

// Free returns a port of 127.0.0.1 on which no program listens. No other call of Free returns
// the port while this process lives, in this process or another: a server may start seconds
// after Free, and may be down for a while.
func Free() (int, error) { return free(func() int { return first + rand.IntN(end-first) }) }

// free returns the first port that pick returns and that is free, or an error after 1000 ports.
func free(pick func() int) (int, error) {
	for range 1000 {
		port := pick()
		lease, err := net.ListenPacket("udp4", at(port))
		if err != nil {
			continue
		}
		ln, err := net.Listen("tcp4", at(port))
		if err != nil {
			lease.Close()
			continue
		}
		leases.Lock()
		leases.held = append(leases.held, lease)
		leases.Unlock()
		return port, ln.Close()
	}
	return 0, errors.New("no free port")
}

// TB is the part of testing.TB that Address needs.
type TB interface {
	Helper()
	Fatal(...any)
}

// Address returns the address of a port as Free returns it.
func Address(t TB) string {
	t.Helper()
	addr, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// FreeAddress returns the address of a port as Free returns it, for a program without tests.
func FreeAddress() (string, error) {
	port, err := Free()
	return at(port), err
}

func at(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
