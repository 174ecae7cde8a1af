//go:build !race

package param_test

import (
	"testing"

	"github.com/lewistv/xcri-proxy/store/param"
	"github.com/lewistv/xcri-proxy/store/readapi"
)

func TestCanonicalAllocates(t *testing.T) {
	p := readapi.Endpoints()[0].Params // /athletes/
	dst := make([]byte, 0, 256)
	for i := range p {
		raw := map[param.Kind][]byte{param.Int: []byte("25"), param.Text: []byte("light"), param.Choice: []byte("m"), param.Date: []byte("2025-10-20")}[p[i].Kind]
		if n := testing.AllocsPerRun(100, func() { p[i].Canonical(dst, raw) }); n > 0 {
			t.Errorf("%s takes %v allocations", p[i].Name, n)
		}
	}
}
