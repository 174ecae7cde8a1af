package legacy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
	"github.com/lewistv/xcri-proxy/store/storetest"
)

// newClient returns a client of a running server, with a timeout for tests.
func newClient(t testing.TB, url string, opts Options) *Client {
	t.Helper()
	opts.URL = url
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second
	}
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// await polls until the condition holds.
func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time: " + what)
		}
	}
}

func TestURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"http://127.0.0.1:8001": true, "https://api.example.org": true, "http://[::1]:80/old/": true,
		"": false, "localhost:8001": false, "ftp://x": false, "http://": false, "/old": false, "http://:80": false,
		"http://user:word@x": false, "http://user:word@": false, "http://user:word@x:y": false, "http://x/?a=b": false, "http://x/#a": false, "http://x y": false,
	} {
		c, err := New(Options{URL: url})
		if (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
		if err == nil && (c.opts.Timeout != 15*time.Second || cap(c.pool.slots) != 4 || cap(c.fetching) != 3) {
			t.Errorf("defaults: %+v", c.opts)
		}
		if err != nil && strings.Contains(err.Error(), "word") {
			t.Errorf("a secret is revealed: %v", err)
		}
	}
}

// TestFetchRecorded holds that Fetch returns each recorded answer byte for byte, over
// one connection.
func TestFetchRecorded(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{})
	recorded, err := storetest.Answers()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range recorded {
		a, err := c.Fetch(t.Context(), want.Request)
		if err != nil || a.Status != want.Status || string(a.Body) != want.Body {
			t.Errorf("%s: %d, %d bytes, %v", want.Request, a.Status, len(a.Body), err)
		}
	}
	if opened, _ := old.Conns(); opened != 1 {
		t.Errorf("%d connections for requests that came one by one", opened)
	}
}

// TestFetchFaults holds that for each fault Fetch returns the correct answer or the
// matching error.
func TestFetchFaults(t *testing.T) {
	for f := range oldapi.Faults {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			old := oldapi.Start(t, oldapi.Options{})
			timeout := time.Minute
			if f == oldapi.Hang || f == oldapi.HangInBody {
				timeout = 2 * time.Second
			}
			c := newClient(t, old.URL(), Options{Timeout: timeout})
			const target = "/metadata/29"
			right, err := c.Fetch(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			old.Next(1, f)
			a, err := c.Fetch(t.Context(), target)
			want, fine := fetchFaults[f]
			switch {
			case !fine && (err != nil || !bytes.Equal(a.Body, right.Body)):
				t.Errorf("%d %q %v", a.Status, a.Body, err)
			case fine && (!errors.Is(err, want) || a.Body != nil || len(err.Error()) > 300):
				t.Errorf("%d %q %v", a.Status, a.Body, err)
			}
			// Only a request that was closed unread may be sent again, and only once.
			most := 2
			if f == oldapi.CloseUnread || f == oldapi.ResetUnread {
				most = 3
			}
			if n := old.Count("", ""); n > most {
				t.Errorf("%d requests", n)
			}
			old.Behave()
			if a, err = c.Fetch(t.Context(), target); err != nil || !bytes.Equal(a.Body, right.Body) {
				t.Errorf("after it: %d %q %v", a.Status, a.Body, err)
			}
		})
	}
}

// fetchFaults are the errors of the faults without an answer. CloseUnread is not an
// error here, because the connection was a kept connection.
var fetchFaults = map[oldapi.Fault]error{
	oldapi.Hang: ErrTimeout, oldapi.HangInBody: ErrTimeout,
	oldapi.ResetInHead: ErrUnavailable, oldapi.ResetInBody: ErrUnavailable, oldapi.DieInLength: ErrUnavailable,
	oldapi.DieInChunks: ErrUnavailable, oldapi.LengthTooLong: ErrUnavailable,
	oldapi.DieWithoutMark: ErrAnswer, oldapi.LengthTooShort: ErrAnswer, oldapi.TwoLengths: ErrAnswer,
	oldapi.HugeLength: ErrAnswer, oldapi.HugeChunks: ErrAnswer, oldapi.BadStatusLine: ErrAnswer, oldapi.BadStatus: ErrAnswer,
	oldapi.BadHeader: ErrAnswer, oldapi.HugeHead: ErrAnswer, oldapi.BadChunk: ErrAnswer, oldapi.BrokenGzip: ErrAnswer,
	oldapi.ErrorJSON: ErrAnswer,
}

