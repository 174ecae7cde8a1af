package alone

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/lab"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
)

const (
	heldClients = 3500
	// holdFor is the time for which they hold their connections once all are open. A
	// request that is not complete has ten seconds from its connection on.
	holdFor = 3 * time.Second
	// heldBuffer is the receive buffer of a client, in bytes: with the usual buffers a
	// kernel on the same machine takes most of an answer for a client that reads nothing.
	heldBuffer = 4 << 10
)

// held are the ways in which a client can hold a connection: it sends a text, and reads
// nothing, or once.
var held = []struct {
	what, text string
	read       bool
}{
	{"POSTs of 65,000 bytes, without their last byte", "POST /feedback/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 65000\r\n\r\n" + strings.Repeat(" ", 64_999), false},
	{"heads of 100 bytes, without their end", heldHead(100), false},
	{"heads of 15,000 bytes, without their end", heldHead(15_000), false},
	{"connections that are idle after a hit", "GET /metadata/latest/date HTTP/1.1\r\nHost: localhost\r\n\r\n", true},
	{"clients that read nothing of the largest list", "GET " + ask.LiveLists(0)[0] + " HTTP/1.1\r\nHost: localhost\r\n" + ask.AsGzip + "\r\n\r\n", false},
	{"clients that read nothing of the largest list without a coding", "GET " + ask.LiveLists(0)[0] + " HTTP/1.1\r\nHost: localhost\r\n\r\n", false},
}

// heldHead returns the first bytes of a request.
func heldHead(size int) string {
	head := "GET /teams/ HTTP/1.1\r\nHost: localhost\r\nCookie: "
	return head + strings.Repeat("c", size-len(head))
}

// Held measures the memory while 3,500 clients hold their connections open in one way.
func Held(ctx context.Context, l *lab.Lab) error {
	for _, kind := range held {
		what := fmt.Sprintf("%s held: %s", report.Thousands(heldClients), kind.what)
		err := memoryDuring(ctx, l, what, func(ctx context.Context) (string, error) { return hold(ctx, kind.text, kind.read) })
		if err != nil {
			return err
		}
	}
	return nil
}

// hold opens connections that send a text, and holds them.
func hold(ctx context.Context, text string, read bool) (string, error) {
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for range heldClients {
		if conn, err := net.DialTimeout("tcp", ask.ProxyAddr, 5*time.Second); err == nil {
			open = append(open, conn)
			conn.(*net.TCPConn).SetReadBuffer(heldBuffer)     // best effort
			conn.SetDeadline(time.Now().Add(5 * time.Second)) // an error shows at the next use
			if io.WriteString(conn, text); read {             // an error means that the proxy has refused it
				conn.Read(make([]byte, heldBuffer))
			}
		}
	}
	time.Sleep(holdFor)
	s, err := ask.ReadStats(ctx)
	return fmt.Sprintf("%d connections open at the end", s.Requests.Open), err
}
