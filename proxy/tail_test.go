package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/trace"
)

// listening opens /cache/tail, and returns its answer and its requests.
func listening(t *testing.T, base, query string) (answer *http.Response, next func() api.Request, leave func() error) {
	t.Helper()
	conn := request(t, base, "/cache/tail?"+query)
	var err error
	if answer, err = http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(answer.Body)
	return answer, func() (r api.Request) {
		t.Helper()
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				t.Fatal(err)
			}
			if len(line) == 1 {
				continue // nothing has come for a while
			}
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			return r
		}
	}, conn.Close
}

// TestTail: while an operator listens, each request of a visitor is a line with its
// status and outcome, hits too; answers do not change. Afterwards the fast path answers.
func TestTail(t *testing.T) {
	p, base := start(t, Options{Origin: &fakeOrigin{}, TrustedProxies: thisMachine})
	came := counting(p)
	get(t, base, "/teams/?gender=M")
	quiet := get(t, base, "/teams/?gender=M")
	began := time.Now()
	answer, next, leave := listening(t, base, "")
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	seen := func(want api.Request) {
		t.Helper()
		got := next()
		for got.At.Before(began) { // its line was due after its answer
			got = next()
		}
		if got.Target != want.Target || got.Route != want.Route || got.Key != want.Key || got.Status != want.Status || want.Bytes > 0 && got.Bytes != want.Bytes ||
			got.Outcome != want.Outcome || want.ID != "" && got.ID != want.ID || got.Client != want.Client || got.Method != "GET" || got.Proto != "HTTP/1.1" || got.TookMS <= 0 {
			t.Errorf("%+v\nwant %+v", got, want)
		}
	}
	watched := get(t, base, "/teams/?gender=M", "X-Forwarded-For", "203.0.113.7", "User-Agent", "a \"b\"")
	for name := range quiet.header {
		if a, b := quiet.header[name], watched.header[name]; name != "Date" && name != "Age" && !slices.Equal(a, b) {
			t.Errorf("%s is %q instead of %q while an operator listens", name, b, a)
		}
	}
	if len(watched.header) != len(quiet.header) || watched.body != quiet.body {
		t.Errorf("another answer while an operator listens: %v", watched.header)
	}
	body := int64(len(watched.body))
	seen(api.Request{
		Asked:  api.Asked{Target: "/teams/?gender=M", Route: "/teams/", Key: "/teams/?gender=M"},
		Status: 200, Bytes: body, Outcome: "hit", Sender: api.Sender{Client: "203.0.113.7"},
	})
	get(t, base, "/livez") // a supervisor's
	get(t, base, "/teams/?gender=F", trace.Header, "id-1")
	seen(api.Request{
		Asked:  api.Asked{Target: "/teams/?gender=F", Route: "/teams/", Key: "/teams/?gender=F"},
		Status: 200, Bytes: body, Outcome: "miss", ID: "id-1", Sender: api.Sender{Client: "127.0.0.1"},
	})
	get(t, base, "/teams/x")
	seen(api.Request{Asked: api.Asked{Target: "/teams/x"}, Status: 422, Sender: api.Sender{Client: "127.0.0.1"}})
	if err := leave(); err != nil {
		t.Fatal(err)
	}
	await(t, "the listener has left", func() bool { // the proxy notices at its next line
		get(t, base, "/teams/?gender=M")
		return !p.traces.Watched()
	})
	before := came.Load()
	if exchange(t, base, lines("GET /teams/?gender=M HTTP/1.1", "Host: a")); came.Load() != before {
		t.Error("the handler answers hits although no operator listens")
	}
}

// TestTailFilter: the proxy sends the requests that the filter selects, and refuses a filter
// that it does not know.
func TestTailFilter(t *testing.T) {
	_, base := start(t, Options{Origin: &fakeOrigin{}})
	_, next, _ := listening(t, base, "outcome=miss&route=/teams/&client=127.0.0.0/8")
	get(t, base, "/athletes/")
	for _, want := range []string{"/teams/?limit=1", "/teams/?limit=2"} {
		get(t, base, want)
		if got := next(); got.Target != want {
			t.Errorf("%s, want %s", got.Target, want)
		}
		get(t, base, want) // a hit
	}
	for query, detail := range map[string]string{"slow=x": "slow", "outcome=x": "outcome", "route=/x": "route", "client=x": "client"} {
		if a := get(t, base, "/cache/tail?"+query); a.status != 422 || !strings.Contains(a.body, detail) {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

// TestTailIsBounded: a ninth listener is refused, and a stop ends the others.
func TestTailIsBounded(t *testing.T) {
	p, base := start(t, Options{Origin: &fakeOrigin{}})
	var answers []*http.Response
	for range 8 {
		answer, _, _ := listening(t, base, "")
		answers = append(answers, answer)
	}
	if a := get(t, base, "/cache/tail"); a.status != 429 {
		t.Errorf("%d %s", a.status, a.body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p.Drain(ctx, 0)
	if ctx.Err() != nil {
		t.Error("the listeners keep the proxy from stopping")
	}
	for i, answer := range answers {
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != 200 {
			t.Errorf("listener %d: %s, %v", i, answer.Status, err)
		}
	}
}
