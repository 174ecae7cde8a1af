package proxy

import (
	"context"
	"fmt"
	"math/rand"
	"testing"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/generation"
)

// BenchmarkEntries measures a hit among growing numbers of entries, with uniform
// requests and with requests as a site sends them. The cost of more entries is memory
// outside the processor's caches.
func BenchmarkEntries(b *testing.B) {
	for _, entries := range []int{100, 10_000, 100_000} {
		p, err := New(Options{Generations: generation.Options{Pages: []string{}}, Origin: &fakeOrigin{}, Cache: cache.Options{Bytes: 1 << 30}})
		if err != nil {
			b.Fatal(err)
		}
		p.generations.Once(context.Background())
		ctx := requestCtx("GET", "/", append(browserHeaders, "Accept-Encoding", "gzip, deflate, br, zstd")...)
		ask := func(n int) {
			ctx.Response.Reset()
			ctx.Request.Header.SetRequestURIBytes(fmt.Appendf(ctx.Request.Header.RequestURI()[:0], "/api/athletes/%d?season_year=2025", n))
			p.handle(ctx)
		}
		for range 6 { // until every entry has its final place
			for n := range entries {
				ask(n)
			}
		}
		random := rand.New(rand.NewSource(1))
		zipf := rand.NewZipf(random, 1.1, 1, uint64(entries-1))
		for name, next := range map[string]func() int{
			"alike": func() int { return random.Intn(entries) }, "zipf": func() int { return int(zipf.Uint64()) },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, entries), func(b *testing.B) {
				before := p.Stats().Requests.Outcomes["hit"]
				b.ReportAllocs()
				for b.Loop() {
					ask(next())
				}
				if hits := p.Stats().Requests.Outcomes["hit"] - before; hits < int64(b.N) {
					b.Errorf("%d hits of %d", hits, b.N)
				}
			})
		}
		p.cache.Close()
	}
}

// BenchmarkConnections measures a hit on one of many active connections, and a bare
// handler for comparison.
func BenchmarkConnections(b *testing.B) {
	p := benchProxy(b, 900)
	ctx := requestCtx("GET", siteTarget)
	p.handle(ctx)
	ours, bares := loopback(b, p.Serve), loopback(b, bareServer(p, bare(&ctx.Response)).Serve)
	for _, n := range []int{1, 100, 2000} {
		for name, address := range map[string]string{"proxy": ours, "bare": bares} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				var clients []*client
				for range n {
					clients = append(clients, newClient(b, address, nil, len(ctx.Response.Body())))
				}
				run(b, clients)
			})
		}
	}
}
