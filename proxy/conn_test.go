package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/reply"
)

// wired returns a client and the server's end of its connection, in a bubble.
func wired(limits timeouts) (client net.Conn, server *conn) {
	client, end := net.Pipe()
	server = (&conns{timeouts: limits}).add(end)
	return client, server
}

// TestTimeouts: a client has so long for each step, however little it sends, and
// the next step begins anew.
func TestTimeouts(t *testing.T) {
	limits := clientTimeouts
	byte1 := make([]byte, 1)
	begin := func(t *testing.T, client net.Conn, c *conn) { // a request
		t.Helper()
		go client.Write(byte1)
		if _, err := c.Read(byte1); err != nil {
			t.Fatal(err)
		}
		c.follow(fasthttp.StateActive)
	}
	request := func(t *testing.T, client net.Conn, c *conn) { // and its answer
		t.Helper()
		begin(t, client, c)
		go client.Read(byte1)
		if _, err := c.Write(byte1); err != nil {
			t.Fatal(err)
		}
		c.follow(fasthttp.StateIdle)
	}
	trickle := func(client net.Conn, every time.Duration) {
		for {
			if _, err := client.Write(byte1); err != nil {
				return
			}
			time.Sleep(every)
		}
	}
	for name, tt := range map[string]struct {
		step          func(t *testing.T, client net.Conn, c *conn) error // until it fails
		least, latest time.Duration
	}{
		"nothing comes": {func(_ *testing.T, _ net.Conn, c *conn) error {
			_, err := c.Read(byte1)
			return err
		}, limits.read, limits.read},
		"a request without end": {func(_ *testing.T, client net.Conn, c *conn) error {
			begin(t, client, c)
			go trickle(client, 3*time.Second)
			_, err := io.Copy(io.Discard, onlyReader{c})
			return err
		}, limits.read, limits.read},
		"nothing after an answer": {func(t *testing.T, client net.Conn, c *conn) error {
			for range 3 {
				request(t, client, c)
			}
			_, err := c.Read(byte1)
			return err
		}, limits.idle, limits.idle + limits.slack},
		"a later request without end": {func(t *testing.T, client net.Conn, c *conn) error {
			request(t, client, c)
			begin(t, client, c)
			go trickle(client, 3*time.Second)
			_, err := io.Copy(io.Discard, onlyReader{c})
			return err
		}, limits.read, limits.read},
		"an answer that nobody takes": {func(t *testing.T, client net.Conn, c *conn) error {
			request(t, client, c)
			begin(t, client, c)
			_, err := c.Write(byte1)
			return err
		}, limits.write, limits.write + limits.slack},
		"an answer taken bit by bit": {func(t *testing.T, client net.Conn, c *conn) error {
			go func() {
				for {
					if _, err := client.Read(byte1); err != nil {
						return
					}
					time.Sleep(3 * time.Second)
				}
			}()
			for {
				if _, err := c.Write(byte1); err != nil {
					return err
				}
			}
		}, limits.write, limits.write + limits.slack},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, c := wired(limits)
				defer time.Sleep(time.Minute) // the client notices
				defer client.Close()
				defer c.Close()
				begun := time.Now()
				end := os.ErrDeadlineExceeded
				if strings.HasPrefix(name, "nothing") {
					end = io.EOF // the server closes the connection without an answer
				}
				if err := tt.step(t, client, c); !errors.Is(err, end) {
					t.Fatal(err)
				}
				if took := time.Since(begun); took < tt.least || took > tt.latest {
					t.Errorf("after %v, want %v to %v", took, tt.least, tt.latest)
				}
			})
		})
	}
}

type onlyReader struct{ io.Reader }

// TestDeadlinesRest: as long as requests come, deadlines are moved now and then,
// and an idle client that comes back in time is served.
func TestDeadlinesRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, end := net.Pipe()
		counted := &countedConn{Conn: end}
		c := (&conns{timeouts: clientTimeouts}).add(counted)
		defer client.Close()
		defer c.Close()
		b := make([]byte, 1)
		for range 1000 {
			go client.Write(b)
			if _, err := c.Read(b); err != nil {
				t.Fatal(err)
			}
			c.follow(fasthttp.StateActive)
			go client.Read(b)
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			c.follow(fasthttp.StateIdle)
			time.Sleep(50 * time.Millisecond)
		}
		if most := 2 + 2*int(50*time.Second/clientTimeouts.slack); counted.deadlines > most {
			t.Errorf("%d deadlines in 50 s", counted.deadlines)
		}
		time.Sleep(clientTimeouts.idle - time.Second)
		go client.Write(b)
		if _, err := c.Read(b); err != nil {
			t.Error(err)
		}
	})
}

