package measure

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/load/client"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/visitors"
)

const good = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nCache-Status: xcri-proxy; hit; detail=hit\r\nContent-Length: 2\r\n\r\n{}"

// piped returns options for a server that is connected through pipes. answer receives
// the number of the request, from 1, and its header lines. It returns the bytes to
// write, and true to close the connection after them.
func piped(requests []visitors.Request, answer func(n int64, lines string) (string, bool)) Options {
	var asked atomic.Int64
	serve := func(conn net.Conn) {
		defer conn.Close()
		from := bufio.NewReader(conn)
		for {
			var lines strings.Builder
			for {
				line, err := from.ReadString('\n')
				if err != nil {
					return
				}
				if lines.WriteString(line); line == "\r\n" {
					break
				}
			}
			text, end := answer(asked.Add(1), lines.String())
			if _, err := io.WriteString(conn, text); err != nil || end {
				return
			}
		}
	}
	return Options{
		URL: &url.URL{Scheme: "http", Host: "api.example", Path: "/iz/xcri/api"}, Source: visitors.NewReplay(requests), Connections: 1,
		dial: func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go serve(theirs)
			return ours, nil
		},
	}
}

// times returns n copies of a request.
func times(n int, r visitors.Request) (all []visitors.Request) {
	for range n {
		all = append(all, r)
	}
	return all
}

func mustRun(t *testing.T, o Options) *Report {
	t.Helper()
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestStallShowsWithARate(t *testing.T) {
	for _, tt := range []struct {
		rate     float64
		from, to time.Duration // of the p90
	}{
		// Requests are due every 10 ms and take 1 ms. The backlog of the stopped second
		// is cleared after 111 requests.
		{rate: 100, from: 700 * time.Millisecond, to: 760 * time.Millisecond},
		{rate: 0, from: 0, to: 10 * time.Millisecond},
	} {
		t.Run(fmt.Sprint(tt.rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := piped(times(300, visitors.Request{Target: "/teams/"}), func(n int64, _ string) (string, bool) {
					time.Sleep(time.Millisecond)
					if n == 100 {
						time.Sleep(time.Second)
					}
					return good, false
				})
				o.Rate = tt.rate
				report := mustRun(t, o)
				p90 := time.Duration(report.Latency.P90 * float64(time.Second))
				if report.Requests != 300 || report.Errors != 0 || p90 < tt.from || p90 > tt.to {
					t.Errorf("%d requests, %d errors, p90 %v, want it from %v to %v", report.Requests, report.Errors, p90, tt.from, tt.to)
				}
				if seconds := 3.0; tt.rate > 0 && (report.Seconds < seconds-.1 || report.Seconds > seconds+.1) {
					t.Errorf("300 requests at %v a second took %v s", tt.rate, report.Seconds)
				}
			})
		})
	}
}

// catalogue has few things of each kind.
var catalogue = &visitors.Catalogue{Season: 2025, Scopes: []visitors.Scope{{Division: 2030, Gender: "M", Athletes: []int{1, 2}, Teams: []int{3, 4}}}}

func TestDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := piped(nil, func(int64, string) (string, bool) { time.Sleep(10 * time.Millisecond); return good, false })
		o.Source, o.WarmUp, o.Duration = visitors.NewMix(catalogue, 1, 0), 100, 2*time.Second
		var last Progress
		o.Progress = func(p Progress) { last = p }
		report := mustRun(t, o)
		// The server answers targets that are expected to be absent. This test ignores the errors.
		if report.WarmUp != 100 || report.Requests < 199 || report.Requests > 201 || report.Seconds < 2 || report.Seconds > 2.02 || last.Done < 250 || last.Left > time.Second || last.P99 < 9*time.Millisecond {
			t.Errorf("%d requests after %d, progress %+v", report.Requests, report.WarmUp, last)
		}
	})
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := piped(times(100, visitors.Request{Target: "/"}), func(int64, string) (string, bool) { time.Sleep(time.Second); return good, false })
		ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer cancel()
		report, err := Run(ctx, o)
		if err != nil || report.Requests != 5 || report.Errors != 0 {
			t.Errorf("%v, %+v", err, report)
		}
	})
}

