package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

const siteTarget = "/iz/xcri/api/athletes/?season_year=2025&division=2030&gender=M&limit=50000&offset=0"

// benchProxy returns a proxy whose answers all have the same size. It holds the answer
// to siteTarget, which no longer changes.
func benchProxy(b testing.TB, size int) *Proxy { return benchProxyFor(b, size, reply.Reuse{}) }

// taggedProxy is a benchProxy whose answers have the fields for caches in front.
func taggedProxy(b testing.TB, size int) *Proxy { return benchProxyFor(b, size, cdn) }

func benchProxyFor(b testing.TB, size int, reuse reply.Reuse) *Proxy {
	body := proxytest.List(size)
	p, err := New(Options{Reuse: reuse, Generations: generation.Options{Pages: []string{"/athletes/?season_year=2025&division=2030&gender=M&limit=50000"}}, BasePath: "/iz/xcri", Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
		return store.Answer{Status: 200, Body: body}, nil
	}}})
	if err != nil {
		b.Fatal(err)
	}
	p.generations.Once(context.Background())
	await(b, "the page is in brotli", func() bool {
		forms := p.cache.Peek(&cache.Ref{Key: p.opts.Generations.Pages[0]}).Entry.Variants
		return len(body) <= content.CompressAbove || len(forms) > content.Small && forms[content.Small].Coding == "br"
	})
	return p
}

// browserHeaders holds the headers of a browser's request, except for Accept-Encoding.
var browserHeaders = []string{
	"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
	"Accept", "application/json, text/plain, */*", "Accept-Language", "en-US,en;q=0.5",
	"Referer", "https://web4.ustfccca.org/iz/xcri/", "Cookie", "theme=dark", "Sec-Fetch-Mode", "cors",
}

// hits lists the kinds of answers from the cache: the stored body, and the request's
// fields in addition to browserHeaders.
var hits = []struct {
	name    string
	size    int
	headers []string
}{
	{"identity/1KB", 900, nil},
	{"gzip/12KB", 60 << 10, []string{"Accept-Encoding", "gzip"}},
	{"gzip/450KB", 2900 << 10, []string{"Accept-Encoding", "gzip"}},
	{"br/12KB", 60 << 10, []string{"Accept-Encoding", "gzip, deflate, br, zstd"}},
	{"304", 12 << 10, []string{"Accept-Encoding", "gzip, deflate, br, zstd", "If-None-Match", `"0123456789abcdef-br", *`}},
}

type field struct{ key, value []byte }

func fieldsOf(h *fasthttp.ResponseHeader) (fields []field) {
	for k, v := range h.All() {
		fields = append(fields, field{bytes.Clone(k), bytes.Clone(v)})
	}
	return fields
}

// bare is the minimal fasthttp handler that sends the bytes of an answer.
func bare(model *fasthttp.Response) fasthttp.RequestHandler {
	fields := fieldsOf(&model.Header)
	body, status := bytes.Clone(model.Body()), model.StatusCode()
	return func(ctx *fasthttp.RequestCtx) {
		ctx.Response.SetStatusCode(status)
		for i := range fields {
			ctx.Response.Header.SetCanonical(fields[i].key, fields[i].value)
		}
		ctx.Response.SetBodyRaw(body)
	}
}

// requestText returns a browser's request as its bytes on a connection.
func requestText(target string, headers []string) []byte {
	text := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: web4.ustfccca.org\r\n", target)
	for i := 0; i < len(headers); i += 2 {
		text = fmt.Appendf(text, "%s: %s\r\n", headers[i], headers[i+1])
	}
	return append(text, "\r\n"...)
}

// BenchmarkHit measures a hit: the handler alone, a bare handler that sends the same
// bytes, and the fast path, which also parses the request and writes the answer.
func BenchmarkHit(b *testing.B) {
	for _, hit := range hits {
		p := benchProxy(b, hit.size)
		ctx := requestCtx("GET", siteTarget, append(browserHeaders, hit.headers...)...)
		for range 3 {
			ctx.Response.Reset()
			p.handle(ctx)
		}
		for name, handler := range map[string]fasthttp.RequestHandler{"proxy": p.handle, "bare": bare(&ctx.Response)} {
			b.Run(hit.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					ctx.Response.Reset()
					handler(ctx)
				}
				if s := ctx.Response.StatusCode(); s != 200 && s != 304 {
					b.Fatal(s)
				}
			})
		}
		b.Run(hit.name+"/fast", func(b *testing.B) {
			came := counting(p)
			request := requestText(siteTarget, append(browserHeaders, hit.headers...))
			b.ReportAllocs()
			p.server.ServeConn(&repeating{request: request, left: b.N})
			if came.Load() > 0 {
				b.Fatal("the handler answered")
			}
		})
	}
}

