package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/app"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/warm"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

func TestMain(m *testing.M) { os.Exit(scratch.Main(m)) }

// startProxy runs the service until the test ends and returns its address. It uses the
// test database unless the settings name another. It polls the database once, and then
// only on request.
func startProxy(t *testing.T, more ...string) (addr string) {
	t.Helper()
	db := scratch.Server(t)
	settings := map[string]string{
		"LISTEN_ADDR": "127.0.0.1:0", "DATABASE_HOST": db.Host, "DATABASE_PORT": strconv.Itoa(db.Port),
		"DATABASE_NAME": mariadb.Database, "DATABASE_USER": mariadb.Reader, "DATABASE_PASSWORD": mariadb.Password,
		"GENERATION_POLL": "1h",
	}
	for i := 0; i < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	cfg, err := config.Load(settings, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(cfg, app.Program{Version: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return a.Addr().String()
}

// execute changes the data.
func execute(t *testing.T, statements ...string) {
	t.Helper()
	root := scratch.Root(t, mariadb.Database)
	root.SetMaxOpenConns(1) // a temporary table belongs to its connection
	for _, s := range statements {
		if _, err := root.Exec(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

// addSnapshot inserts the metadata of a new snapshot into the database.
func addSnapshot(t *testing.T, date string) {
	t.Helper()
	const table = "iz_rankings_xcri_calculation_metadata"
	execute(t,
		"CREATE TEMPORARY TABLE imported AS SELECT * FROM "+table+" WHERE checkpoint_date IS NOT NULL LIMIT 1",
		"UPDATE imported SET checkpoint_date = '"+date+"', metadata_id = (SELECT MAX(metadata_id) + 1 FROM "+table+")",
		"INSERT INTO "+table+" SELECT * FROM imported")
}

// expect runs a command line, compares the exit status, and checks that the output
// contains the texts want. It returns stdout.
func expect(t *testing.T, status int, args []string, want ...string) string {
	t.Helper()
	// The command must ignore an HTTP proxy in the environment.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	got, stdout, stderr := command(nil, args...)
	if got != status {
		t.Errorf("%q: status %d, want %d\n%s%s", args, got, status, stdout, stderr)
	}
	for _, text := range want {
		if !strings.Contains(stdout+stderr, text) {
			t.Errorf("%q: no %q in\n%s%s", args, text, stdout, stderr)
		}
	}
	return stdout
}

func TestWarm(t *testing.T) {
	addr := startProxy(t)
	warmArgs := func(args ...string) []string { return append([]string{"warm", "--listen-addr", addr}, args...) }
	expect(t, 0, warmArgs("--since", "1h"), "published: ", "answers", "loaded, 0 failed", "slowest: /", "newest snapshot 2025-10-20") // the first
	expect(t, 3, warmArgs(), "nothing new: calculated 2025-10-26T22:42:22, newest snapshot 2025-10-20, published 20")
	if got := expect(t, 3, warmArgs("--quiet")); got != "" {
		t.Errorf("--quiet: %s", got)
	}
	expect(t, 0, warmArgs("--since", "1h"), "published: ")
	expect(t, 0, warmArgs("--wait-for", "2025-10-20"), "already there: ")
	expect(t, 3, warmArgs("--wait-for", "2099-01-05", "--timeout", "3s"), "no snapshot 2099-01-05 yet; the newest is 2025-10-20\n",
		"no snapshot 2099-01-05 within 3s: calculated ")

	const table = "iz_rankings_xcri_calculation_metadata"
	execute(t, "UPDATE "+table+" SET calculated_at = '2025-10-28 03:00:00' WHERE checkpoint_date IS NULL ORDER BY calculated_at DESC LIMIT 1")
	defer execute(t, "UPDATE "+table+" SET calculated_at = '2025-10-26 22:42:22' WHERE calculated_at = '2025-10-28 03:00:00'")
	var s warm.Summary
	if err := json.Unmarshal([]byte(expect(t, 0, warmArgs("--json"))), &s); err != nil {
		t.Fatal(err)
	}
	if s.Result != "published" || s.Calculated != "2025-10-28T03:00:00" || s.Keys < 30 || s.Filled < 2 || s.Filled > s.Keys/2 || s.Failed != 0 || s.Bytes <= 0 ||
		s.Seconds <= 0 || s.Slowest == "" || s.SlowestSeconds <= 0 || s.Generation == "" || s.PublishedAt.IsZero() || s.Log != nil || s.Error != "" {
		t.Errorf("%+v", s)
	}
	if err := json.Unmarshal([]byte(expect(t, 3, warmArgs("--json"))), &s); err != nil || s.Result != "nothing_new" {
		t.Errorf("%+v, %v", s, err)
	}
	expect(t, 0, []string{"warm", "--url", "http://" + addr + "/iz/xcri/", "--since", "1h"}, "published: ")
}

// TestWarmWaits holds that warm succeeds if the snapshot arrives during the wait.
func TestWarmWaits(t *testing.T) {
	addr := startProxy(t)
	expect(t, 0, []string{"warm", "--listen-addr", addr, "--since", "1h"})
	imported := make(chan struct{})
	go func() {
		defer close(imported)
		time.Sleep(time.Second)
		addSnapshot(t, "2025-11-03")
	}()
	expect(t, 0, []string{"warm", "--listen-addr", addr, "--wait-for", "2025-11-03", "--timeout", "30s"},
		"no snapshot 2025-11-03 yet", "published: ", "newest snapshot 2025-11-03")
	<-imported
	execute(t, "DELETE FROM iz_rankings_xcri_calculation_metadata WHERE checkpoint_date = '2025-11-03'")
}

func TestWarmFromLog(t *testing.T) {
	addr := startProxy(t)
	expect(t, 0, []string{"warm", "--listen-addr", addr, "--since", "1h"})
	var log strings.Builder
	for i := range 1500 { // more than the limit of a request
		fmt.Fprintln(&log, line(fmt.Sprintf("GET %s/athletes/%d?season_year=2025&division=2030&gender=M HTTP/1.1", apiPath, i), 200))
	}
	for range 5 {
		fmt.Fprintln(&log, line("GET "+apiPath+"/teams/714?season_year=2025 HTTP/1.1", 200))
		fmt.Fprintln(&log, line("GET "+apiPath+"/nowhere HTTP/1.1", 200))
		fmt.Fprintln(&log, "nonsense")
	}
	name := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(name, []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, 0, []string{"warm", "--listen-addr", addr, "--from-log", name, "--top", "1400"},
		"log: 1515 lines, 5 malformed, 1510 requests for the API; 1399 answers to load, 1 target not the API's", "published: ")
	expect(t, 0, []string{"explain", "--listen-addr", addr, "/teams/714?season_year=2025"}, "hit", "warm, ")
	expect(t, 1, []string{"warm", "--listen-addr", addr, "--from-log", name + ".1"}, "no such file")
	expect(t, 3, []string{"warm", "--listen-addr", addr, "--from-log", os.DevNull}, "log: 0 lines", "nothing new")

	// From stdin, with another prefix.
	var out, errs strings.Builder
	p := &program{Streams: console.Streams{In: strings.NewReader(strings.ReplaceAll(log.String(), apiPath, "/api")), Out: &out, Err: &errs}, env: map[string]string{"LISTEN_ADDR": addr}}
	if status := p.run([]string{"warm", "--from-log", "-", "--top", "2", "--base-path", "/", "--json"}); status != 0 {
		t.Errorf("status %d: %s%s", status, &out, &errs)
	}
	var s warm.Summary
	if err := json.Unmarshal([]byte(out.String()), &s); err != nil || s.Log.Lines != 1515 || s.Log.Malformed != 5 || s.Log.Counted != 1510 || s.Log.Keys != 1 || s.Log.Ignored != 1 {
		t.Errorf("%v: %s", err, &out)
	}
}

func TestWarmWithoutDatabase(t *testing.T) {
	addr := startProxy(t, "DATABASE_PORT", "1")
	expect(t, 6, []string{"warm", "--listen-addr", addr, "--timeout", "3s"},
		"the proxy could not publish", "xcri-proxy: the proxy has not reached the database since ")
	var s warm.Summary
	out := expect(t, 6, []string{"warm", "--listen-addr", addr, "--timeout", "3s", "--wait-for", "2025-10-20", "--json"})
	if err := json.Unmarshal([]byte(out), &s); err != nil || s.Result != "database_unreachable" || s.Error == "" {
		t.Errorf("%+v, %v", s, err)
	}
}

// closedAddr returns an address without a listener.
func TestNotReachable(t *testing.T) {
	addr := port.Address(t)
	for _, args := range [][]string{{"warm"}, {"warm", "--wait-for", "2025-10-20"}, {"purge", "--all"}, {"explain", "/teams/"}} {
		if out := expect(t, 5, append(args, "--listen-addr", addr), "xcri-proxy: http://"+addr+": dial tcp "+addr+": connect: connection refused"); out != "" {
			t.Errorf("%q: stdout %s", args, out)
		}
	}
	var s warm.Summary
	if err := json.Unmarshal([]byte(expect(t, 5, []string{"warm", "--json", "--listen-addr", addr})), &s); err != nil || s.Result != "proxy_unreachable" {
		t.Errorf("%+v, %v", s, err)
	}
	if status, stdout, stderr := command(nil, "warm", "--quiet", "--listen-addr", addr); status != 5 || stdout+stderr != "" {
		t.Errorf("--quiet: status %d: %s%s", status, stdout, stderr)
	}
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hanging.Close()
	expect(t, 5, []string{"warm", "--url", hanging.URL, "--timeout", "100ms"}, "no answer within 100ms")
	expect(t, 5, []string{"explain", "/", "--url", hanging.URL, "--timeout", "100ms"}, "no answer")
	for answer, want := range map[string]struct {
		status int
		text   string
	}{
		"502 <h1>Bad Gateway</h1>":        {5, "got HTTP 502"},
		"200 <h1>It works!</h1>":          {1, "got an answer that is not xcri-proxy's"},
		"404 <h1>Not Found</h1>":          {1, "got HTTP 404 with an answer that is not xcri-proxy's"},
		`302 {"detail":"elsewhere"}`:      {1, "got HTTP 302: elsewhere"},
		`403 {"detail":"Only you may"}`:   {1, "got HTTP 403: Only you may"},
		`422 {"detail":"route is wrong"}`: {2, "xcri-proxy: route is wrong\nsee xcri-proxy purge --help"},
	} {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			status, body, _ := strings.Cut(answer, " ")
			code, _ := strconv.Atoi(status)
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}))
		expect(t, want.status, []string{"purge", "--all", "--url", other.URL}, want.text)
		other.Close()
	}
}

// scripted returns a proxy that reports the given states in order, and then repeats
// the last state.
func scripted(t *testing.T, states ...api.WarmState) (url string) {
	t.Helper()
	var asked atomic.Int64
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_ = console.JSON(w, api.WarmTicket{Ticket: 8})
			return
		}
		_ = console.JSON(w, states[min(int(asked.Add(1)), len(states))-1])
	}))
	t.Cleanup(fake.Close)
	return fake.URL
}

