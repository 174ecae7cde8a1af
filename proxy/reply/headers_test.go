package reply

import (
	"strconv"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
)

// The header of an answer from the cache is the same whether it was made in advance or
// not, with the answer's own Age, and no request changes the header of the next request.
func TestBegin(t *testing.T) {
	h := NewHeaders(Reuse{MaxAge: time.Minute})
	for o := range cache.Outcomes {
		for _, age := range []int{0, 1, readyAges - 1, readyAges, 1_000_000, 0} {
			var got, want fasthttp.ResponseHeader
			h.Begin(&got, o, age)
			h.Cached(o).CopyTo(&want)
			want.Set("Age", strconv.Itoa(age))
			if got.String() != want.String() {
				t.Errorf("%v after %d s:\n%s\nwant:\n%s", o, age, &got, &want)
			}
			got.Set("Age", "changed")
			got.SetCanonical(HeaderETag, []byte("changed"))
		}
	}
}

// By default a browser asks each time whether its copy is still right: an answer from
// before a publish is not shown again.
func TestCacheControl(t *testing.T) {
	for _, tt := range []struct {
		maxAge, stale time.Duration
		want          string
	}{
		{0, 0, "public, no-cache"},
		{time.Minute, 0, "public, max-age=60"},
		{0, time.Minute, "public, max-age=0, stale-while-revalidate=60"},
		{time.Minute, 5 * time.Minute, "public, max-age=60, stale-while-revalidate=300"},
	} {
		if got := string(Reuse{MaxAge: tt.maxAge, StaleWhileRevalidate: tt.stale}.cacheControl()); got != tt.want {
			t.Errorf("%v, %v: %s, want %s", tt.maxAge, tt.stale, got, tt.want)
		}
	}
}
