package proxy

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
	"github.com/lewistv/xcri-proxy/proxy/trace"
	"github.com/lewistv/xcri-proxy/proxy/visitor"
	"github.com/lewistv/xcri-proxy/store"
)

var thisMachine = visitor.Trust{netip.MustParsePrefix("127.0.0.0/8")}

// TestRequestIDs: misses, refusals and failures have the request's ID, hits have none, and
// the line of a failure has the ID that its client got.
func TestRequestIDs(t *testing.T) {
	var log proxytest.Log
	_, base := start(t, Options{
		TrustedProxies: thisMachine, Logger: log.Logger(),
		Origin: &fakeOrigin{run: func(_ context.Context, q store.Query) (store.Answer, error) {
			if strings.HasPrefix(q.Path, "/athletes") {
				return store.Answer{}, errors.New("no such column")
			}
			if q.Path == "/snapshots/" {
				return store.Answer{}, store.ErrTimeout
			}
			return store.Answer{Status: 200, Body: []byte(`{}`)}, nil
		}},
	})
	for _, tt := range []struct {
		target string
		status int
		want   string
	}{
		{"/teams/", 200, "id-1"},
		{"/teams/", 200, ""}, // a hit
		{"/teams/", 200, ""}, // a hit of a known target
		{"/teams/x", 422, "id-1"},
		{"/nowhere", 404, "id-1"},
		{"/athletes/", 500, "id-1"},
	} {
		a := get(t, base, tt.target, trace.Header, "id-1")
		if got := a.header.Get(trace.Header); a.status != tt.status || got != tt.want {
			t.Errorf("%s: status %d, ID %q, want %d, %q", tt.target, a.status, got, tt.status, tt.want)
		}
		if strings.Contains(a.body, "id-1") {
			t.Errorf("%s: the body differs from the old API's: %s", tt.target, a.body)
		}
	}
	if a := get(t, base, "/snapshots/", trace.Header, "id-1"); a.status != 504 || !strings.HasSuffix(a.body, `.","request_id":"id-1"}`) {
		t.Errorf("an error that the old API does not have: %d %s", a.status, a.body)
	}
	a := get(t, base, "/athletes/")
	id := a.header.Get(trace.Header)
	for _, id := range []string{"id-1", id} {
		if id == "" || !strings.Contains(log.String(), "request_id="+id+" ") {
			t.Errorf("no line has the ID %q:\n%s", id, log.String())
		}
	}
}

// TestPassedRequestID: the old API and the client get the same ID, and the old API never
// gets an ID of a stranger.
func TestPassedRequestID(t *testing.T) {
	for name, tt := range map[string]struct {
		trust visitor.Trust
		taken bool
	}{"a trusted proxy": {thisMachine, true}, "a stranger": {nil, false}} {
		t.Run(name, func(t *testing.T) {
			old := oldapi.Start(t, oldapi.Options{})
			client, err := legacy.New(legacy.Options{URL: old.URL(), TrustedProxies: tt.trust})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			_, base := start(t, Options{Origin: &fakeOrigin{}, Legacy: client, TrustedProxies: tt.trust})
			a := get(t, base, "/openapi.json", trace.Header, "id-1")
			back, passed := a.header[trace.Header], old.Requests()[0].Header[trace.Header]
			if len(back) != 1 || len(passed) != 1 || back[0] != passed[0] || (back[0] == "id-1") != tt.taken {
				t.Errorf("the client got %q, the old API %q", back, passed)
			}
		})
	}
}

// TestSlowRequest: a slow miss leaves a line for the request and a line for its fill, with
// one ID, and a hit leaves none. Under the limits there are no lines.
func TestSlowRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		limit time.Duration
		lines int
	}{"each is slow": {1, 1}, "none is slow": {time.Hour, 0}, "switched off": {0, 0}} {
		t.Run(name, func(t *testing.T) {
			var log proxytest.Log
			_, base := start(t, Options{
				TrustedProxies: thisMachine, Origin: &fakeOrigin{}, Logger: log.Logger(),
				Trace: trace.Options{Slow: tt.limit}, Cache: cache.Options{SlowFill: tt.limit},
			})
			for _, outcome := range []string{"miss", "hit", "hit"} {
				if a := get(t, base, "/teams/?gender=M", trace.Header, "id-"+outcome, "X-Forwarded-For", "203.0.113.7"); a.outcome() != outcome {
					t.Fatalf("%s, want %s", a.outcome(), outcome)
				}
			}
			await(t, "the line of the request, after its answer", func() bool { return log.Count("msg=\"slow request") >= tt.lines })
			request := regexp.MustCompile(`msg="slow request" method=GET target="/teams/\?gender=M" status=200 took=\S+ request_id=id-miss outcome=miss client=203.0.113.7( \w+=\S+)* compress=\S+ write=\S+\n`)
			fill := regexp.MustCompile(`msg="slow fill" key="?/teams/\S+ lane=heavy took=\S+ waited=\S+ loaded=\S+ group=\S+ client=203.0.113.7/32 request_id=id-miss( \w+=\S+)*\n`)
			for _, line := range []*regexp.Regexp{request, fill} {
				if n := len(line.FindAllString(log.String(), -1)); n != tt.lines {
					t.Errorf("%d lines as %s, want %d:\n%s", n, line, tt.lines, log.String())
				}
			}
			if n := log.Count("msg=\"slow "); n != 2*tt.lines {
				t.Errorf("%d lines about slow work:\n%s", n, log.String())
			}
		})
	}
}
