package tail

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// TestText: a line has the request, and of a slow load the phases that took longest.
func TestText(t *testing.T) {
	r := &api.Request{
		At: time.Date(2026, 11, 25, 2, 13, 7, 123e6, time.Local), Status: 200, Outcome: "miss", TookMS: 5321.25, ID: "id-1",
		Asked: api.Asked{Method: "GET", Target: "/teams/?gender=M"}, Sender: api.Sender{Client: "203.0.113.7"},
		Phases: &api.Phases{Queue: 0.01, Connection: 600, Query: 4700, Rows: 20, Write: 0.2},
	}
	if got, want := Text(r), "02:13:07.123  miss         200    5.32 s  203.0.113.7      GET /teams/?gender=M  connection 600.0 ms  query 4.70 s  id-1"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	hit := &api.Request{At: r.At, Status: 304, Outcome: "hit", TookMS: 0.0123, Asked: r.Asked}
	if got, want := Text(hit), "02:13:07.123  hit          304     12 µs  -                GET /teams/?gender=M"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// serving returns a client of a proxy whose /cache/tail answers with a text, and the query
// that it got.
func serving(t *testing.T, status int, text string) (c *adminclient.Client, query *string) {
	t.Helper()
	query = new(string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*query = r.URL.Path + "?" + r.URL.RawQuery
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Close)
	c, err := adminclient.New(adminclient.Options{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	return c, query
}

const lines = `{"at":"2026-11-25T02:13:07Z","method":"GET","target":"/a","status":200,"outcome":"hit","took_ms":1}` + "\n\n" +
	`{"lost":12}` + "\n" + `{"at":"2026-11-25T02:13:08Z","method":"GET","target":"/b","status":200,"outcome":"hit","took_ms":1}` + "\n"

// TestRun: the lines are printed as text or as they came, up to a number of requests, and
// the proxy gets the filter.
func TestRun(t *testing.T) {
	for name, tt := range map[string]struct {
		options Options
		status  int
		answer  string
		want    []string // parts of the lines
		exit    int
	}{
		"text":           {Options{}, 200, lines, []string{"GET /a", "12 requests are not shown", "GET /b"}, 0},
		"JSON":           {Options{JSON: true}, 200, lines, []string{`"target":"/a"`, `{"lost":12}`, `"target":"/b"`}, 0},
		"one":            {Options{Count: 1}, 200, lines, []string{"GET /a"}, 0},
		"a bad filter":   {Options{}, 422, `{"detail":"outcome: there is no outcome \"x\""}`, nil, exit.Usage},
		"too many":       {Options{}, 429, `{"detail":"too many clients listen already"}`, nil, exit.Unreachable},
		"another server": {Options{}, 200, "hello\n", nil, exit.Runtime},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := serving(t, tt.status, tt.answer)
			var out, errs bytes.Buffer
			err := Run(t.Context(), c, tt.options, console.Streams{Out: &out, Err: &errs})
			if got := exit.Status(err); got != tt.exit {
				t.Errorf("exit status %d, want %d: %v", got, tt.exit, err)
			}
			got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if len(tt.want) == 0 {
				got = nil
			}
			if len(got) != len(tt.want) {
				t.Fatalf("%q", out.String())
			}
			for i, part := range tt.want {
				if !strings.Contains(got[i], part) {
					t.Errorf("line %d is %s, want %s", i, got[i], part)
				}
			}
		})
	}
	c, query := serving(t, 200, "")
	_ = Run(t.Context(), c, Options{Slow: 100 * time.Millisecond, Outcomes: []string{"miss", "error"}, Routes: []string{"/teams/"}, Clients: []string{"192.0.2.0/24"}}, console.Streams{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
	if want := "/cache/tail?client=192.0.2.0%2F24&outcome=miss%2Cerror&route=%2Fteams%2F&slow=100ms"; *query != want {
		t.Errorf("%s, want %s", *query, want)
	}
}

// TestInterrupt: the end of the context is a success.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	}))
	defer s.Close()
	c, err := adminclient.New(adminclient.Options{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(ctx, c, Options{}, console.Streams{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}); err != nil {
		t.Error(err)
	}
}