func TestFailures(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: "
	tests := []struct {
		name, answer string
		end          bool
		expect       visitors.Expect
		kind         string
	}{
		{"status", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", false, visitors.Found, "status 503"},
		{"nothing changed though nothing was known", "HTTP/1.1 304 Not Modified\r\n\r\n", false, visitors.Found, "status 304"},
		{"there though it should not be", good, false, visitors.Absent, "status 200"},
		{"not there though it should be", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false, visitors.Found, "status 404"},
		{"busy", "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", false, visitors.Anything, "status 429"},
		{"truncated", head + "9\r\n\r\n{}", true, visitors.Found, "truncated"},
		{"closed", "", true, visitors.Found, "closed"},
		{"malformed", "hello\r\n", true, visitors.Found, "malformed"},
		{"not JSON", head + "2\r\n\r\n<>", false, visitors.Found, "body"},
		{"not compressed", head + "2\r\nContent-Encoding: gzip\r\n\r\n{}", false, visitors.Found, "body"},
		{"unknown coding", head + "2\r\nContent-Encoding: rot13\r\n\r\n{}", false, visitors.Found, "body"},
		{"never", "", false, visitors.Found, "timeout"},
		{"too slow", head + "9\r\n\r\n{}", false, visitors.Found, "timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := piped([]visitors.Request{{Target: "/bad", Expect: tt.expect}, {Target: "/good"}}, func(n int64, _ string) (string, bool) {
					if n == 1 {
						return tt.answer, tt.end
					}
					return good, false
				})
				report := mustRun(t, o)
				if report.Requests != 2 || report.Errors != 1 || len(report.Failures) != 1 {
					t.Fatalf("%d requests, %d errors %v", report.Requests, report.Errors, report.Failures)
				}
				if f := report.Failures[0]; f.Kind != tt.kind || f.Count != 1 || !strings.HasPrefix(f.Example, "/bad: ") {
					t.Errorf("got %+v, want %s", f, tt.kind)
				}
				if strings.HasPrefix(tt.kind, "timeout") && report.Latency.Max != 10 {
					t.Errorf("it waited %v s", report.Latency.Max)
				}
			})
		})
	}
}

// TestFailuresLowerTheHitRatio holds that a failed request, with or without an answer,
// is not a hit.
func TestFailuresLowerTheHitRatio(t *testing.T) {
	const busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
	for name, wrong := range map[string]string{
		"with a Cache-Status": busy + "Cache-Status: xcri-proxy; detail=error\r\n\r\n", "of a server in front": busy + "\r\n", "truncated": "HTTP/1.1 200 OK\r\nCache-Status: xcri-proxy; hit; detail=hit\r\nContent-Length: 9\r\n\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				report := mustRun(t, piped(times(5, visitors.Request{Target: "/"}), func(n int64, _ string) (string, bool) {
					if n == 3 {
						return wrong, true
					}
					return good, false
				}))
				if report.Errors != 1 || report.Outcomes["hit"] != 4 || report.Outcomes["error"] != 1 || report.HitRatio != 0.8 || report.Kinds[0].HitRatio != 0.8 {
					t.Errorf("%d errors, outcomes %v, hit ratio %v, %+v", report.Errors, report.Outcomes, report.HitRatio, report.Kinds)
				}
			})
		})
	}
}

func TestNoConnection(t *testing.T) {
	o := piped(times(3, visitors.Request{Target: "/"}), nil)
	o.dial = func(context.Context) (net.Conn, error) { return nil, errors.New("refused") }
	report := mustRun(t, o)
	if report.Errors != 3 || report.Failures[0].Kind != client.NoConnection || report.Failures[0].Count != 3 || len(report.Statuses) != 0 {
		t.Errorf("%+v", report)
	}
}

func TestKeptConnectionMayHaveBeenClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := piped(times(9, visitors.Request{Target: "/"}), func(n int64, _ string) (string, bool) { return good, n%3 == 0 })
		report := mustRun(t, o)
		if report.Requests != 9 || report.Errors != 0 || report.Reconnects != 2 {
			t.Errorf("%d requests, %d errors %v, %d reconnects", report.Requests, report.Errors, report.Failures, report.Reconnects)
		}
	})
}

func TestRevalidates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var asked []string
		requests := []visitors.Request{
			{Target: "/a", Revalidate: true, Accept: "gzip"}, {Target: "/a", Revalidate: true}, {Target: "/b", Revalidate: true}, {Target: "/a"}, {Target: "/b", Head: true},
		}
		o := piped(requests, func(_ int64, lines string) (string, bool) {
			mu.Lock()
			asked = append(asked, lines)
			mu.Unlock()
			switch {
			case strings.Contains(lines, "If-None-Match: \"1\"\r\n"):
				return "HTTP/1.1 304 Not Modified\r\n\r\n", false
			case strings.HasPrefix(lines, "HEAD "):
				return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", false
			}
			return good, false
		})
		report := mustRun(t, o)
		if report.Errors != 0 || report.Statuses["304"] != 1 || report.Statuses["200"] != 4 || report.Outcomes["hit"] != 3 || report.Outcomes["none"] != 2 || report.HitRatio != 1 {
			t.Errorf("%+v", report)
		}
		if want := "GET /iz/xcri/api/a HTTP/1.1\r\nHost: api.example\r\n"; !strings.HasPrefix(asked[0], want) || !strings.Contains(asked[0], "\r\nAccept-Encoding: gzip\r\n") || strings.Contains(asked[1], "Accept-Encoding") {
			t.Errorf("asked %q", asked)
		}
	})
}

func TestWrongOptions(t *testing.T) {
	u := &url.URL{Scheme: "http", Host: "localhost"}
	for _, o := range []Options{{}, {URL: u}, {URL: u, Source: visitors.NewReplay(nil), Rate: -1}, {URL: u, Source: visitors.NewReplay(nil), WarmUp: -1}} {
		if report, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v: %+v", o, report)
		}
	}
}

// TestSockets sends requests over TCP and over TLS.
func TestSockets(t *testing.T) {
	var asked atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("ETag", `"x"`)
		if r.Header.Get("If-None-Match") == `"x"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, "["+strings.Repeat("0,", 10_000))
		w.(http.Flusher).Flush() // in chunks
		fmt.Fprint(w, "0]")
	})
	for name, start := range map[string]func(http.Handler) *httptest.Server{"tcp": httptest.NewServer, "tls": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			asked.Store(0)
			server := start(handler)
			defer server.Close()
			u, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			o := Options{URL: u, Source: visitors.NewReplay(times(500, visitors.Request{Target: "/teams/", Revalidate: true})), Connections: 8}
			if name == "tls" {
				o.dial = trusting(server)
			}
			report := mustRun(t, o)
			if report.Errors != 0 || report.Requests != 500 || asked.Load() != 500 || report.Statuses["304"] < 400 || report.Bytes < 20_000 {
				t.Errorf("%d asked: %+v", asked.Load(), report)
			}
		})
	}
	t.Run("tls of a stranger", func(t *testing.T) {
		server := httptest.NewUnstartedServer(handler)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		defer server.Close()
		u, _ := url.Parse(server.URL)
		report := mustRun(t, Options{URL: u, Source: visitors.NewReplay(times(1, visitors.Request{Target: "/"})), Connections: 1})
		if len(report.Failures) != 1 || report.Failures[0].Kind != client.NoConnection || !strings.Contains(report.Failures[0].Example, "certificate") {
			t.Errorf("%+v", report)
		}
	})
}

// trusting dials a test server and trusts its certificate.
func trusting(server *httptest.Server) func(context.Context) (net.Conn, error) {
	known := server.Client().Transport.(*http.Transport).TLSClientConfig
	return func(ctx context.Context) (net.Conn, error) {
		return (&tls.Dialer{Config: known}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
}
