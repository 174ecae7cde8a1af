package main

import (
	"bytes"
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

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/verify"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
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
	var r verify.Report
	verify := func(args ...string) []string {
		return append([]string{"verify", "--listen-addr", addr, "--rate", "100"}, args...)
	}
	expect(t, 0, []string{"warm", "--listen-addr", addr, "--since", "1h"})

	expect(t, 0, verify(), row("different", 0), " of ", "mean time: store ", "times as long\n")
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
	expect(t, 0, verify("--file", name), "asked: 4 of 4 questions", row("same_bytes", 2), row("skipped", 2),
		"\nskipped: /health\n  not compared: the answer contains the time\n", "\nskipped: /nowhere\n  not a path of the API\n")
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
	expect(t, 0, verify("--file", name), row("same_bytes", 1), strings.TrimSuffix(row("expected", 1), "\n")+"\n        1: the old API fails at the summary of processing\n")
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
func scriptedVerify(t *testing.T, n int, answer func(w http.ResponseWriter, r *http.Request, asked int64)) (url string) {
	t.Helper()
	var asked atomic.Int64
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			answer(w, r, asked.Add(1))
			return
		}
		var keys []string
		for i := range n {
			keys = append(keys, "/teams/"+strconv.Itoa(i))
		}
		_ = console.JSON(w, map[string]any{"keys": keys})
	}))
	t.Cleanup(fake.Close)
	return fake.URL
}

// TestVerifyInterrupted holds that after an interrupt the report contains the results
// so far.
func TestVerifyInterrupted(t *testing.T) {
	for verdict, status := range map[string]int{"same_bytes": 1, "different": 7} {
		url := scriptedVerify(t, 9, func(w http.ResponseWriter, r *http.Request, asked int64) {
			switch {
			case asked == 3:
				if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
					t.Error(err)
				}
			case asked > 3: // the signal is under way, and ends this request
				_, _ = io.Copy(io.Discard, r.Body) // the server notices the end after the body
				<-r.Context().Done()
				return
			}
			_ = console.JSON(w, api.Comparison{Path: "/x", Verdict: verdict})
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
	url := scriptedVerify(t, 2, func(w http.ResponseWriter, _ *http.Request, asked int64) {
		if asked == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"detail":"2 comparisons are running"}`)
			return
		}
		_ = console.JSON(w, api.Comparison{Verdict: "same_json"})
	})
	expect(t, 0, []string{"verify", "--url", url, "--rate", "100"}, "is busy: 2 comparisons are running; trying again\n", row("same_json", 2))
	gone := scriptedVerify(t, 3, func(w http.ResponseWriter, _ *http.Request, asked int64) {
		if asked > 1 {
			panic(http.ErrAbortHandler)
		}
		_ = console.JSON(w, api.Comparison{Verdict: "same_bytes"})
	})
	expect(t, 5, []string{"verify", "--url", gone, "--rate", "100", "--timeout", "50ms"}, "asked: 1 of 3 questions", "EOF")
	expect(t, 5, []string{"verify", "--listen-addr", port.Address(t)}, "connection refused")
	var r verify.Report
	if err := json.Unmarshal([]byte(expect(t, 5, []string{"verify", "--json", "--listen-addr", port.Address(t)})), &r); err != nil || r.Result != "proxy_unreachable" || r.Error == "" {
		t.Errorf("%+v, %v", r, err)
	}
	other := scriptedVerify(t, 1, func(w http.ResponseWriter, _ *http.Request, _ int64) { _, _ = io.WriteString(w, `{}`) })
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
