package content

import (
	"bytes"
	"fmt"
	"testing"
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
		body := sampleBody(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				Variants(body)
			}
		})
	}
}
