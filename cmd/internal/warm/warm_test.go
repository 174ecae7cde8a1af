package warm

import (
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

func TestProgress(t *testing.T) {
	for want, status := range map[string]api.WarmStatus{
		"0 of 0 answers, 0 B, 0.0 s\n":                 {},
		"15 of 45 answers, 1.5 MiB, 1.3 s\n":           {Done: 15, Keys: 45, Bytes: 3 << 19, Seconds: 1.26},
		"45 of 45 answers, 5.0 MiB, 2.0 s, 1 failed\n": {Done: 45, Keys: 45, Bytes: 5 << 20, Seconds: 2, Failed: 1},
	} {
		var out strings.Builder
		show(console.NewProgress(&out, false, false), &api.WarmState{WarmStatus: status})
		if out.String() != want {
			t.Errorf("got %q, want %q", &out, want)
		}
	}
}
