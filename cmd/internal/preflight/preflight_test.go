package preflight

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/app"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/redisserver"
	"github.com/lewistv/xcri-proxy/store"
	"github.com/lewistv/xcri-proxy/store/readapi"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

func TestMain(m *testing.M) { os.Exit(scratch.Main(m)) }

// configOf returns the configuration of these settings.
func configOf(t *testing.T, settings map[string]string) config.Config {
	t.Helper()
	cfg, err := config.Load(settings, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// host returns the settings of a host on which all is well.
func host(t *testing.T, database string) map[string]string {
	t.Helper()
	site := t.TempDir()
	write(t, filepath.Join(site, "index.html"), "<!doctype html>")
	files := t.TempDir()
	return map[string]string{
		"DATABASE_SOCKET": scratch.Server(t).Socket, "DATABASE_NAME": database, "DATABASE_USER": mariadb.Reader, "DATABASE_PASSWORD": mariadb.Password,
		"LISTEN_ADDR": port.Address(t), "STATIC_DIR": site, "CACHE_FILE": filepath.Join(files, "cache"), "STATE_FILE": filepath.Join(files, "state"),
		"LEGACY_URL": "",
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// inspect returns an inspection of a host.
func inspect(t *testing.T, settings map[string]string) *inspection {
	t.Helper()
	cfg := configOf(t, settings)
	s, err := app.OpenStore(cfg.Database, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	i := &inspection{flags: Options{MaxP95: time.Minute, Requests: 50, Verify: 5, Timeout: time.Minute}, cfg: cfg, store: s}
	t.Cleanup(i.endRehearsal)
	return i
}

// run makes the check of a name.
func (i *inspection) run(t *testing.T, name string) finding {
	t.Helper()
	n := slices.IndexFunc(checklist, func(c check) bool { return c.name == name })
	if n < 0 {
		t.Fatalf("no check %s", name)
	}
	return checklist[n].run(i, t.Context())
}

// wants compares a finding, which must have a remedy unless all is well.
func (f finding) wants(t *testing.T, verdict Verdict, reason string) {
	t.Helper()
	if f.Verdict != verdict || !strings.Contains(f.Reason, reason) || (f.Remedy == "") != (verdict == Go || verdict == Skipped) {
		t.Errorf("%+v, want %s because of %q", f, verdict, reason)
	}
	if strings.Contains(f.Reason+f.Remedy, "\n") {
		t.Errorf("%+v takes more than a line", f)
	}
}

// oldAPI returns the URL of an old API with right answers: another proxy without the
// marks of a proxy.
func oldAPI(t *testing.T, database string) string {
	t.Helper()
	settings := host(t, database)
	settings["LISTEN_ADDR"] = "127.0.0.1:0"
	a, err := app.New(configOf(t, settings), app.Program{Version: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: a.Addr().String()})
	forward.ModifyResponse = func(r *http.Response) error { r.Header.Del("Server"); return nil }
	srv := httptest.NewServer(forward)
	t.Cleanup(func() { srv.Close(); stop(); <-done })
	return srv.URL
}

// TestAllIsWell holds that on a host where all is well every row is go, that the
// command leaves nothing behind, and that its exit status is 0.
func TestAllIsWell(t *testing.T) {
	name, _ := scratch.Sample(t)
	settings := host(t, name)
	settings["LEGACY_URL"] = oldAPI(t, name)
	settings["SHARED_CACHE"] = redisserver.Start(t, "--maxmemory", "64mb", "--maxmemory-policy", "volatile-lru").URL
	var out bytes.Buffer
	f := Options{MaxP95: time.Minute, Requests: 200, Verify: 10, Timeout: 2 * time.Minute, Version: "test", JSON: true}
	if err := Run(t.Context(), configOf(t, settings), f, console.Streams{Out: &out, Err: io.Discard}); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
	var report Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.Result != Go || report.NoGo+report.Warnings > 0 || len(report.Rows) != len(checklist) {
		t.Errorf("%s", &out)
	}
	for n, row := range report.Rows {
		if row.Verdict != Go || row.Check != checklist[n].name {
			t.Errorf("%+v", row)
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(settings["CACHE_FILE"])); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestNoGo holds the table of a host without a database: the remedy, the checks that
// are left out, and exit status 1.
func TestNoGo(t *testing.T) {
	settings := host(t, "nowhere")
	settings["DATABASE_SOCKET"] = filepath.Join(t.TempDir(), "none")
	var out bytes.Buffer
	f := Options{MaxP95: time.Second, Timeout: time.Minute}
	err := Run(t.Context(), configOf(t, settings), f, console.Streams{Out: &out, Err: io.Discard})
	if exit.Status(err) != exit.Runtime || !exit.IsReported(err) {
		t.Errorf("%v", err)
	}
	for _, want := range []string{
		"no-go    database        ", "-> check DATABASE_HOST and DATABASE_PORT", "skipped  rights          needs: database",
		"skipped  latency         needs: warm-up", "go       site            ", "no-go: 21 checks, ", " to correct first: database",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// TestHostRows holds the verdicts about settings, files, site, addresses and the old
// API.
func TestHostRows(t *testing.T) {
	used, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	go http.Serve(used, http.NotFoundHandler())
	recorded := oldapi.Start(t, oldapi.Options{})
	wrong := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "It works!") }))
	defer wrong.Close()
	readable := filepath.Join(t.TempDir(), "env")
	write(t, readable, "")
	if err := os.Chmod(readable, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		check, setting, value string
		verdict               Verdict
		reason                string
	}{
		"an env file for all to read":  {"settings", "ENV_FILE", readable, Warning, "every account of this machine may read it"},
		"no cache file":                {"settings", "CACHE_FILE", "", Warning, "each restart begins with an empty cache"},
		"no state file":                {"settings", "STATE_FILE", "", Warning, "forgets maintenance mode"},
		"a folder that is missing":     {"files", "CACHE_FILE", "/nowhere/at/all", NoGo, "CACHE_FILE: no such folder"},
		"a device as a file":           {"files", "STATE_FILE", "/dev/null", NoGo, "STATE_FILE: "},
		"a folder that can be written": {"files", "", "", Go, "have room"},
		"an access log in no folder":   {"files", "ACCESS_LOG", "/nowhere/at/all", NoGo, "ACCESS_LOG: no such folder"},
		"an access log on stdout":      {"files", "ACCESS_LOG", "stdout", Go, "have room"},
		"no site":                      {"site", "STATIC_DIR", "", Warning, "every page of the site is a 404"},
		"a site without an index":      {"site", "STATIC_DIR", os.TempDir(), NoGo, "STATIC_DIR: "},
		"a site":                       {"site", "", "", Go, "index.html and 1 file that"},
		"another program's address":    {"listen address", "LISTEN_ADDR", used.Addr().String(), NoGo, "another program listens"},
		"an address of no machine":     {"listen address", "LISTEN_ADDR", "192.0.2.7:80", NoGo, "LISTEN_ADDR: "},
		"a free address":               {"listen address", "ADMIN_ADDR", port.Address(t), Go, "is free; ADMIN_ADDR"},
		"a socket":                     {"listen address", "LISTEN_ADDR", "unix:" + filepath.Join(t.TempDir(), "s"), Go, "is free"},
		"a socket in no folder":        {"listen address", "LISTEN_ADDR", "unix:/nowhere/at/all", NoGo, "no such folder"},
		"too much memory":              {"memory", "MEMORY_LIMIT", "1PiB", NoGo, "the machine has"},
		"files":                        {"open files", "", "", Go, "files may be open"},
		"no old API":                   {"old API", "LEGACY_URL", "", Warning, "no way back"},
		"an old API that is down":      {"old API", "LEGACY_URL", "http://" + port.Address(t), NoGo, "refused"},
		"not the old API":              {"old API", "LEGACY_URL", wrong.URL, NoGo, "not as the old API"},
		"no page of the API":           {"old API", "LEGACY_URL", "http://" + used.Addr().String(), NoGo, "404"},
		"the old API":                  {"old API", "LEGACY_URL", recorded.URL(), Go, "its newest calculation is of 2025-10-26T22:42:22"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := host(t, mariadb.Database)
			if tt.setting != "" {
				settings[tt.setting] = tt.value
			}
			if tt.setting == "MEMORY_LIMIT" {
				settings["CACHE_BYTES"] = "64MiB"
			}
			inspect(t, settings).run(t, tt.check).wants(t, tt.verdict, tt.reason)
		})
	}
}

// TestSharedLevelRow holds the verdicts about the server of a fleet's shared level.
func TestSharedLevelRow(t *testing.T) {
	s := redisserver.Start(t)
	settings := host(t, mariadb.Database)
	inspect(t, settings).run(t, "shared level").wants(t, Skipped, "SHARED_CACHE is not set")
	settings["SHARED_CACHE"] = s.URL
	i := inspect(t, settings)
	for _, tt := range []struct {
		set     string // of Redis
		verdict Verdict
		reason  string
	}{
		{"maxmemory 0", Warning, "has no memory limit"},
		{"maxmemory 64mb maxmemory-policy noeviction", Warning, "removes nothing once its 64.0 MiB are full"},
		{"maxmemory 64mb maxmemory-policy allkeys-lru", Warning, "may remove the log of actions (maxmemory-policy allkeys-lru)"},
		{"maxmemory 64mb maxmemory-policy volatile-lru", Go, "maxmemory-policy volatile-lru"},
		{"maxmemory 1 maxmemory-policy noeviction", Warning, "full now"},
	} {
		s.Do(append([]string{"CONFIG", "SET"}, strings.Fields(tt.set)...)...)
		i.run(t, "shared level").wants(t, tt.verdict, tt.reason)
	}
	s.Kill()
	i.run(t, "shared level").wants(t, NoGo, "no server")
}

// TestDatabaseRows holds the verdicts about a database and its account.
func TestDatabaseRows(t *testing.T) {
	for name, tt := range map[string]struct {
		check, statement string // the statement runs before the check, % is the database
		grant            string // of an account of its own; empty for mariadb.Reader
		verdict          Verdict
		reason           string
	}{
		"well":                          {"database", "", "", Go, "answers"},
		"a version":                     {"server version", "", "", Go, "."},
		"no rights":                     {"database", "", "SELECT ON nothing.*", NoGo, "denied"},
		"reads only":                    {"rights", "", "SELECT ON %.*", Go, "may read and nothing else"},
		"may write":                     {"rights", "", "SELECT, DELETE ON %.*", Warning, "may do more than read: DELETE"},
		"session":                       {"session", "", "", Go, "accepts all variables"},
		"cancellation":                  {"cancellation", "", "", Go, "ends the statement"},
		"one table only":                {"tables", "", "SELECT ON %." + readapi.AthleteTable, NoGo, "denied"},
		"a table is missing":            {"tables", "DROP TABLE " + readapi.MatchupTable, "", NoGo, readapi.MatchupTable},
		"tables":                        {"tables", "", "", Go, "can be read"},
		"a column is missing":           {"columns", "ALTER TABLE " + readapi.KnockoutTable + " DROP COLUMN knockout_rank", "", NoGo, "Unknown column"},
		"a column that no answer shows": {"columns", "ALTER TABLE " + readapi.TeamTable + " ADD COLUMN national_rank INT", "", Go, "national_rank"},
		"no calculation":                {"changes", "DELETE FROM " + readapi.MetadataTable, "", Warning, "no calculation"},
		"calculations":                  {"changes", "", "", Go, "calculations, the newest of"},
		"a poll":                        {"poll", "", "", Go, "a poll takes"},
		"two connections":               {"connections", "", "SELECT ON %.* /*limit*/ WITH MAX_USER_CONNECTIONS 2", Warning, "reads wait"},
		"one connection":                {"connections", "", "SELECT ON %.* /*limit*/ WITH MAX_USER_CONNECTIONS 1", NoGo, "no room for two connections"},
		"a limit in each hour":          {"connections", "", "SELECT ON %.* /*limit*/ WITH MAX_QUERIES_PER_HOUR 9000", Warning, "MAX_QUERIES_PER_HOUR 9000"},
		"connections without a limit":   {"connections", "", "", Go, "the account has no limit"},
		"a warm-up without the tables":  {"warm-up", "DROP TABLE " + readapi.TeamTable, "", NoGo, ""},
	} {
		t.Run(name, func(t *testing.T) {
			database, db := mariadb.Database, scratch.Root(t, "")
			if tt.statement != "" {
				database, db = scratch.Sample(t)
				scratch.Execute(t, db, tt.statement)
			}
			settings := host(t, database)
			if tt.grant != "" {
				user := fmt.Sprintf("preflight%d", scratch.Number())
				right, limit, _ := strings.Cut(strings.ReplaceAll(tt.grant, "%", database), "/*limit*/")
				scratch.Execute(t, db, "CREATE USER "+user+"@'%' IDENTIFIED BY 'secret'"+limit)
				t.Cleanup(func() { scratch.Execute(t, db, "DROP USER "+user+"@'%'") })
				scratch.Execute(t, db, "GRANT "+right+" TO "+user+"@'%'")
				settings["DATABASE_USER"], settings["DATABASE_PASSWORD"] = user, "secret"
			}
			i := inspect(t, settings)
			if tt.check != "database" && tt.verdict == Go { // as in a run
				i.run(t, "database").wants(t, Go, "")
			}
			f := i.run(t, tt.check)
			f.wants(t, tt.verdict, tt.reason)
			if strings.Contains(f.Reason, "secret") {
				t.Errorf("%s shows the password", f.Reason)
			}
		})
	}
}

// TestRehearsalRows holds that the rehearsal loads the warm set, and that a limit that
// no answer meets, and an old API with other answers, are no-go.
func TestRehearsalRows(t *testing.T) {
	name, _ := scratch.Sample(t)
	other, db := scratch.Sample(t)
	scratch.Execute(t, db, "UPDATE "+readapi.AthleteTable+" SET athlete_name_last = 'Changed'")
	settings := host(t, name)
	settings["LEGACY_URL"] = oldAPI(t, other)
	i := inspect(t, settings)
	i.flags.Verify = 1000
	i.run(t, "connections").wants(t, Go, "")
	i.run(t, "warm-up").wants(t, Go, "answers loaded in")
	i.run(t, "verify").wants(t, NoGo, "answers are different, such as /")
	i.run(t, "latency").wants(t, Go, "p95 ")
	i.flags.MaxP95 = time.Nanosecond
	i.run(t, "latency").wants(t, NoGo, "the limit is 1ns")
	i.flags.Quick = true
	i.run(t, "warm-up").wants(t, Skipped, "--quick")
}

// TestRehearsalSharesNothing holds that the rehearsal has none of the files and
// addresses of the settings, so that it leaves a proxy that serves alone.
func TestRehearsalSharesNothing(t *testing.T) {
	settings, inputs := map[string]string{"ADMIN_ADDR": "127.0.0.1:8001"}, []string{"ENV_FILE", "DATABASE_TLS_CA", "DATABASE_TLS_CERT", "DATABASE_TLS_KEY"}
	files := 0
	for _, k := range config.Keys() {
		if (strings.HasSuffix(k.Name, "_FILE") || strings.HasSuffix(k.Name, "_LOG")) && !slices.Contains(inputs, k.Name) {
			settings[k.Name] = "/var/lib/" + k.Name
			files++
		}
	}
	if files < 4 {
		t.Errorf("%d settings of files", files)
	}
	settings["CACHE_TAGS"], settings["PURGE_URLS"] = "xkey", "http://cdn.example/var/lib/"
	cfg := forRehearsal(configOf(t, settings), 8)
	for line := range strings.Lines(cfg.String()) {
		if strings.Contains(line, "/var/lib/") || strings.Contains(line, ":8000") || strings.HasPrefix(line, "ADMIN_ADDR=1") {
			t.Errorf("the rehearsal has %s: forRehearsal must clear it", strings.TrimSpace(line))
		}
	}
}

// TestOwnAddress holds that the address of a proxy that serves is no obstacle.
func TestOwnAddress(t *testing.T) {
	settings := host(t, mariadb.Database)
	a, err := app.New(configOf(t, settings), app.Program{Version: "test"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() { stop(); <-done }()
	i := inspect(t, settings)
	for deadline := time.Now().Add(time.Minute); i.run(t, "listen address").Verdict != Go; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", i.run(t, "listen address"))
		}
	}
	i.run(t, "listen address").wants(t, Go, "a proxy serves at "+settings["LISTEN_ADDR"])
}

// TestFindings holds the verdicts that depend on figures.
func TestFindings(t *testing.T) {
	memory := func(meminfo, group string) fstest.MapFS {
		return fstest.MapFS{
			"proc/meminfo": {Data: []byte(meminfo)}, "proc/self/cgroup": {Data: []byte("0::/x\n")}, "sys/fs/cgroup/x/memory.max": {Data: []byte(group + "\n")},
		}
	}
	const machine = "MemTotal:  1000000 kB\nMemFree:  1 kB\nMemAvailable:  500000 kB\n"
	for name, tt := range map[string]struct {
		got     finding
		verdict Verdict
		reason  string
	}{
		"memory":                {memoryFinding(100<<20, memory(machine, "max")), Go, "488.3 MiB of 976.6 MiB are available"},
		"more than is free":     {memoryFinding(600<<20, memory(machine, "max")), Warning, "are available now"},
		"more than there is":    {memoryFinding(1<<30, memory(machine, "max")), NoGo, "the machine has 976.6 MiB"},
		"more than the group":   {memoryFinding(100<<20, memory(machine, "104857600")), Warning, "the control group allows 100.0 MiB"},
		"no figures":            {memoryFinding(100<<20, fstest.MapFS{}), Warning, "not known"},
		"a busy server":         {connectionsFinding(store.Capacity{Wanted: 8, Server: 100, Used: 97}, 97), Warning, "room for 3 connections"},
		"a peak":                {connectionsFinding(store.Capacity{Wanted: 8, Server: 100, Used: 10}, 95), Warning, "95 connections, there was no room"},
		"a full server":         {connectionsFinding(store.Capacity{Wanted: 8, Server: 100, Used: 99}, 10), NoGo, "no room for two"},
		"enough for a restart":  {connectionsFinding(store.Capacity{Wanted: 8, Server: 100, Used: 10, Account: 10, AccountUsed: 1}, 10), Go, "needs 16 for a moment"},
		"a quick poll":          {pollFinding(time.Millisecond, time.Second, 250*time.Millisecond), Go, "a poll takes 1ms, at most 1s"},
		"a slow poll":           {pollFinding(60*time.Millisecond, time.Second, 250*time.Millisecond), Warning, "a poll takes"},
		"polls without a pause": {pollFinding(300*time.Millisecond, time.Second, 250*time.Millisecond), NoGo, "a poll takes"},
		"MariaDB":               {versionFinding(store.Survey{Version: "5.5.5-10.11.14-MariaDB-0+deb12u2"}), Go, "10.11.14"},
		"an old MariaDB":        {versionFinding(store.Survey{Version: "10.3.39-MariaDB"}), NoGo, "too old"},
		"an untested MariaDB":   {versionFinding(store.Survey{Version: "10.6.22-MariaDB"}), Warning, "older than any that was tested"},
		"MySQL":                 {versionFinding(store.Survey{Version: "9.7.4"}), Go, "9.7.4"},
		"an untested MySQL":     {versionFinding(store.Survey{Version: "8.0.44"}), Warning, "older than any that was tested"},
		"an old MySQL":          {versionFinding(store.Survey{Version: "5.7.44-log"}), NoGo, "MySQL 5.7.44 is too old"},
		"another server":        {versionFinding(store.Survey{Version: "Dolt"}), Warning, "Dolt"},
	} {
		t.Run(name, func(t *testing.T) { tt.got.wants(t, tt.verdict, tt.reason) })
	}
}

// TestFlags holds the limits of the flags.
func TestFlags(t *testing.T) {
	well := Options{MaxP95: time.Second, Timeout: time.Minute}
	if err := well.Check(); err != nil {
		t.Error(err)
	}
	for flag, change := range map[string]func(*Options){
		"--max-p95": func(f *Options) { f.MaxP95 = 0 }, "--requests": func(f *Options) { f.Requests = -1 }, "--verify": func(f *Options) { f.Verify = -1 },
		"--timeout": func(f *Options) { f.Timeout = 0 }, "--json": func(f *Options) { f.JSON, f.Quiet = true, true },
	} {
		f := well
		change(&f)
		if err := f.Check(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
