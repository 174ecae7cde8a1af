package warm

import (
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

func TestProgress(t *testing.T) {
	for want, status := range map[string]api.WarmProgress{
		"0 of 0 answers, 0 B, 0.0 s\n":                 {},
		"15 of 45 answers, 1.5 MiB, 1.3 s\n":           {Done: 15, Keys: 45, Bytes: 3 << 19, Seconds: 1.26},
		"45 of 45 answers, 5.0 MiB, 2.0 s, 1 failed\n": {Done: 45, Keys: 45, Bytes: 5 << 20, Seconds: 2, Failed: 1},
	} {
		var out strings.Builder
		show(console.NewProgress(&out, false, false), &api.WarmState{WarmStatus: api.WarmStatus{WarmProgress: status}})
		if out.String() != want {
			t.Errorf("got %q, want %q", &out, want)
		}
	}
}

// TestSummaryJSON holds the names and the order of a summary's fields.
func TestSummaryJSON(t *testing.T) {
	var out strings.Builder
	if err := console.JSON(&out, Summary{Result: "published", Published: Published{Generation: "a"}, Loaded: Loaded{Keys: 2}, Log: &accesslog.Summary{Keys: 3}}); err != nil {
		t.Fatal(err)
	}
	const want = `{"result":"published","generation":"a","calculated_at":"","newest_snapshot":"","keys":2,"filled":0,"failed":0,"bytes":0,"seconds":0,` +
		`"slowest":"","slowest_seconds":0,"log":{"keys":3,"ignored":0}}` + "\n"
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", &out, want)
	}
}
