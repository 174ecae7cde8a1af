//go:build !race

package proxy

import (
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/cors"
)

// TestHitAllocs: an answer from the cache costs no allocation. Where the target
// of the request is not known it costs two, the key and the target, and two to
// remember it.
func TestHitAllocs(t *testing.T) {
	for name, headers := range map[string][]string{
		"identity": nil, "gzip": {"Accept-Encoding", "gzip"}, "chrome": {"Accept-Encoding", "gzip, deflate, br, zstd"},
		"304": {"If-None-Match", `"x", *`}, "another site": {"Origin", "https://web4.ustfccca.org", "Accept-Encoding", "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{900, 12 << 10} {
				if name == "identity" && size > content.CompressAbove {
					continue // made anew, for the few that take no coding
				}
				p := benchProxy(t, size)
				p.cors = cors.New([]string{"https://web4.ustfccca.org"})
				for _, target := range []string{siteTarget, "/teams/?search=St%20Mary&gender=m", "/athletes/12345?season_year=2025"} {
					ctx := requestCtx("GET", target, headers...)
					hit := func() { ctx.Response.Reset(); ctx.ResetUserValues(); p.handle(ctx) } // as after each request
					hit()
					hit()
					if n := testing.AllocsPerRun(200, hit); n > 0 {
						t.Errorf("%s, %d bytes: %v allocations", target, size, n)
					}
					p.targets.Clear()
					if n := testing.AllocsPerRun(200, func() { hit(); p.targets.Clear() }); n > 4 {
						t.Errorf("%s, %d bytes, not known: %v allocations", target, size, n)
					}
				}
			}
		})
	}
}

// TestTaggedHitAllocs: an answer with the fields for caches in front costs no allocation.
func TestTaggedHitAllocs(t *testing.T) {
	p := taggedProxy(t, 12<<10)
	ctx := requestCtx("GET", siteTarget, "Accept-Encoding", "gzip")
	hit := func() { ctx.Response.Reset(); ctx.ResetUserValues(); p.handle(ctx) }
	hit()
	hit()
	if n := testing.AllocsPerRun(200, hit); n > 0 {
		t.Errorf("%v allocations", n)
	}
	request := requestText(siteTarget, []string{"Accept-Encoding", "gzip"})
	connection := func(requests int) float64 {
		return testing.AllocsPerRun(5, func() { p.server.ServeConn(&repeating{request: request, left: requests}) })
	}
	if one, many := connection(1), connection(1001); many > one+50 {
		t.Errorf("%v allocations for 1 request, %v for 1001", one, many)
	}
}

// TestFastPathAllocs: an answer by the fast path costs no allocation.
func TestFastPathAllocs(t *testing.T) {
	for _, hit := range hits {
		p := benchProxy(t, hit.size)
		request := requestText(siteTarget, hit.headers)
		for range 2 {
			p.handle(requestCtx("GET", siteTarget, hit.headers...))
		}
		came := counting(p)
		connection := func(requests int) float64 {
			return testing.AllocsPerRun(5, func() { p.server.ServeConn(&repeating{request: request, left: requests}) })
		}
		// A connection costs a few allocations, and requests none.
		if one, many := connection(1), connection(1001); many > one+50 || came.Load() > 0 {
			t.Errorf("%s: %v allocations for 1 request, %v for 1001; %d left to the handler", hit.name, one, many, came.Load())
		}
	}
}
