package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/load"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// TestLoad runs the load command against the service on the sample data.
func TestLoad(t *testing.T) {
	url := "http://" + startProxy(t) + "/iz/xcri/api"
	expect(t, 0, []string{"load", url, "--requests", "300", "--seed", "7"},
		"300 requests in ", ", 0 errors\n", "statuses: 200 ", "outcomes: ", "hit ratio ", "\ntime in ms", "\nall              300 ", "\nlist ", "\nroster ",
		"reading the catalogue: ")
	stdout := expect(t, 0, []string{"load", url, "--requests", "5000", "--warm-up", "5000", "--connections", "16", "--json"})
	var report load.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v\n%s", err, stdout)
	}
	if report.Result != "ok" || report.Requests != 5000 || report.WarmUp != 5000 || report.Errors != 0 || report.HitRatio < .9 || report.URL != url {
		t.Errorf("%s", stdout)
	}
	if report.Statuses["304"] < 1000 || report.Statuses["404"] == 0 || report.Bytes == 0 || report.Latency.P99 < report.Latency.P50 || len(report.Kinds) < 8 {
		t.Errorf("%s", stdout)
	}
	timed := []string{"load", url, "--duration", "300ms", "--rate", "100"}
	for tries := 1; !strings.Contains(expect(t, 0, timed, "requests in ", ", 0 errors"), "requests in 0.3"); tries++ {
		if tries == 20 { // the machine may halt a run
			t.Fatal("no run took 300 ms")
		}
	}
	if stdout := expect(t, 0, []string{"load", url, "--requests", "10", "--quiet"}); stdout != "" {
		t.Errorf("not quiet:\n%s", stdout)
	}
}

func TestLoadReplaysALog(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+r.Header.Get("If-None-Match")))
		w.Header().Set("ETag", `"x"`)
		switch {
		case r.Header.Get("If-None-Match") != "":
			w.WriteHeader(http.StatusNotModified)
		case r.URL.Path == "/teams/1":
			w.WriteHeader(http.StatusNotFound)
		default:
			fmt.Fprint(w, "{}")
		}
	}))
	defer server.Close()
	name := filepath.Join(t.TempDir(), "access.log")
	lines := []string{
		line("GET "+apiPath+"/teams/?gender=M HTTP/1.1", 304), // the browser had a copy before the log began
		line("GET "+apiPath+"/teams/?gender=M HTTP/1.1", 200),
		line("GET /iz/xcri/assets/index.js HTTP/1.1", 200),
		line("POST "+apiPath+"/feedback/ HTTP/1.1", 200),
		line("GET "+apiPath+"/teams/?gender=M HTTP/1.1", 304),
		line("GET "+apiPath+"/teams/1 HTTP/1.1", 404),
		"nothing",
		line("HEAD "+apiPath+"/health HTTP/1.1", 200),
	}
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"GET /teams/?gender=M", "GET /teams/?gender=M", `GET /teams/?gender=M "x"`, "GET /teams/1", "HEAD /health"}
	check := func(want []string) {
		t.Helper()
		if strings.Join(asked, "\n") != strings.Join(want, "\n") {
			t.Errorf("asked for %q, want %q", asked, want)
		}
		asked = nil
	}
	expect(t, 0, []string{"load", server.URL, "--from-log", name, "--connections", "1"},
		"log: 8 lines, 1 malformed, 2 skipped, 5 taken\n", "5 requests in ", "statuses: 200 3, 304 1, 404 1\n", "outcomes: none 5; hit ratio 0.00 %\n")
	check(want)
	expect(t, 0, []string{"load", server.URL, "--from-log", name, "--connections", "1", "--requests", "2", "--warm-up", "1"}, "2 requests in ", "; 1 before them\n")
	check(want[:3])
	expect(t, 1, []string{"load", server.URL, "--from-log", name, "--base-path", "/elsewhere"}, "no request for the API below /elsewhere/api in "+name)
	expect(t, 1, []string{"load", server.URL, "--from-log", name + "x"}, "no such file")
	check(nil)
}

