package verify

import (
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// found returns a comparison that a report shows.
func found(path, verdict, at, store, legacy, err string) api.Comparison {
	c := api.Comparison{Path: path, Key: "k", Route: "/r", Verdict: verdict, Error: err, Store: api.Answered{Status: 200, Bytes: 10, MS: 2}, Legacy: api.Answered{Status: 200, Bytes: 11, MS: 9}}
	if at != "-" {
		c.Difference = &api.Difference{Path: at, Store: store, Legacy: legacy}
	}
	if err != "" {
		c.Legacy = api.Answered{}
	}
	return c
}

func goldenReport() *Report {
	r := newReport()
	r.Questions = 6
	for _, c := range []api.Comparison{
		{Path: "/a", Verdict: "same_bytes", Store: api.Answered{Status: 200, Bytes: 10, MS: 4}, Legacy: api.Answered{Status: 200, Bytes: 10, MS: 18}},
		found("/b", sameButOrder, "results[3].team_rank", "4", "5", ""),
		found("/c?x=1&y=2", different, "", "{}", "[]", ""),
		found("/d", failed, "-", "", "", "legacy: it broke"),
		{Path: "/health", Verdict: skipped, Error: "contains the time"},
	} {
		r.add(c)
	}
	return r
}

func TestReport(t *testing.T) {
	r := goldenReport()
	err := r.judge()
	if exit.Status(err) != exit.Different || r.line() != "5 of 6 questions, 1 different, 1 failed" {
		t.Errorf("%v, %s", err, r.line())
	}
	r.finish(err)
	r.Seconds = 2.25
	var text, object strings.Builder
	r.print(&text, 3)
	want := `asked: 5 of 6 questions in 2.2 s
  same_bytes          1
  same_json           0
  same_but_order      1
  expected            0
  different           1
  failed              1
  skipped             1
mean time: store 2.7 ms, legacy 12.0 ms, 4.5 times as long

different: /c?x=1&y=2
  at the whole answer
    store:  {}
    legacy: []

failed: /d
  legacy: it broke

same_but_order: /b
  at results[3].team_rank
    store:  4
    legacy: 5

and 1 more: --show 4 or --json shows them
`
	if text.String() != want {
		t.Errorf("got  %s\nwant %s", &text, want)
	}
	if err := console.JSON(&object, r); err != nil {
		t.Fatal(err)
	}
	wantJSON := `{"result":"different","questions":6,"asked":5,` +
		`"verdicts":{"different":1,"expected":0,"failed":1,"same_but_order":1,"same_bytes":1,"same_json":0,"skipped":1},` +
		`"seconds":2.25,"store_ms":2.6666666666666665,"legacy_ms":12,"legacy_to_store":4.5,"found":[` +
		`{"path":"/b","key":"k","route":"/r","verdict":"same_but_order","difference":{"path":"results[3].team_rank","store":"4","legacy":"5"},` +
		`"store":{"status":200,"bytes":10,"ms":2},"legacy":{"status":200,"bytes":11,"ms":9},"error":""},` +
		`{"path":"/c?x=1&y=2","key":"k","route":"/r","verdict":"different","difference":{"path":"","store":"{}","legacy":"[]"},` +
		`"store":{"status":200,"bytes":10,"ms":2},"legacy":{"status":200,"bytes":11,"ms":9},"error":""},` +
		`{"path":"/d","key":"k","route":"/r","verdict":"failed","difference":null,` +
		`"store":{"status":200,"bytes":10,"ms":2},"legacy":{"status":0,"bytes":0,"ms":0},"error":"legacy: it broke"},` +
		`{"path":"/health","key":"","route":"","verdict":"skipped","difference":null,` +
		`"store":{"status":0,"bytes":0,"ms":0},"legacy":{"status":0,"bytes":0,"ms":0},"error":"contains the time"}],"expected":{},` +
		`"error":"1 of 4 answers are different"}` + "\n"
	if object.String() != wantJSON {
		t.Errorf("got  %s\nwant %s", &object, wantJSON)
	}
}

func TestJudge(t *testing.T) {
	for name, tt := range map[string]struct {
		questions int
		verdicts  []string
		status    int
	}{
		"the same":                  {4, []string{"same_bytes", "same_json", sameButOrder, skipped}, 0},
		"a failure":                 {2, []string{"same_bytes", failed}, exit.Partly},
		"a difference":              {2, []string{different, "same_bytes"}, exit.Different},
		"a difference, and failure": {2, []string{failed, different}, exit.Different},
		"not all asked":             {3, []string{"same_bytes", failed}, exit.Runtime},
		"nothing asked":             {0, nil, exit.Runtime},
		"all skipped":               {2, []string{skipped, skipped}, exit.Runtime},
	} {
		r := newReport()
		r.Questions = tt.questions
		for _, verdict := range tt.verdicts {
			r.add(api.Comparison{Verdict: verdict})
		}
		if got := exit.Status(r.judge()); got != tt.status {
			t.Errorf("%s: %d, want %d", name, got, tt.status)
		}
	}
}
