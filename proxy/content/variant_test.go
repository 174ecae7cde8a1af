package content

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// TestGzip: the standard library reads each body back, also of the lengths at which a block
// of the writer ends, and the header has no time, which would change the bytes.
func TestGzip(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	noise := make([]byte, 3*gzipBlock)
	random.Read(noise)
	text := proxytest.List(3 * gzipBlock)
	mixed := slices.Concat(noise[:gzipBlock/2], text[:gzipBlock], bytes.Repeat([]byte("7"), gzipBlock), noise[:gzipBlock/2])
	json := func(body []byte) []byte { return append([]byte("{"), body...) } // for the other writer
	for name, body := range map[string][]byte{
		"noise": noise, "text": text, "mixed": mixed, "zeros": make([]byte, 3*gzipBlock),
		"JSON of noise": json(noise), "mixed JSON": json(mixed), "JSON of zeros": json(make([]byte, 3*gzipBlock)), "a text": text[1:],
	} {
		for _, size := range []int{1, CompressAbove + 1, 32 << 10, 64 << 10, gzipBlock - 1, gzipBlock, gzipBlock + 1, 2 * gzipBlock, len(body) - 1, len(body)} {
			made := gzipOf(body[:size])
			r, err := gzip.NewReader(bytes.NewReader(made))
			if err != nil {
				t.Fatalf("%s, %d bytes: %v", name, size, err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body[:size]) || !r.ModTime.IsZero() {
				t.Errorf("%s, %d bytes: got %d, %v; modified %v", name, size, len(got), err, r.ModTime)
			}
		}
	}
}

// FuzzGzip: the standard library reads each body back.
func FuzzGzip(f *testing.F) {
	for _, body := range []string{"", "a", strings.Repeat("ab", 200), `{"total":1,"results":[{"rank":1}]}`} {
		f.Add([]byte(body), 1)
	}
	f.Fuzz(func(t *testing.T, body []byte, times int) {
		body = bytes.Repeat(body, max(1, times%1000))
		r, err := gzip.NewReader(bytes.NewReader(gzipOf(body)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
			t.Errorf("got %d bytes of %d, %v", len(got), len(body), err)
		}
	})
}