func TestWarmPartly(t *testing.T) {
	url := scripted(t, api.WarmState{WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Looked: 7, Published: 1}}, Current: "a"}, api.WarmState{WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Looked: 7, Warming: true, Published: 1}, WarmProgress: api.WarmProgress{Keys: 9, Done: 4}}, Current: "a"},
		api.WarmState{WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Looked: 8, Published: 2}, WarmProgress: api.WarmProgress{Keys: 9, Done: 9, Filled: 7, Failed: 2}, PollFaults: api.PollFaults{Error: "/teams/: too slow"}}, Current: "b"})
	expect(t, 4, []string{"warm", "--url", url}, "4 of 9 answers", "published: 9 answers, 7 of them loaded, 2 failed",
		"xcri-proxy: 2 of 9 answers could not be loaded; the last: /teams/: too slow")
}

func TestWarmIsLate(t *testing.T) {
	url := scripted(t, api.WarmState{WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Looked: 7, Published: 1}}}, api.WarmState{WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Looked: 7, Published: 1, Warming: true}, WarmProgress: api.WarmProgress{Keys: 9, Done: 4}}})
	expect(t, 1, []string{"warm", "--url", url, "--timeout", "2s"}, "xcri-proxy: not finished within 2s: 4 of 9 answers done")
	url = scripted(t, api.WarmState{WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Looked: 7, Published: 1}}})
	expect(t, 1, []string{"warm", "--url", url, "--timeout", "2s"}, "xcri-proxy: the proxy did not poll the database within 2s")
	url = scripted(t, api.WarmState{WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Looked: 8, Published: 1}, PollFaults: api.PollFaults{LookError: "no"}}})
	expect(t, 1, []string{"warm", "--url", url, "--timeout", "2s"}, "xcri-proxy: nothing could be published within 2s: no")
}

