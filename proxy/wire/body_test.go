package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache/entry"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/wire/stricttest"
)

// connected returns a connection of a server and a request on it.
func connected(s *Server, end net.Conn) (*Conn, *fasthttp.RequestCtx) {
	c, _ := s.add(end)
	c.session = newSession()
	c.session.ctx.Init2(c, quiet{}, true)
	return c, &c.session.ctx
}

// TestSend: an answer is sent as its header followed by its body, also from a file,
// and none of its bytes are delayed until the next answer.
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
			client, end := proxytest.Pair(t)
			c, ctx := connected(testServer(nil), end)
			header, body := text[:tt.header], text[tt.header:tt.header+tt.body]
			v := &entry.Variant{Body: body}
			if tt.file && runtime.GOOS == "linux" {
				v = &entry.Variant{File: fileOf(t, body)}
			}
			for range 3 {
				sent := make(chan error, 1)
				go func() {
					v.Hold()
					Send(ctx, v)
					w := bufio.NewWriter(c)
					w.Write(header)
					w.Flush()
					n, err := c.session.body.WriteTo(nil)
					if n != int64(len(body)) {
						err = fmt.Errorf("%d bytes, %w", n, err)
					}
					ctx.Response.Reset()
					sent <- err
				}()
				got := make([]byte, len(header)+len(body))
				if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, text[:len(got)]) {
					t.Fatalf("not the written bytes: %v", err)
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

// TestSendFails: an error is returned if the client has closed the connection or does
// not read, and the reported number of bytes is not larger than the number sent.
func TestSendFails(t *testing.T) {
	body := make([]byte, 16<<20) // more than a socket's buffer holds
	if runtime.GOOS != "linux" {
		t.Skip("no memory files here")
	}
	for name, v := range map[string]*entry.Variant{"copied": {Body: body}, "from a file": {File: fileOf(t, body)}, "from one too short": {File: cut(t, fileOf(t, body), 1<<20)}} {
		for _, gone := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, gone %t", name, gone), func(t *testing.T) {
				client, end := proxytest.Pair(t)
				c, ctx := connected(testServer(func(o *Options) { o.Timeouts = Timeouts{Write: 50 * time.Millisecond} }), end)
				if gone {
					client.Close()
				}
				Send(ctx, v)
				if n, err := c.Write(body[:500]); n != 500 || err != nil {
					t.Fatal(n, err)
				}
				if n, err := c.session.body.WriteTo(nil); err == nil || n < 0 || n >= int64(len(body)) {
					t.Errorf("%d, %v", n, err)
				}
			})
		}
	}
}

// cut truncates a memory file; its recorded length stays the same.
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

// fileOf returns a memory file that holds b; nil on systems without memory files,
// where the body is copied.
func fileOf(t *testing.T, b []byte) *memfile.File {
	t.Helper()
	file, err := new(memfile.Memory).New(b)
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	return file
}

// TestSendFile: a file is sent completely on each connection, also on a connection
// without a socket and with a reused session.
func TestSendFile(t *testing.T) {
	body := bytes.Repeat([]byte("file "), 100_000)
	file := fileOf(t, body)
	if file == nil {
		t.Skip("no memory files here")
	}
	v := &entry.Variant{File: file}
	s := testServer(func(o *Options) {
		o.Answer = func(dst []byte, h *Head) ([]byte, *entry.Variant, bool) {
			if string(h.Target) != "/fast" {
				return nil, nil, false
			}
			v.Hold()
			return fmt.Appendf(dst, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body)), v, true
		}
		o.Handler = func(ctx *fasthttp.RequestCtx) { v.Hold(); Send(ctx, v) }
	})
	for round := range 6 {
		for _, target := range []string{"/fast", "/slow"} {
			client, end := proxytest.Pair(t)
			if round%2 == 1 {
				client, end = net.Pipe()
			}
			go s.ServeConn(end)
			go io.WriteString(client, strings.Repeat(stricttest.Lines("GET "+target+" HTTP/1.1", "Host: a"), 2)+stricttest.Lines("GET "+target+" HTTP/1.1", "Host: a", "Connection: close"))
			all, err := io.ReadAll(client)
			answers, rest := answersIn(string(all))
			if err != nil || len(answers) != 3 || rest != "" {
				t.Fatalf("round %d, %s: %d answers, then %d bytes, %v", round, target, len(answers), len(rest), err)
			}
			for _, a := range answers {
				if a.body != string(body) {
					t.Errorf("round %d, %s: %d bytes", round, target, len(a.body))
				}
			}
			client.Close()
		}
	}
	file.Release()
	if file.Acquire() {
		t.Error("a use of the file was not released")
	}
}

// TestSendElsewhere: Send also works for a request that is not on a connection of a
// Server, and releases the variant.
func TestSendElsewhere(t *testing.T) {
	body := bytes.Repeat([]byte("body "), 1000)
	for name, v := range map[string]*entry.Variant{"copied": {Body: body}, "from a file": {File: fileOf(t, body)}, "small": {Body: body[:10]}} {
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, nil, nil)
		v.Hold()
		Send(&ctx, v)
		if got := ctx.Response.Body(); !bytes.Equal(got, body[:v.Len()]) {
			t.Errorf("%s: %d bytes", name, len(got))
		}
		ctx.Response.Reset()
		if v.File != nil {
			if v.Release(); v.File.Acquire() {
				t.Errorf("%s: it was not released", name)
			}
		}
	}
}