// TestFetchAnswers holds which answers may be stored.
func TestFetchAnswers(t *testing.T) {
	const json = "application/json"
	for _, tt := range []struct {
		status      int
		contentType string
		body        string
		ok          bool
	}{
		{200, json, `{"a":1}`, true},
		{200, "Application/JSON; charset=utf-8", ` [] `, true},
		{404, json, `{"detail":"Not Found"}`, true},
		{422, json, `{"detail":[]}`, true},
		{501, json, `{"detail":"not yet"}`, true},
		{200, json, ``, false},
		{200, json, `{"a":1`, false},
		{200, json, `{"a":1}x`, false},
		{200, "text/html", `{}`, false},
		{200, "application/jsonp", `{}`, false},
		{404, "text/plain", `no`, false},
		{204, json, ``, false},
		{302, json, `{}`, false},
		{429, json, `{}`, false},
		{500, json, `{}`, false},
		{503, json, `{}`, false},
	} {
		t.Run(fmt.Sprint(tt.status, tt.contentType, tt.body), func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				w.WriteHeader(tt.status)
				w.Write([]byte(tt.body))
			}))
			defer server.Close()
			a, err := newClient(t, server.URL, Options{}).Fetch(t.Context(), "/x")
			if tt.ok && (err != nil || a.Status != tt.status || string(a.Body) != tt.body) {
				t.Errorf("%+v %v", a, err)
			}
			if !tt.ok && (!errors.Is(err, ErrAnswer) || !strings.Contains(err.Error(), fmt.Sprint(tt.status))) {
				t.Errorf("%+v %v", a, err)
			}
		})
	}
}

func TestFetchTargets(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{})
	for _, target := range []string{"", "x", "//x/", "/../x", "/a b", "/a\r\nb: c", "/a?b c", "/%2e%2E/x", "http://x/"} {
		if _, err := c.Fetch(t.Context(), target); !errors.Is(err, ErrTarget) {
			t.Errorf("%q: %v", target, err)
		}
	}
	if n := old.Count("", ""); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestFetchDeadline holds that the earlier of the two deadlines applies, and that
// cancellation by the caller is not a failure.
func TestFetchDeadline(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{Workers: 4})
	c := newClient(t, old.URL(), Options{Timeout: time.Minute})
	old.Next(2, oldapi.Hang)
	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := c.Fetch(short, "/metadata/29"); !errors.Is(err, ErrTimeout) {
		t.Errorf("its deadline: %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	go func() {
		await(t, "the second request", func() bool { return old.Count("", "") == 2 })
		stop()
	}()
	if _, err := c.Fetch(stopped, "/metadata/29"); err != context.Canceled {
		t.Errorf("its end: %v", err)
	}
	if s := c.Stats(); s.Requests != 2 || s.Failures != 1 || s.Timeouts != 1 || s.InUse != 0 {
		t.Errorf("%+v", s)
	}
}

// TestFetchLeavesOne holds that fetches that hang leave a connection for Forward.
func TestFetchLeavesOne(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{Workers: 10})
	c := newClient(t, old.URL(), Options{MaxConns: 3, Timeout: time.Minute})
	old.Next(2, oldapi.Hang)
	ctx, cancel := context.WithCancel(t.Context())
	var fetches sync.WaitGroup
	for range 6 {
		fetches.Go(func() { c.Fetch(ctx, "/metadata/29") })
	}
	await(t, "two hang", func() bool { return old.Count("", "") == 2 })
	if ctx := visit("GET", "/feedback/status"); c.Forward(ctx, at("/feedback/status")) != nil || ctx.Response.StatusCode() != 200 {
		t.Errorf("the visitor: %d", ctx.Response.StatusCode())
	}
	cancel()
	fetches.Wait()
	if n := old.Count("GET", "/metadata/29"); n != 2 {
		t.Errorf("%d concurrent fetches", n)
	}
}

// TestOutageLog holds that an outage logs one line for each kind of failure, for any
// number of requests, and one line at its end.
func TestOutageLog(t *testing.T) {
	var log bytes.Buffer
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 3 {
		old.Next(5, oldapi.DieInLength)
		old.Next(5, oldapi.BadStatus)
		for range 10 {
			if _, err := c.Fetch(t.Context(), "/metadata/29"); err == nil {
				t.Fatal("no error")
			}
		}
		for range 3 {
			if _, err := c.Fetch(t.Context(), "/metadata/29"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if lines := log.String(); strings.Count(lines, "no answer from the old API") != 2 || strings.Count(lines, "answers again") != 1 {
		t.Error(lines)
	}
}

// TestOutageThatLasts holds that an outage does not repeat its line, and that a new
// outage logs a line unless it follows too soon.
func TestOutageThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := outage{log: slog.New(slog.NewTextHandler(&log, nil))}
		lines := func(what string) int { return strings.Count(log.String(), what) }
		for range 100 {
			o.report(ErrUnreached)
			time.Sleep(quietFor)
		}
		if n := lines("no answer"); n != 1 {
			t.Errorf("%d lines for one outage", n)
		}
		o.over()
		o.report(ErrUnreached)
		o.over()
		o.report(ErrUnreached)
		o.over()
		if n, ends := lines("no answer"), lines("answers again"); n != 2 || ends != 2 {
			t.Errorf("%d outages, %d ends", n, ends)
		}
	})
}