// TestWarmSurvivesARestart holds that the poll is requested again after a restart of
// the proxy, which loses the ticket.
func TestWarmSurvivesARestart(t *testing.T) {
	url := scripted(t, api.WarmState{WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Looked: 7, Published: 5}}, Current: "a"}, api.WarmState{WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Looked: 7, Published: 5}}, Current: "a"},
		api.WarmState{WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Looked: 0}}}, api.WarmState{WarmStatus: api.WarmStatus{PollStatus: api.PollStatus{Looked: 8, Published: 1}, WarmProgress: api.WarmProgress{Keys: 9, Done: 9, Filled: 9}}, Current: "b"})
	expect(t, 0, []string{"warm", "--url", url, "--timeout", "20s"}, "the proxy was restarted; trying again", "published: 9 answers")
}

func TestPurgeAndExplain(t *testing.T) {
	const token = "a-long-enough-token"
	addr := startProxy(t, "ADMIN_TOKEN", token)
	at := func(args ...string) []string { return append(args, "--listen-addr", addr, "--admin-token", token) }
	const path = apiPath + "/athletes/?gender=m&division=2030&season_year=2025&limit=50000"
	expect(t, 0, at("warm", "--since", "1h"))
	expect(t, 0, at("explain", path), "route       /athletes/\n", "key         /athletes/?season_year=2025&division=2030&gender=M&limit=50000\n",
		"scope       2025/2030/M/live\n", "outcome     hit: served fresh from the cache\n", "where       warm, ", ", which is published\n",
		"status      200\n", "  identity  made as it is sent, ETag \"", "  gzip      ")
	if got := expect(t, 0, at("purge", "--path", path)); got != "purged: 1\n" {
		t.Error(got)
	}
	expect(t, 0, at("explain", path), "outcome     stale: ")
	if got := expect(t, 0, at("purge", "--scope", "2025/2030/M/live", "--hard", "--json")); !strings.HasPrefix(got, `{"purged":`) || got == `{"purged":0}`+"\n" {
		t.Error(got)
	}
	expect(t, 0, at("explain", path), "outcome     miss: has to be loaded\n", " is published\n")
	var s api.Entry
	if err := json.Unmarshal([]byte(expect(t, 0, at("explain", path, "--json"))), &s); err != nil || s.Path != path || s.Outcome != "miss" || s.Where != nil {
		t.Errorf("%+v, %v", s, err)
	}
	expect(t, 0, at("purge", "--route", "/snapshots/"), "purged: 1\n") // still cached: live data does not affect it
	expect(t, 0, at("purge", "--path", "/athletes/?season_year=2025&division=2030&gender=F&limit=50000"), "purged: 1\n")
	expect(t, 0, at("purge", "--all"), "purged: ")
	expect(t, 2, at("purge", "--route", "/nowhere"), `xcri-proxy: --route "/nowhere": there is none; want one of /athletes/ `)
	expect(t, 2, at("explain", "/nowhere"), `xcri-proxy: path "/nowhere": not a path of the API`)
	expect(t, 1, []string{"purge", "--all", "--listen-addr", addr, "--admin-token", "another-wrong-token"}, "got HTTP 403: Only this machine")
}