type countedConn struct {
	net.Conn
	deadlines int
}

func (c *countedConn) SetReadDeadline(t time.Time) error {
	c.deadlines++
	return c.Conn.SetReadDeadline(t)
}

func (c *countedConn) SetWriteDeadline(t time.Time) error {
	c.deadlines++
	return c.Conn.SetWriteDeadline(t)
}

// TestSend: what is sent is the header and the body, in this order, from a file
// too, and nothing of it waits for the next answer.
func TestSend(t *testing.T) {
	text := make([]byte, 3<<20)
	rand.NewChaCha8([32]byte{}).Read(text)
	for name, tt := range map[string]struct {
		header, body int
		file         bool
	}{
		"copied":                        {header: 500, body: 100_000},
		"from a file":                   {header: 500, body: 100_000, file: true},
		"more than a socket takes":      {header: 500, body: len(text) - 500, file: true},
		"a header longer than a buffer": {header: 10_000, body: 100_000},
		"no header of its own":          {body: 100_000, file: true},
	} {
		t.Run(name, func(t *testing.T) {
			client, end := joined(t)
			c := (&conns{timeouts: clientTimeouts}).add(end)
			header, body := text[:tt.header], text[tt.header:tt.header+tt.body]
			v := &cache.Variant{Body: body}
			if tt.file && runtime.GOOS == "linux" {
				v = &cache.Variant{File: fileOf(t, body)}
			}
			for range 3 {
				sent := make(chan error, 1)
				go func() {
					var answer fasthttp.Response
					v.Hold()
					c.send(&answer, v)
					w := bufio.NewWriter(c)
					w.Write(header)
					w.Flush()
					n, err := c.body.WriteTo(nil)
					if n != int64(len(body)) {
						err = fmt.Errorf("%d bytes, %w", n, err)
					}
					answer.Reset()
					sent <- err
				}()
				got := make([]byte, len(header)+len(body))
				if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, text[:len(got)]) {
					t.Fatalf("not what was written: %v", err)
				}
				if err := <-sent; err != nil {
					t.Error(err)
				}
				if n, err := c.Write(text[:1]); n != 1 || err != nil {
					t.Error(n, err)
				}
				if _, err := io.ReadFull(client, got[:1]); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestSendFails: who has hung up, or takes nothing, is noticed, and no more is said
// to be sent than was.
func TestSendFails(t *testing.T) {
	body := make([]byte, 16<<20) // more than a socket takes
	if runtime.GOOS != "linux" {
		t.Skip("no memory files here")
	}
	for name, v := range map[string]*cache.Variant{"copied": {Body: body}, "from a file": {File: fileOf(t, body)}, "from one too short": {File: cut(t, fileOf(t, body), 1<<20)}} {
		for _, gone := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, gone %t", name, gone), func(t *testing.T) {
				client, end := joined(t)
				c := (&conns{timeouts: timeouts{write: 50 * time.Millisecond}}).add(end)
				if gone {
					client.Close()
				}
				c.send(&fasthttp.Response{}, v)
				if n, err := c.Write(body[:500]); n != 500 || err != nil {
					t.Fatal(n, err)
				}
				if n, err := c.body.WriteTo(nil); err == nil || n < 0 || n >= int64(len(body)) {
					t.Errorf("%d, %v", n, err)
				}
			})
		}
	}
}

// TestSendGivenUp: a body that another answer takes the place of is not sent.
func TestSendGivenUp(t *testing.T) {
	p := benchProxy(t, 60<<10)
	handle := p.server.Handler
	p.server.Handler = func(ctx *fasthttp.RequestCtx) {
		handle(ctx)
		if c := ctx.Conn().(*conn); c.body.variant == nil {
			t.Error("there is no body to give up")
		}
		ctx.Response.Reset()
		reply.Fail(ctx, fasthttp.StatusInternalServerError, "given up")
	}
	base := listen(t, p)
	for range 2 {
		if a := get(t, base, siteTarget, "Accept-Encoding", "gzip"); a.status != 500 || a.body != `{"detail":"given up"}` {
			t.Errorf("%d %.200s", a.status, a.body)
		}
	}
}

// A large body is kept once, in a file on Linux, and is sent from there, whole, in
// each form and way that clients ask for.
func TestLargeHit(t *testing.T) {
	p := benchProxy(t, 8<<20)
	base := listen(t, p)
	entry, _, _ := p.cache.Get(&cache.Ref{Key: p.opts.Pages[0]})
	gzipped := entry.Variants[content.Gzip]
	if onLinux := runtime.GOOS == "linux"; (gzipped.File != nil) != onLinux || onLinux && gzipped.Body != nil {
		t.Fatalf("a file: %t, a body on the heap: %t", gzipped.File != nil, gzipped.Body != nil)
	}
	want, err := io.ReadAll(gzipped.Reader())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if a := get(t, base, siteTarget, "Accept-Encoding", "gzip"); a.status != 200 || a.body != string(want) {
			t.Errorf("%d, %d bytes", a.status, len(a.body))
		}
		if a := get(t, base, siteTarget, "Accept-Encoding", "gzip", "X-Not-Plain", strings.Repeat("x", 9000)); a.status != 200 || a.body != string(want) {
			t.Errorf("by the server: %d, %d bytes", a.status, len(a.body))
		}
		if a := get(t, base, siteTarget, "Accept-Encoding", "identity"); a.status != 200 || a.body != string(sampleBody(8<<20)) {
			t.Errorf("inflated: %d, %d bytes", a.status, len(a.body))
		}
	}
	held := int64(0)
	for _, v := range entry.Variants {
		held += v.Cost()
	}
	if files := p.opts.Memory.Bytes(); entry.Cost() < held || runtime.GOOS == "linux" && (files < int64(len(want)) || held < files) {
		t.Errorf("cost %d, bodies %d, files %d", entry.Cost(), held, files)
	}
}

