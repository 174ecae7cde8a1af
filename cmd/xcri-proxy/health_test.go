package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

func TestHealth(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || strings.TrimPrefix(r.URL.Path, "/iz/xcri") != "/health" {
				http.NotFound(w, r)
				return
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    string // after the URL on stderr; empty means healthy
	}{
		{"healthy", answer(200, `{"status":"healthy","database_connected":true}`), ""},
		{"degraded", answer(200, `{"status":"degraded"}`), `got HTTP 200 with status "degraded"`},
		{"unavailable", answer(503, `{"status":"unhealthy"}`), `got HTTP 503 with status "unhealthy"`},
		{"unavailable but healthy", answer(503, `{"status":"healthy"}`), `got HTTP 503 with status "healthy"`},
		{"no status", answer(200, `{}`), `got HTTP 200 with status ""`},
		{"not JSON", answer(502, "<h1>Bad Gateway</h1>"), "got HTTP 502 with an answer that is not JSON"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
			"got HTTP 302 with an answer that is not JSON"},
		{"hanging", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer within 100ms"},
		{"hanging in the body", func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "no answer within 100ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			args := []string{"health", "--listen-addr", server.Listener.Addr().String()}
			if strings.HasPrefix(tt.name, "hanging") {
				args = append(args, "--timeout", "100ms")
			}
			checkHealthCommand(t, args, server.URL+"/health", tt.want)
			args[1], args[2] = "--url", server.URL+"/iz/xcri"
			checkHealthCommand(t, args, server.URL+"/iz/xcri/health", tt.want)
		})
	}
}

// --ready checks whether the proxy serves, not whether the database is available.
func TestHealthReady(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"ready":     {200, `{"status":"ready"}`, ""},
		"not ready": {503, `{"status":"not ready"}`, `/readyz: got HTTP 503 with status "not ready"`},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/readyz" {
					http.NotFound(w, r)
					return
				}
				w.WriteHeader(tt.status)
				w.Write([]byte(tt.body))
			}))
			defer server.Close()
			status, stdout, stderr := command(nil, "health", "--ready", "--listen-addr", server.Listener.Addr().String())
			if tt.want == "" && (status != 0 || stdout != "ready\n") || tt.want != "" && (status != 1 || !strings.Contains(stderr, tt.want)) {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
		})
	}
}

// The container's health check reports a proxy as healthy that serves during an outage
// of the database: an orchestrator would otherwise replace it and lose the cache.
func TestContainerHealthCheck(t *testing.T) {
	file, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	check := regexp.MustCompile(`(?m)^HEALTHCHECK .* CMD (\[.*\])$`).FindSubmatch(file)
	if check == nil {
		t.Fatal("no HEALTHCHECK")
	}
	var args []string
	if err := json.Unmarshal(check[1], &args); err != nil || args[0] != "/xcri-proxy" {
		t.Fatal(args, err)
	}
	var ready atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/readyz" && ready.Load():
			w.Write([]byte(`{"status":"ready"}`))
		case r.URL.Path == "/health":
			w.Write([]byte(`{"status":"unhealthy","database_connected":false}`))
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write([]byte(`{"status":"not ready"}`))
		}
	}))
	defer server.Close()
	for want, serves := range []bool{true, false} {
		ready.Store(serves)
		if status, _, stderr := command([]string{"LISTEN_ADDR=" + server.Listener.Addr().String()}, args[1:]...); status != want {
			t.Errorf("serves %t: status %d, %s", serves, status, stderr)
		}
	}
}

func TestHealthRefused(t *testing.T) {
	addr := port.Address(t)
	checkHealthCommand(t, []string{"health", "--listen-addr", addr}, "http://"+addr+"/health",
		"dial tcp "+addr+": connect: connection refused\nis the proxy running there? xcri-proxy serve starts it; --url or --listen-addr names another address")
}

// checkHealthCommand runs args unchanged and with --quiet.
func checkHealthCommand(t *testing.T, args []string, url, want string) {
	t.Helper()
	wantStatus, wantOut, wantErr := 0, "healthy\n", ""
	if want != "" {
		wantStatus, wantOut, wantErr = 1, "", "xcri-proxy: "+url+": "+want+"\n"
	}
	// The command must ignore an HTTP proxy in the environment.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	status, stdout, stderr := command(nil, args...)
	if status != wantStatus || stdout != wantOut || stderr != wantErr {
		t.Errorf("status %d, stdout %q\ngot  %q\nwant %q", status, stdout, stderr, wantErr)
	}
	status, stdout, stderr = command(nil, append(args, "--quiet")...)
	if status != wantStatus || stdout != "" || stderr != "" {
		t.Errorf("--quiet: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}
