package adminclient

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestBaseURL(t *testing.T) {
	for addr, want := range map[string]string{
		":8000":             "http://127.0.0.1:8000",
		"0.0.0.0:8000":      "http://127.0.0.1:8000",
		"[::]:8000":         "http://[::1]:8000",
		"[::1]:8000":        "http://[::1]:8000",
		"192.0.2.7:80":      "http://192.0.2.7:80",
		"some.example:8000": "http://some.example:8000",
	} {
		if got, err := baseURL(addr); err != nil || got != want {
			t.Errorf("baseURL(%q) = %q, %v, want %q", addr, got, err, want)
		}
	}
}

// TestNew names the setting and the flag of an address without a port in use, and
// the socket instead of a URL that no operator knows.
func TestNew(t *testing.T) {
	for want, opts := range map[string]Options{
		`ADMIN_ADDR="127.0.0.1:0" leaves the port open; name the port in use with --admin-addr`: {Setting: "ADMIN_ADDR", Addr: "127.0.0.1:0"},
		`LISTEN_ADDR=":0" leaves the port open; name the port in use with --listen-addr`:        {Setting: "LISTEN_ADDR", Addr: ":0"},
		"--url: want http://host:port or https://host/path":                                     {URL: "unix:/run/x"},
	} {
		if _, err := New(opts); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	c, err := New(Options{Addr: "unix:/nowhere/x.sock"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Health(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "unix:/nowhere/x.sock/health: ") {
		t.Errorf("%v", err)
	}
}

// TestBusy holds that the reason of a proxy that is busy is reported, and that a gateway's
// answer counts as no proxy.
func TestBusy(t *testing.T) {
	for body, want := range map[string]string{
		`{"detail":"too many requests"}`: "is busy: too many requests", "<h1>Service Unavailable</h1>": "got HTTP 503",
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, body)
		}))
		defer srv.Close()
		c, err := New(Options{URL: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Stats(t.Context()); !IsUnreachable(err) || err.Error() != srv.URL+": "+want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
