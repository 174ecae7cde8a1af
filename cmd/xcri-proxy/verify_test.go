package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// alteredAPI returns an old API on the test database: another proxy, whose answers
// change may alter. change may return another status.
func alteredAPI(t *testing.T, change func(target string, body []byte) (status int, changed []byte)) (url string) {
	t.Helper()
	behind := "http://" + startProxy(t, "LEGACY_URL", "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := http.Get(behind + r.RequestURI)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		status, body := change(r.RequestURI, body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(max(status, resp.StatusCode))
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func unchanged200(_ string, body []byte) (int, []byte) { return 0, body }

func TestVerify(t *testing.T) {
	const men = "/teams/?season_year=2025&division=2030&gender=M&limit=50000"
	var change atomic.Value
	change.Store(unchanged200)
	old := alteredAPI(t, func(target string, body []byte) (int, []byte) {
		return change.Load().(func(string, []byte) (int, []byte))(target, body)
	})
	addr := startProxy(t, "LEGACY_URL", old)
	verify := func(args ...string) []string {
		return append([]string{"verify", "--listen-addr", addr, "--rate", "100"}, args...)
	}
	expect(t, 0, []string{"warm", "--listen-addr", addr, "--since", "1h"})

	expect(t, 0, verify(), row(different, 0), " of ", "mean time: store ", "times as long\n")
	var r verifyReport
	out := expect(t, 0, verify("--json"))
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Result != "same" || r.Verdicts["same_bytes"] != r.Questions || r.Asked != r.Questions || r.Questions < 10 ||
		r.Ratio <= 0 || len(r.Found) != 0 || r.Error != "" {
		t.Errorf("%v: %s", err, out)
	}
	expect(t, 0, verify("--limit", "3"), "asked: 3 of 3 questions in ")

	change.Store(func(target string, body []byte) (int, []byte) {
		if target == men {
			body = bytes.Replace(body, []byte(`"team_rank":2,`), []byte(`"team_rank":1,`), 1)
		}
		return 0, body
	})
	expect(t, 7, verify(), "xcri-proxy: 1 of ", "answers are different\n",
		"\ndifferent: "+men+"\n  at results[1].team_rank\n    store:  2\n    legacy: 1\n")
	expect(t, 7, verify("--show", "0"), "\nand 1 more: --show 1 or --json shows them\n")
	if out, err, status := quietly(verify("--quiet")); out != "" || strings.Count(err, "\n") != 1 || !strings.Contains(err, "1 of ") || status != 7 {
		t.Errorf("--quiet: %d %s%s", status, out, err)
	}

	name := filepath.Join(t.TempDir(), "requests")
	text := "# ours\n\n  " + apiPath + "/teams?season_year=2025&limit=3\r\n/health\n/nowhere\n/teams/?limit=x"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, 0, verify("--file", name), "asked: 4 of 4 questions", row("same_bytes", 2), row(skipped, 2),
		"\nskipped: /health\n  not compared: the answer tells the time\n", "\nskipped: /nowhere\n  not a path of the API\n")
	expect(t, 1, verify("--file", name+"s"), "no such file")

	change.Store(func(target string, body []byte) (int, []byte) {
		if strings.HasPrefix(target, "/metadata") {
			return 500, []byte(`{"detail":"Internal Server Error"}`)
		}
		return 0, body
	})
	if err := os.WriteFile(name, []byte("/metadata/summary/processing\n/snapshots/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, 0, verify("--file", name), row("same_bytes", 1), strings.TrimSuffix(row(expected, 1), "\n")+"\n        1: the old API fails at the summary of processing\n")
	if out, err, status := quietly(verify("--file", name, "--quiet")); out+err != "" || status != 0 {
		t.Errorf("--quiet, and all is as expected: %d %s%s", status, out, err)
	}
	log := filepath.Join(t.TempDir(), "access.log")
	lines := line("GET "+apiPath+"/metadata/latest HTTP/1.1", 200) + "\n" + line("GET "+apiPath+"/snapshots/ HTTP/1.1", 200) + "\nnonsense\n"
	if err := os.WriteFile(log, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, 4, verify("--from-log", log), "log: 3 lines, 1 malformed, 2 requests for the API; 2 taken\n",
		"\nfailed: "+apiPath+"/metadata/latest\n  legacy: ", "status 500\n", "xcri-proxy: 1 of 2 answers could not be compared\n")
	expect(t, 1, verify("--from-log", os.DevNull), "nothing was compared")
	expect(t, 2, []string{"verify", "--listen-addr", startProxy(t, "LEGACY_URL", "")}, "xcri-proxy: LEGACY_URL is not set: there is no old API to compare with\n")
}

// row is a line of the report.
func row(verdict string, n int) string { return fmt.Sprintf("\n  %-14s %6d\n", verdict, n) }

func quietly(args []string) (stdout, stderr string, status int) {
	status, stdout, stderr = command(nil, args...)
	return stdout, stderr, status
}

// scriptedVerify returns a proxy with n keys and scripted answers.
func scriptedVerify(t *testing.T, n int, answer func(w http.ResponseWriter, asked int64)) (url string) {
	t.Helper()
	var asked atomic.Int64
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			answer(w, asked.Add(1))
			return
		}
		var keys []string
		for i := range n {
			keys = append(keys, "/teams/"+strconv.Itoa(i))
		}
		_ = printJSON(w, map[string]any{"keys": keys})
	}))
	t.Cleanup(fake.Close)
	return fake.URL
}

