package content

import (
	"bytes"
	"math/rand"
	"sync"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest"
)

// TestVariantsRepeat: the forms of a body are always the same bytes, as their ETags
// promise, independent of earlier bodies.
func TestVariantsRepeat(t *testing.T) {
	sizes := []int{2 << 10, 60 << 10, 200 << 10, 1<<20 - 200, 1 << 20, 2 << 20}
	forms := func(body []byte) [][]byte {
		made := [][]byte{brotliOf(body), zstdOf(body)}
		for _, v := range Variants(body) {
			made = append(made, v.Body)
		}
		return made
	}
	var bodies [][]byte
	var want [][][]byte
	for _, size := range sizes {
		for _, pool := range []*sync.Pool{&gzipWriters, &brotliWriters} {
			*pool = sync.Pool{New: pool.New}
		}
		body := proxytest.List(size)
		bodies, want = append(bodies, body), append(want, forms(body))
	}
	for range 3 {
		for _, i := range rand.Perm(len(bodies)) {
			for form, made := range forms(bodies[i]) {
				if !bytes.Equal(made, want[i][form]) {
					t.Errorf("form %d of %d bytes: %d bytes, of a new writer %d", form, len(bodies[i]), len(made), len(want[i][form]))
				}
			}
		}
	}
}
