package proxy

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// loopback runs serve on a free port until the benchmark ends.
func loopback(b *testing.B, serve func(net.Listener) error) (address string) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go serve(ln)
	b.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

// bareServer is fasthttp with the limits of the real server and nothing else.
func bareServer(p *Proxy, handler fasthttp.RequestHandler) *fasthttp.Server {
	s := newServer(p)
	s.Handler = handler
	s.ReadTimeout, s.IdleTimeout, s.WriteTimeout = clientTimeouts.read, clientTimeouts.idle, clientTimeouts.write
	return s
}

// client is a connection that asks one thing again and again, with as little
// work of its own as there can be.
type client struct {
	net.Conn
	request, answer []byte
	body            int // the length of the answer's, in bytes
}

func newClient(b *testing.B, address string, headers []string, body int) *client {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	c := &client{Conn: conn, body: body, answer: make([]byte, body+4<<10)}
	c.request = fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: web4.ustfccca.org\r\n", siteTarget)
	for i := 0; i < len(headers); i += 2 {
		c.request = fmt.Appendf(c.request, "%s: %s\r\n", headers[i], headers[i+1])
	}
	c.request = append(c.request, "\r\n"...)
	return c
}

func (c *client) ask(b *testing.B) {
	if _, err := c.Write(c.request); err != nil {
		b.Fatal(err)
	}
}

// take reads an answer whose body is as long as it should be.
func (c *client) take(b *testing.B) {
	n, whole := 0, -1
	for n != whole {
		more, err := c.Read(c.answer[n:])
		if err != nil {
			b.Fatal(err)
		}
		n += more
		if whole < 0 {
			if end := bytes.Index(c.answer[:n], []byte("\r\n\r\n")); end >= 0 {
				whole = end + len("\r\n\r\n") + c.body
			}
		}
	}
}

// cpu is what this process has used of the processors.
func cpu() time.Duration {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// run asks each client in turn, and only then takes the answers.
func run(b *testing.B, clients []*client) {
	begun := cpu()
	b.ResetTimer()
	for done := 0; done < b.N; {
		batch := clients[:min(len(clients), b.N-done)]
		for _, c := range batch {
			c.ask(b)
		}
		for _, c := range batch {
			c.take(b)
		}
		done += len(batch)
	}
	b.ReportMetric(float64(cpu()-begun)/float64(b.N), "cpu-ns/op")
}

// timed measures each call of handler, which only one connection may ask.
func timed(handler fasthttp.RequestHandler) (timing fasthttp.RequestHandler, median func() float64) {
	var took []time.Duration
	timing = func(ctx *fasthttp.RequestCtx) {
		begun := time.Now()
		handler(ctx)
		took = append(took, time.Since(begun))
	}
	return timing, func() float64 {
		slices.Sort(took)
		return float64(took[len(took)/2])
	}
}

// BenchmarkLoopback is a hit by way of a server and a connection, beside a bare
// handler in the same server. The processor time is the client's too; the
// handler's own, the median, shows what it takes when system calls have pushed
// its code and data out of the processor's caches.
func BenchmarkLoopback(b *testing.B) {
	for _, hit := range hits {
		headers := append(browserHeaders, hit.headers...)
		ctx := requestCtx("GET", siteTarget, headers...)
		measure := func(name string, serve func(net.Listener) error, median func() float64) {
			address := loopback(b, serve)
			b.Run(hit.name+"/"+name, func(b *testing.B) {
				run(b, []*client{newClient(b, address, headers, len(ctx.Response.Body()))})
				b.ReportMetric(median(), "handler-ns/op")
			})
		}
		p := benchProxy(b, hit.size)
		for range 3 {
			ctx.Response.Reset()
			p.handle(ctx)
		}
		handler, median := timed(p.handle)
		p.server.Handler = handler
		measure("proxy", p.Serve, median)
		handler, median = timed(bare(&ctx.Response))
		measure("bare", bareServer(p, handler).Serve, median)
	}
}
