package warm

import (
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
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

// TestHeldTables holds that a change of a table that is held back is a failure, not
// "nothing new", which a script takes for no error.
func TestHeldTables(t *testing.T) {
	w := &warmer{before: &api.WarmState{Current: "a", WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Published: 1}}}}
	state := &api.WarmState{Current: "a"}
	if err := w.judge(state); exit.Status(err) != exit.NothingNew {
		t.Errorf("nothing held: %v", err)
	}
	state.HeldTables = []string{"teams: half of its rows are gone"}
	if err := w.judge(state); exit.Status(err) != exit.Runtime || !strings.Contains(err.Error(), "teams: half of its rows are gone") || !strings.Contains(err.Error(), "warm --accept") {
		t.Errorf("held: %v", err)
	}
	w.flags.Accept = true
	if err := w.judge(state); exit.Status(err) != exit.NothingNew {
		t.Errorf("accepted: %v", err)
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