// BenchmarkTaggedHit measures a hit with the fields for caches in front, by the fast path.
func BenchmarkTaggedHit(b *testing.B) {
	for _, hit := range hits {
		p := taggedProxy(b, hit.size)
		for range 3 {
			p.handle(requestCtx("GET", siteTarget, append(browserHeaders, hit.headers...)...))
		}
		b.Run(hit.name+"/fast", func(b *testing.B) {
			request := requestText(siteTarget, append(browserHeaders, hit.headers...))
			b.ReportAllocs()
			p.server.ServeConn(&repeating{request: request, left: b.N})
		})
	}
}

// repeating is a connection whose client sends the same request n times, each in its
// own packet, and reads all answers.
type repeating struct {
	net.Conn
	request []byte
	left    int
}

func (r *repeating) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	r.left--
	return copy(b, r.request), nil
}

func (*repeating) Write(b []byte) (int, error)      { return len(b), nil }
func (*repeating) SetReadDeadline(time.Time) error  { return nil }
func (*repeating) SetWriteDeadline(time.Time) error { return nil }
func (*repeating) Close() error                     { return nil }
func (*repeating) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (*repeating) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// BenchmarkRejected measures a request with an invalid parameter.
func BenchmarkRejected(b *testing.B) {
	p := benchProxy(b, 900)
	ctx := requestCtx("GET", "/athletes/?limit=x&gender=Q", browserHeaders...)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		p.handle(ctx)
	}
	if s := ctx.Response.StatusCode(); s != 422 {
		b.Fatal(s)
	}
}

// BenchmarkKey measures parsing a target into its key.
func BenchmarkKey(b *testing.B) {
	router, target := route.NewRouter(store.Endpoints(), "/iz/xcri"), []byte(siteTarget)
	b.ReportAllocs()
	for b.Loop() {
		at := router.Locate(target)
		m := router.Match(at.Path, at.Query)
		m.Key()
		m.Release()
	}
}

// BenchmarkKnownKey measures the key of a memoized target.
func BenchmarkKnownKey(b *testing.B) {
	p, uri := benchProxy(b, 900), []byte(siteTarget)
	p.targets.Put(uri, &target{})
	b.ReportAllocs()
	for b.Loop() {
		p.targets.Get(uri)
	}
}

// BenchmarkLookup measures the lookup of an entry by its key.
func BenchmarkLookup(b *testing.B) {
	p := benchProxy(b, 900)
	key, err := keyOf(p, strings.TrimPrefix(siteTarget, "/iz/xcri/api"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.cache.Get(&cache.Ref{Key: key}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRespond measures sending an entry.
func BenchmarkRespond(b *testing.B) {
	p := benchProxy(b, 12<<10)
	ctx := requestCtx("GET", siteTarget, append(browserHeaders, "Accept-Encoding", "gzip, deflate, br, zstd")...)
	key, _ := keyOf(p, strings.TrimPrefix(siteTarget, "/iz/xcri/api"))
	entry, outcome, err := p.cache.Get(&cache.Ref{Key: key})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		p.respond(ctx, entry, outcome)
	}
}

// BenchmarkHeader measures the constant part of a hit's header: copied as a block, and
// set field by field.
func BenchmarkHeader(b *testing.B) {
	made := reply.NewHeaders(reply.Reuse{}).Cached(cache.Hit)
	var to fasthttp.ResponseHeader
	b.Run("copied", func(b *testing.B) {
		for b.Loop() {
			made.CopyTo(&to)
		}
	})
	fields := fieldsOf(made)
	b.Run("set", func(b *testing.B) {
		for b.Loop() {
			to.Reset()
			for i := range fields {
				to.SetCanonical(fields[i].key, fields[i].value)
			}
		}
	})
}

// BenchmarkInflate measures sending a compressed body to a client that accepts no
// coding.
func BenchmarkInflate(b *testing.B) {
	p := benchProxy(b, 3500<<10)
	b.ReportAllocs()
	for b.Loop() {
		ctx := requestCtx("GET", siteTarget)
		p.handle(ctx)
		if err := ctx.Response.BodyWriteTo(discard{}); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
