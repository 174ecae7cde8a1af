package reply

import (
	"testing"
	"time"
)

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
		if got := string(Reuse{tt.maxAge, tt.stale}.cacheControl()); got != tt.want {
			t.Errorf("%v, %v: %s, want %s", tt.maxAge, tt.stale, got, tt.want)
		}
	}
}
