package proxy

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/store"
)

// sampleBody is a body of about size bytes that compresses as lists do.
func sampleBody(size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"total":1,"results":[`)
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, `{"ranking_id":%d,"season_year":2025,"gender_code":"M","athlete_name_last":"O'Brien","xcri_score":%d.%d},`, i*7919, i%1000, i%97)
	}
	b.WriteString(`{}]}`)
	return b.Bytes()
}

const siteTarget = "/iz/xcri/api/athletes/?season_year=2025&division=2030&gender=M&limit=50000&offset=0"

// sizes are the bodies that the benchmarks send: what a profile, a page and a
// whole list weigh.
var sizes = []int{900, 12 << 10, 3500 << 10}

func benchProxy(b testing.TB, size int) *Proxy {
	body := sampleBody(size)
	p, err := New(Options{BasePath: "/iz/xcri", Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
		return store.Answer{Status: 200, Body: body}, nil
	}}})
	if err != nil {
		b.Fatal(err)
	}
	p.pages = nil
	p.look(context.Background())
	return p
}

// BenchmarkServeHit is the handler alone for an answer in the cache.
func BenchmarkServeHit(b *testing.B) {
	for _, size := range sizes {
		p := benchProxy(b, size)
		for name, headers := range map[string][]string{
			"gzip":   {"Accept-Encoding", "gzip"},
			"chrome": {"Accept-Encoding", "gzip, deflate, br, zstd", "Cookie", "a=b", "User-Agent", "x"},
			"304":    {"Accept-Encoding", "gzip", "If-None-Match", "*"},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				ctx := requestCtx("GET", siteTarget, headers...)
				b.ReportAllocs()
				for b.Loop() {
					ctx.Response.Reset()
					p.handle(ctx)
				}
				if s := ctx.Response.StatusCode(); s != 200 && s != 304 {
					b.Fatal(s)
				}
			})
		}
	}
}

// BenchmarkServeBare is the least that fasthttp needs to send the same bytes
// with the same headers: what ServeHit is measured against.
func BenchmarkServeBare(b *testing.B) {
	for _, size := range sizes {
		p := benchProxy(b, size)
		model := requestCtx("GET", siteTarget, "Accept-Encoding", "gzip")
		p.handle(model)
		body := bytes.Clone(model.Response.Body())
		type kv struct{ key, value []byte }
		var headers []kv
		for k, v := range model.Response.Header.All() {
			headers = append(headers, kv{bytes.Clone(k), bytes.Clone(v)})
		}
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			ctx := requestCtx("GET", siteTarget, "Accept-Encoding", "gzip")
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				for i := range headers {
					ctx.Response.Header.SetCanonical(headers[i].key, headers[i].value)
				}
				ctx.Response.SetBodyRaw(body)
			}
		})
	}
}

func BenchmarkKey(b *testing.B) {
	path, query := splitTarget([]byte(strings.TrimPrefix(siteTarget, "/iz/xcri/api")))
	in := &input{}
	b.ReportAllocs()
	for b.Loop() {
		in.begin(len(siteTarget))
		r := testRouter.match(path, in)
		in.parse(r, query)
		in.canonical(r)
	}
}

func BenchmarkNegotiate(b *testing.B) {
	accept := []byte("gzip, deflate, br, zstd")
	b.ReportAllocs()
	for b.Loop() {
		negotiate(allCodings, accept)
	}
}

// BenchmarkVariants makes the forms of a body, as every fill does.
func BenchmarkVariants(b *testing.B) {
	for _, size := range sizes {
		body := sampleBody(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				variants(body)
			}
		})
	}
}

// BenchmarkInflate sends a stored body to a client that takes no coding.
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
