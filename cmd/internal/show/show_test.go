package show

import (
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

func TestEntry(t *testing.T) {
	out := Entry(api.Entry{Route: "/x", Outcome: "stale_error", Current: "b", Stored: api.Stored{Where: new("tail"), Generation: new("a"), Age: new(1.6), Filled: new(time.Now()),
		TookMS: new(1.25), Status: new(404), Size: new(7), Asked: new(uint32(3)), Cost: new(int64(600)),
		Variants: []api.Variant{{Coding: "identity", Bytes: new(7), ETag: `"x"`}}}})
	for _, want := range []string{"stale_error: from the cache, because the database fails", "where       tail, 600 B, requested 3 times", "generation  a, but b is published", "age         2 s", "  identity  7 B, ETag \"x\""} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out := Entry(api.Entry{Stored: api.Stored{Where: new("absent"), Generation: new(""), Age: new(0.0), Filled: new(time.Now()), TookMS: new(0.0), Status: new(400), Size: new(7), Asked: new(uint32(0)), Cost: new(int64(1))}}); !strings.Contains(out, "none, as the database is not asked") {
		t.Error(out)
	}
}

func TestSources(t *testing.T) {
	at := time.Date(2025, 10, 27, 3, 0, 0, 0, time.Local)
	out := Sources(api.SourceState{Sources: api.Sources{Default: "auto", Breakers: map[string]api.Breaker{
		"store": {State: "open", Since: &at, Reason: "the store fails, 12 of 80 loads in 60 s (15 %) over 5 %"}, "legacy": {State: "closed", Since: &at, Reason: "3 probes"},
	}}})
	if want := "all routes    auto\nleft by auto  store, since 2025-10-27 03:00:00: the store fails, 12 of 80 loads in 60 s (15 %) over 5 %\n"; out != want {
		t.Errorf("%s\nwant %s", out, want)
	}
}
