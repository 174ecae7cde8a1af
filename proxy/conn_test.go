package proxy

import (
	"bufio"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/wire"
)

// TestSendGivenUp: a body that another answer replaces is not sent.
func TestSendGivenUp(t *testing.T) {
	p := benchProxy(t, 60<<10)
	handle := p.handler
	p.handler = func(ctx *fasthttp.RequestCtx) {
		handle(ctx)
		if !ctx.Response.IsBodyStream() {
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

// TestLargeBody holds the rules of a body of 8 MB, whose forms take seconds to make.
func TestLargeBody(t *testing.T) {
	p := benchProxy(t, 8<<20)
	base := listen(t, p)
	t.Run("hit", func(t *testing.T) { largeHit(t, p, base) })
	t.Run("pipelined", func(t *testing.T) { pipelined(t, base) })
	t.Run("evicted", func(t *testing.T) { evictedBeforeSent(t, p, base) })
}

// largeHit: a large body is stored once, in a file on Linux, and sent completely from there,
// in each variant and by each path.
func largeHit(t *testing.T, p *Proxy, base string) {
	entry, _, _ := p.cache.Get(&cache.Ref{Key: p.opts.Generations.Pages[0]})
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
		if a := get(t, base, siteTarget, "Accept-Encoding", "gzip", "Origin", "https://b"); a.status != 200 || a.body != string(want) {
			t.Errorf("by the server: %d, %d bytes", a.status, len(a.body))
		}
		if a := get(t, base, siteTarget, "Accept-Encoding", "identity"); a.status != 200 || a.body != string(proxytest.List(8<<20)) {
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

// evictedBeforeSent: if an entry leaves the cache between the lookup and the sending, the
// lookup is repeated.
func evictedBeforeSent(t *testing.T, p *Proxy, base string) {
	e := p.cache.Peek(&cache.Ref{Key: p.opts.Generations.Pages[0]}).Entry
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
	var head wire.Head
	head.AcceptEncoding = []byte("gzip")
	if header, _ := newFastPath(p).prepare(nil, &head, e, time.Now()); header != nil {
		t.Error("the fast path took it")
	}
	if a := get(t, base, siteTarget, "Accept-Encoding", "identity"); a.status != 200 || a.body != string(proxytest.List(8<<20)) {
		t.Errorf("%d, %d bytes", a.status, len(a.body))
	}
}

// TestPipelined: answers to pipelined requests are complete and in order, whether they
// are copied or sent from a file.
func TestPipelined(t *testing.T) {
	for _, size := range []int{1000, 10 << 10, 14 << 10, 60 << 10} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) { pipelined(t, listen(t, benchProxy(t, size))) })
	}
}

func pipelined(t *testing.T, base string) {
	conn := dial(t, base)
	defer conn.Close()
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
			t.Fatalf("answer %d has %d bytes, want %d", i, len(a.body), len(want[i]))
		}
	}
}
