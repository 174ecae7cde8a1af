package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// oldAPI returns an old API with the same answer to every request.
func oldAPI(t *testing.T) (url string) {
	t.Helper()
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"old":true}`))
	}))
	t.Cleanup(old.Close)
	return old.URL
}

func TestSource(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	settings := []string{"LEGACY_URL", oldAPI(t), "SOURCE_ROUTES", "/snapshots/=auto", "STATE_FILE", file}
	addr := startProxy(t, settings...)
	source := func(args ...string) []string { return append([]string{"source", "--listen-addr", addr}, args...) }
	const configured = "/snapshots/   auto\nother routes  store\n"
	if got := expect(t, 0, source()); got != configured {
		t.Errorf("configured: %s", got)
	}
	expect(t, 0, source("legacy", "--route", "/teams/", "--route", "/athletes/{athlete_hnd}"),
		"/athletes/{athlete_hnd}  legacy\n", "/snapshots/              auto\n", "/teams/                  legacy\n", "other routes             store\n",
		"set while running        --reset goes back to store,/snapshots/=auto\n", "being loaded anew        ")
	expect(t, 0, source("legacy"), "all routes         legacy\n")
	var s api.SourceState
	if err := json.Unmarshal([]byte(expect(t, 0, source("--json"))), &s); err != nil || s.Default != "legacy" || !s.Changed ||
		s.Configured.Routes["/snapshots/"] != "auto" || s.Breakers["store"].State != "closed" || s.Purged != nil || s.Warning != "" {
		t.Errorf("%+v, %v", s, err)
	}
	again := startProxy(t, settings...)
	expect(t, 0, []string{"source", "--listen-addr", again}, "all routes         legacy\n")
	if got := expect(t, 0, source("--reset")); !strings.HasPrefix(got, "/snapshots/        auto\nother routes       store\nbeing loaded anew  ") {
		t.Errorf("after a reset: %s", got)
	}
	expect(t, 2, source("legacy", "--route", "/team"), `xcri-proxy: --route "/team": there is none; want one of /athletes/ `, "see xcri-proxy source --help")
}

// TestSourceIsNotKept holds that without STATE_FILE a change applies and the operator
// gets a warning.
func TestSourceIsNotKept(t *testing.T) {
	addr := startProxy(t, "LEGACY_URL", oldAPI(t))
	out := expect(t, 0, []string{"source", "auto", "--listen-addr", addr}, "xcri-proxy: warning: it will not survive a restart: STATE_FILE is not set\n")
	if !strings.HasPrefix(out, "all routes         auto\n") || strings.Contains(out, "warning") {
		t.Error(out)
	}
	out = expect(t, 0, []string{"source", "legacy", "--listen-addr", addr, "--json"})
	var s api.SourceState
	if err := json.Unmarshal([]byte(out), &s); err != nil || s.Warning == "" || s.Purged == nil {
		t.Errorf("%s: %v", out, err)
	}
}

func TestSourceWithoutOldAPI(t *testing.T) {
	addr := startProxy(t, "LEGACY_URL", "")
	expect(t, 1, []string{"source", "legacy", "--listen-addr", addr}, "got HTTP 409: ", "LEGACY_URL is not set")
	expect(t, 0, []string{"source", "--listen-addr", addr}, "all routes  store\n")
	closed := port.Address(t)
	expect(t, 5, []string{"source", "--listen-addr", closed}, "xcri-proxy: http://"+closed+": dial tcp ")
}

func TestWrongSourceCommandLines(t *testing.T) {
	for text, args := range map[string][]string{
		`source "mysql": want store, legacy or auto`:                      {"mysql"},
		"source takes one source, but there are 2":                        {"store", "legacy"},
		"--reset goes back to the configuration for all routes":           {"--reset", "store"},
		"--reset goes back to the configuration for all routes, and":      {"--reset", "--route", "/teams/"},
		"--route wants a source: store, legacy or auto":                   {"--route", "/teams/"},
		"--url: want http://host:port or https://host/path":               {"--url", "here"},
		"unknown flag: --routes":                                          {"legacy", "--routes", "/teams/"},
		"the configuration is wrong:\n  ADMIN_TOKEN (flag --admin-token)": {"--admin-token", "short"},
	} {
		expect(t, 2, append([]string{"source"}, args...), "xcri-proxy: "+text)
	}
}
