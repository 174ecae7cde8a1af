package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/wire"
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
	t := wire.DefaultTimeouts
	return &fasthttp.Server{
		Handler: handler, Name: serverName, ReadBufferSize: wire.MaxHead, MaxRequestBodySize: wire.MaxBody, Concurrency: p.opts.MaxConns,
		NoDefaultContentType: true, ReadTimeout: t.Read, IdleTimeout: t.Idle, WriteTimeout: t.Write,
	}
}

// client is a connection that repeats one request, with as little work of its own as
// possible.
type client struct {
	net.Conn
	request, answer []byte
	body            int // the length of the answer's, in bytes
}

// newClient returns a client whose first answer, of a body of that many bytes, is in.
func newClient(b *testing.B, address string, headers []string, body int) *client {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	c := &client{Conn: conn, body: body, answer: make([]byte, body+4<<10)}
	c.request = requestText(siteTarget, headers)
	c.ask(b)
	first, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, first.Body); int(n) != body || err != nil {
		b.Fatalf("%s: %d bytes, want %d; %v", first.Status, n, body, err)
	}
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

// cpu returns the processor time that this process has used.
func cpu() time.Duration {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// run sends a request from each client in turn, and then reads the answers.
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

// BenchmarkLoopback is a hit by way of a server and a connection: as it is, with
// the fast path left out, and with a bare handler in the same server. The processor
// time is the client's too.
func BenchmarkLoopback(b *testing.B) {
	for _, hit := range hits {
		headers := append(browserHeaders, hit.headers...)
		ctx := requestCtx("GET", siteTarget, headers...)
		measure := func(name string, serve func(net.Listener) error) {
			address := loopback(b, serve)
			b.Run(hit.name+"/"+name, func(b *testing.B) {
				run(b, []*client{newClient(b, address, headers, len(ctx.Response.Body()))})
			})
		}
		p, slow := benchProxy(b, hit.size), benchProxy(b, hit.size)
		slow.server = slowServer(slow)
		for range 3 {
			ctx.Response.Reset()
			p.handle(ctx)
		}
		measure("proxy", p.Serve)
		measure("no fast path", slow.Serve)
		measure("bare", bareServer(p, bare(&ctx.Response)).Serve)
	}
}
