//go:build !race

package proxy

import (
	"bytes"
	"testing"
)

// siteRequests lists the requests that browsers send to the site.
var siteRequests = map[string][]string{
	"script": {"/iz/xcri/" + appScript, "Accept-Encoding", "gzip, deflate, br, zstd"},
	"image":  {"/iz/xcri/favicon.png"},
	"route":  {"/iz/xcri/team/123", "Accept-Encoding", "gzip, deflate, br, zstd"},
	"304":    {"/iz/xcri/" + appScript, "If-None-Match", "*"},
}

func benchSite(t testing.TB) *Proxy {
	p, err := New(siteOptions(t, siteFolder(t)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSiteAllocs: serving a file from memory makes no allocation.
func TestSiteAllocs(t *testing.T) {
	p := benchSite(t)
	for name, r := range siteRequests {
		ctx := requestCtx("GET", r[0], r[1:]...)
		p.handle(ctx)
		// The check of the file on disk, once a second, may happen during the runs.
		if n := testing.AllocsPerRun(2000, func() { ctx.Response.Reset(); p.handle(ctx) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkServeSite measures the handler alone for a file in memory.
func BenchmarkServeSite(b *testing.B) {
	p := benchSite(b)
	for name, r := range siteRequests {
		b.Run(name, func(b *testing.B) {
			ctx := requestCtx("GET", r[0], r[1:]...)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				p.handle(ctx)
			}
		})
	}
}

// BenchmarkServeSiteBare measures a minimal fasthttp handler that sends the same bytes
// and headers.
func BenchmarkServeSiteBare(b *testing.B) {
	p := benchSite(b)
	model := requestCtx("GET", siteRequests["script"][0], siteRequests["script"][1:]...)
	p.handle(model)
	body := bytes.Clone(model.Response.Body())
	type kv struct{ key, value []byte }
	var headers []kv
	for k, v := range model.Response.Header.All() {
		headers = append(headers, kv{bytes.Clone(k), bytes.Clone(v)})
	}
	ctx := requestCtx("GET", siteRequests["script"][0])
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		for i := range headers {
			ctx.Response.Header.SetCanonical(headers[i].key, headers[i].value)
		}
		ctx.Response.SetBodyRaw(body)
	}
}