// An answer that leaves the cache between the lookup and the sending is asked for
// again.
func TestEvictedBeforeSent(t *testing.T) {
	p := benchProxy(t, 8<<20)
	base := listen(t, p)
	e := p.cache.Peek(&cache.Ref{Key: p.opts.Pages[0]}).Entry
	if e.Variants[content.Gzip].File == nil {
		t.Skip("no memory files here")
	}
	p.cache.Purge(func(*cache.Entry) bool { return true }, true)
	if e.Variants[content.Gzip].Hold() || p.opts.Memory.Files() != 0 {
		t.Fatalf("%d files are left", p.opts.Memory.Files())
	}
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.Header.Set("Accept-Encoding", "gzip")
	if p.respond(&ctx, e, cache.Hit) {
		t.Error("a body that is gone was sent")
	}
	ctx.Request.Header.Del("Accept-Encoding")
	if p.respond(&ctx, e, cache.Hit) {
		t.Error("a body that is gone was inflated")
	}
	if header, _ := newFastPath(p).prepare(nil, []byte("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"), e, time.Now()); header != nil {
		t.Error("the fast path took it")
	}
	if a := get(t, base, siteTarget, "Accept-Encoding", "identity"); a.status != 200 || a.body != string(sampleBody(8<<20)) {
		t.Errorf("%d, %d bytes", a.status, len(a.body))
	}
}

// cut makes a file shorter than it says.
func cut(t *testing.T, file *memfile.File, to int64) *memfile.File {
	t.Helper()
	err := file.Control(func(fd uintptr) {
		if err := os.NewSyscallError("ftruncate", syscall.Ftruncate(int(fd), to)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// fileOf returns a memory file that holds b; nil, for a copy, where there are none.
func fileOf(t *testing.T, b []byte) *memfile.File {
	t.Helper()
	file, err := new(memfile.Memory).New(b)
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	return file
}

// TestPipelined: answers to requests that come at once are whole and in order,
// whatever of them is copied or sent from a file.
func TestPipelined(t *testing.T) {
	for _, size := range []int{1000, 10 << 10, 14 << 10, 60 << 10, 8 << 20} {
		p := benchProxy(t, size)
		conn := dial(t, listen(t, p))
		from := bufio.NewReader(conn)
		var want []string
		var requests strings.Builder
		for range 3 {
			for _, target := range []string{siteTarget, "/livez", siteTarget, "/teams/", "/nowhere"} {
				request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", target)
				io.WriteString(conn, request)
				want = append(want, read(t, from, "GET").body)
				requests.WriteString(request)
			}
		}
		go io.WriteString(conn, requests.String())
		for i := range want {
			if a := read(t, from, "GET"); a.body != want[i] {
				t.Fatalf("%d: answer %d has %d bytes, want %d", size, i, len(a.body), len(want[i]))
			}
		}
		conn.Close()
	}
}