// TestVerifyInterrupted holds that after an interrupt the report contains the results
// so far.
func TestVerifyInterrupted(t *testing.T) {
	for verdict, status := range map[string]int{"same_bytes": 1, different: 7} {
		url := scriptedVerify(t, 9, func(w http.ResponseWriter, asked int64) {
			if asked == 3 {
				if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
					t.Error(err)
				}
			}
			_ = printJSON(w, api.Comparison{Path: "/x", Verdict: verdict})
		})
		out := expect(t, status, []string{"verify", "--url", url, "--rate", "10"})
		if !strings.HasPrefix(out, "asked: 2 of 9 questions") && !strings.HasPrefix(out, "asked: 3 of 9 questions") {
			t.Errorf("%s: %s", verdict, out)
		}
	}
}

// TestVerifyPatience holds that a comparison is retried within its timeout while the
// proxy is busy or restarting.
func TestVerifyPatience(t *testing.T) {
	url := scriptedVerify(t, 2, func(w http.ResponseWriter, asked int64) {
		if asked == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"detail":"2 comparisons are running"}`)
			return
		}
		_ = printJSON(w, api.Comparison{Verdict: "same_json"})
	})
	expect(t, 0, []string{"verify", "--url", url, "--rate", "100"}, "is busy: 2 comparisons are running; trying again\n", row("same_json", 2))
	gone := scriptedVerify(t, 3, func(w http.ResponseWriter, asked int64) {
		if asked > 1 {
			panic(http.ErrAbortHandler)
		}
		_ = printJSON(w, api.Comparison{Verdict: "same_bytes"})
	})
	expect(t, 5, []string{"verify", "--url", gone, "--rate", "100", "--timeout", "50ms"}, "asked: 1 of 3 questions", "EOF")
	expect(t, 5, []string{"verify", "--listen-addr", closedAddr(t)}, "connection refused")
	var r verifyReport
	if err := json.Unmarshal([]byte(expect(t, 5, []string{"verify", "--json", "--listen-addr", closedAddr(t)})), &r); err != nil || r.Result != "proxy_unreachable" || r.Error == "" {
		t.Errorf("%+v, %v", r, err)
	}
	other := scriptedVerify(t, 1, func(w http.ResponseWriter, _ int64) { _, _ = io.WriteString(w, `{}`) })
	expect(t, 1, []string{"verify", "--url", other}, "got an answer that is not xcri-proxy's")
}

func TestWrongVerifyCommandLines(t *testing.T) {
	for text, args := range map[string][]string{
		"--rate: want a number from 0.1 to 100": {"--rate", "0"}, "--rate: want a number": {"--rate", "NaN"},
		"--top: want a number from 1 to 10000": {"--top", "0"}, "--limit: want": {"--limit", "-1"}, "--show: want": {"--show", "-1"},
		"--timeout: want 1ms to 1m": {"--timeout", "2m"}, "--json and --quiet exclude each other": {"--json", "--quiet"},
		"if any flags in the group [file from-log] are set none of the others can be": {"--file", "x", "--from-log", "y"},
		"verify takes no arguments": {"now"},
	} {
		expect(t, 2, append([]string{"verify"}, args...), "xcri-proxy: "+text, "see xcri-proxy verify --help\n")
	}
}

func TestReadTargets(t *testing.T) {
	got, err := readTargets("-", strings.NewReader("#\n a \n\n#b\nc d\n"))
	if fmt.Sprintf("%q", got) != `["a" "c d"]` || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := readTargets("-", strings.NewReader(strings.Repeat("x\n", accesslog.MaxTargets+1))); err == nil || err.Error() != "-: more than 50000 targets" {
		t.Error(err)
	}
	if _, err := readTargets("-", strings.NewReader(strings.Repeat("x", 64<<10+1))); err == nil {
		t.Error("a line without an end was taken")
	}
}

// TestPacer holds that events keep the minimum interval, also after a long event.
func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pacer{every: 500 * time.Millisecond}
		begun := time.Now()
		var at []time.Duration
		for i := range 6 {
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			at = append(at, time.Since(begun))
			took := 100 * time.Millisecond
			if i == 2 {
				took = 3 * time.Second
			}
			time.Sleep(took)
		}
		if got := fmt.Sprint(at); got != "[0s 500ms 1s 4s 4.5s 5s]" {
			t.Error(got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if p.wait(ctx) == nil {
			t.Error("waited for nobody")
		}
	})
}

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

func goldenReport() *verifyReport {
	r := newVerifyReport()
	r.Questions = 6
	for _, c := range []api.Comparison{
		{Path: "/a", Verdict: "same_bytes", Store: api.Answered{Status: 200, Bytes: 10, MS: 4}, Legacy: api.Answered{Status: 200, Bytes: 10, MS: 18}},
		found("/b", sameButOrder, "results[3].team_rank", "4", "5", ""),
		found("/c?x=1&y=2", different, "", "{}", "[]", ""),
		found("/d", failed, "-", "", "", "legacy: it broke"),
		{Path: "/health", Verdict: skipped, Error: "tells the time"},
	} {
		r.add(c)
	}
	return r
}

func TestVerifyReport(t *testing.T) {
	r := goldenReport()
	err := r.judge()
	if statusOf(err) != exitDifferent || r.line() != "5 of 6 questions, 1 different, 1 failed" {
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
	if err := printJSON(&object, r); err != nil {
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
		`"store":{"status":0,"bytes":0,"ms":0},"legacy":{"status":0,"bytes":0,"ms":0},"error":"tells the time"}],"expected":{},` +
		`"error":"1 of 4 answers are different"}` + "\n"
	if object.String() != wantJSON {
		t.Errorf("got  %s\nwant %s", &object, wantJSON)
	}
}

func TestVerifyJudges(t *testing.T) {
	for name, tt := range map[string]struct {
		questions int
		verdicts  []string
		status    int
	}{
		"the same":                  {4, []string{"same_bytes", "same_json", sameButOrder, skipped}, 0},
		"a failure":                 {2, []string{"same_bytes", failed}, exitPartly},
		"a difference":              {2, []string{different, "same_bytes"}, exitDifferent},
		"a difference, and failure": {2, []string{failed, different}, exitDifferent},
		"not all asked":             {3, []string{"same_bytes", failed}, exitRuntime},
		"nothing asked":             {0, nil, exitRuntime},
		"all skipped":               {2, []string{skipped, skipped}, exitRuntime},
	} {
		r := newVerifyReport()
		r.Questions = tt.questions
		for _, verdict := range tt.verdicts {
			r.add(api.Comparison{Verdict: verdict})
		}
		if got := statusOf(r.judge()); got != tt.status {
			t.Errorf("%s: %d, want %d", name, got, tt.status)
		}
	}
}
