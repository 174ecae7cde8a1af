package wire

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"
)

// The kernel buffers only a small part of an answer for a client that does not read.
// The rest stays in the process, however large the socket's buffer may grow.
func TestUnsentIsLimited(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const size = 8 << 20
	s := New(Options{Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetBody(make([]byte, size)) }})
	ended := make(chan error)
	go func() { ended <- s.Serve(ln) }()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	unsent := func() (n int) {
		s.conns.mu.Lock()
		defer s.conns.mu.Unlock()
		for c := range s.conns.open {
			raw, err := c.NetConn().(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQNSD) })
		}
		return n
	}
	last, same := -1, 0
	for begun := time.Now(); same < 20 && time.Since(begun) < 20*time.Second; <-time.After(10 * time.Millisecond) {
		if now := unsent(); now == last && now > 0 {
			same++
		} else {
			last, same = now, 0
		}
	}
	const mostUnsent = 64 << 10 // of package socket
	// One write more than the limit may be accepted.
	if last <= 0 || last > 4*mostUnsent {
		t.Errorf("%d bytes are unsent, with a limit of %d", last, mostUnsent)
	}
	client.Close()
	ln.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