func TestLoadFails(t *testing.T) {
	nowhere := "http://" + port.Address(t)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "{}", http.StatusBadGateway) }))
	defer broken.Close()
	log := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(log, []byte(line("GET "+apiPath+"/teams/ HTTP/1.1", 200)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, 5, []string{"load", nowhere}, "connection refused")
	expect(t, 5, []string{"load", nowhere, "--from-log", log}, "/teams/: ", "connection refused")
	expect(t, 5, []string{"load", broken.URL}, "502 Bad Gateway")
	expect(t, 4, []string{"load", broken.URL, "--from-log", log}, "1 error in 1 request\n", "\n1 × status 502, such as\n  /teams/: got 502 Bad Gateway\n")
	if stdout := expect(t, 4, []string{"load", broken.URL, "--from-log", log, "--json"}); !strings.Contains(stdout, `"result":"errors"`) {
		t.Errorf("%s", stdout)
	}
}

func TestLoadInterrupted(t *testing.T) {
	var once sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() {
			if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
				t.Error(err)
			}
		})
		fmt.Fprint(w, "{}")
	}))
	defer server.Close()
	log := strings.Repeat(line("GET "+apiPath+"/teams/ HTTP/1.1", 200)+"\n", 100_000)
	p := &program{Streams: console.Streams{In: strings.NewReader(log)}, env: map[string]string{}}
	var out strings.Builder
	p.Out, p.Err = &out, &out
	if status := p.run([]string{"load", server.URL, "--from-log", "-"}); status != 1 || !strings.Contains(out.String(), "interrupted after ") || !strings.Contains(out.String(), "\nall ") {
		t.Errorf("status %d\n%s", status, &out)
	}
}

func TestLoadCommandLine(t *testing.T) {
	const here = "http://localhost:1"
	for want, args := range map[string][]string{
		"load takes one argument, the URL of the API":               {},
		`"localhost:8000": want http://host:port`:                   {"localhost:8000"},
		`"http://localhost/?x": want http://host:port`:              {"http://localhost/?x"},
		"web4.ustfccca.org is not this machine":                     {"https://web4.ustfccca.org/iz/xcri/api"},
		"to do this nevertheless, add --yes-production":             {"http://192.0.2.1"},
		"--connections: want a number from 1 to 10000":              {here, "--connections", "0"},
		"--rate: want a number from 0":                              {here, "--rate", "NaN"},
		"--requests and --warm-up: want a number from 0":            {here, "--warm-up", "-1"},
		"the page mix has no end":                                   {here, "--requests", "0"},
		"--duration: want at least 100ms":                           {here, "--duration", "1ms"},
		"--timeout: want 1ms to 1m":                                 {here, "--timeout", "2m"},
		"--json and --quiet exclude each other":                     {here, "--json", "--quiet"},
		"[duration requests] were all set":                          {here, "--duration", "1s", "--requests", "1"},
		"the configuration is wrong:\n  BASE_PATH=\"x\" (flag --ba": {here, "--base-path", "x"},
	} {
		expect(t, 2, append([]string{"load"}, args...), want, "see xcri-proxy load --help")
	}
}

// TestLoadLimits holds that each limit has its exit status and message.
func TestLoadLimits(t *testing.T) {
	addr := startProxy(t)
	expect(t, 8, []string{"load", "http://" + addr, "--requests", "20", "--max-p99", "1ns"}, "20 requests in ", "xcri-proxy: the p99 is ", " ms, over --max-p99 1ns\n")
	expect(t, 0, []string{"load", "http://" + addr, "--requests", "20", "--max-p99", "1m"}, "20 requests in ")
	expect(t, 2, []string{"load", "http://" + addr, "--max-errors", "-1"}, "--max-p99 and --max-errors: want a limit from 0 on")
}
