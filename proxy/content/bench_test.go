package content

import (
	"fmt"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// sizes are the sizes of a profile, a page and a whole list.
var sizes = []int{900, 12 << 10, 3500 << 10}

// BenchmarkSelect chooses among the forms of a body, by a memoized header and by a new
// header, and for a client that has the body.
func BenchmarkSelect(b *testing.B) {
	n, accept := NewNegotiator(), []byte("gzip, deflate, br, zstd")
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n.Select(allCodings, accept, nil)
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w := parseAccept(accept)
			w.choose(allCodings)
		}
	})
	b.Run("304", func(b *testing.B) {
		tags := []byte(`W/"0123456789abcdee-zstd", "h-br"`)
		b.ReportAllocs()
		for b.Loop() {
			n.Select(allCodings, accept, tags)
		}
	})
}

// BenchmarkVariants makes the forms of a body, as every fill does.
func BenchmarkVariants(b *testing.B) {
	for _, size := range sizes {
		body := proxytest.List(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				Variants(body)
			}
		})
	}
}