func TestWrongClientCommandLines(t *testing.T) {
	for text, args := range map[string][]string{
		`--wait-for "soon": want a date as in 2025-10-27`:                                      {"warm", "--wait-for", "soon"},
		"--top: want a number from 1 to 10000":                                                 {"warm", "--top", "0"},
		"--timeout: want a duration above zero":                                                {"warm", "--timeout", "0"},
		"--json and --quiet exclude each other":                                                {"warm", "--json", "--quiet"},
		"warm takes no arguments":                                                              {"warm", "now"},
		"--url: want http://host:port or https://host/path":                                    {"warm", "--url", "127.0.0.1:8000"},
		"--url: want http://host:port or https://host/path\n":                                  {"purge", "--all", "--url", "http://user:secret@host"},
		`LISTEN_ADDR=":0" leaves the port open`:                                                {"explain", "/teams/", "--listen-addr", ":0"},
		"at least one of the flags in the group [path route scope":                             {"purge"},
		"if any flags in the group [path route scope all] are set none of the others can be":   {"purge", "--all", "--path", "/teams/"},
		"explain takes one path, but there are 2":                                              {"explain", "/teams/", "/athletes/"},
		"unknown flag: --database-port\n":                                                      {"warm", "--database-port", "1"},
		"the configuration is wrong:\n  ADMIN_TOKEN (flag --admin-token): must be at least 16": {"purge", "--all", "--admin-token", "short"},
	} {
		expect(t, 2, args, "xcri-proxy: "+text)
	}
}
