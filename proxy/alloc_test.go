//go:build !race

package proxy

import (
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/content"
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
				p.cors = newCORS([]string{"https://web4.ustfccca.org"})
				for _, target := range []string{siteTarget, "/teams/?search=St%20Mary&gender=m", "/athletes/12345?season_year=2025"} {
					ctx := requestCtx("GET", target, headers...)
					hit := func() { ctx.Response.Reset(); p.handle(ctx) }
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

// TestFastPathAllocs: nor does one by the fast path.
func TestFastPathAllocs(t *testing.T) {
	for _, hit := range hits {
		p := benchProxy(t, hit.size)
		c := p.conns.add(sink{})
		request := requestText(siteTarget, hit.headers)
		for range 2 {
			p.handle(requestCtx("GET", siteTarget, hit.headers...))
		}
		if n := testing.AllocsPerRun(200, func() {
			if answered, err := p.conns.fast.answer(c, request); !answered || err != nil {
				t.Fatal(answered, err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", hit.name, n)
		}
	}
}
