package trace

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/visitor"
)

// watching returns Traces that keep the requests that they report.
func watching(t *testing.T, o Options) (ts *Traces, traced, all *[]*api.Request) {
	t.Helper()
	traced, all = &[]*api.Request{}, &[]*api.Request{}
	o.OnTraced = func(r *api.Request) { *traced = append(*traced, r) }
	o.OnRequest = func(r *api.Request) { *all = append(*all, r) }
	o.Logger = slog.New(slog.DiscardHandler)
	return New(o), traced, all
}

// TestRecord: a report has the request as it came, its client as trusted proxies report
// it, and the phases of the fill that it waited for beside the sending.
func TestRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts, traced, all := watching(t, Options{Trust: visitor.Trust{netip.MustParsePrefix("127.0.0.1/32")}})
		began := time.Now()
		ctx := request(apache, Header, "id-1", "X-Forwarded-For", "198.51.100.1, 203.0.113.7", "Referer", "https://a/", "User-Agent", "b")
		trace := ts.Begin(ctx)
		trace.Outcome, trace.Route, trace.Key, trace.Fill = "miss", "/teams/", "/teams/?gender=M", phase.Start(phase.Queue)
		for p := range phase.Phases {
			trace.Fill.Begin(p)
			time.Sleep(time.Duration(p+1) * time.Millisecond)
		}
		trace.Fill.End()
		ctx.Response.SetStatusCode(404)
		ctx.Response.Header.SetContentLength(17)
		ts.End(ctx)
		timing := string(ctx.Response.Header.Peek("Server-Timing"))
		if want := "queue;dur=1.000, shared;dur=2.000, load;dur=3.000, connection;dur=4.000, query;dur=5.000, rows;dur=6.000, encode;dur=7.000, legacy;dur=8.000, compress;dur=9.000, total;dur=45.000"; timing != want {
			t.Errorf("Server-Timing: %s", timing)
		}
		time.Sleep(9 * time.Millisecond)
		ts.Sent(ctx)
		want := &api.Request{
			At: began, Status: 404, Bytes: 17, Outcome: "miss", TookMS: 45, ID: "id-1",
			Asked:  api.Asked{Method: "GET", Target: "/teams/?gender=M", Proto: "HTTP/1.1", Route: "/teams/", Key: "/teams/?gender=M"},
			Sender: api.Sender{Client: "203.0.113.7", Referer: "https://a/", Agent: "b"},
			Phases: &api.Phases{Queue: 1, Shared: 2, Load: 3, Connection: 4, Query: 5, Rows: 6, Encode: 7, Legacy: 8, Compress: 9, Write: 9},
		}
		if len(*traced) != 1 || len(*all) != 0 {
			t.Fatalf("%d traced, %d watched", len(*traced), len(*all))
		}
		if got := (*traced)[0]; !got.At.Equal(began) || !reflect.DeepEqual(got, want) && !equalJSON(got, want) {
			t.Errorf("%+v\nwant %+v", got, want)
		}
		names := ""
		for _, p := range want.Phases.All() {
			names += p.Name + " "
		}
		if names != "queue shared load connection query rows encode legacy compress write " {
			t.Error(names)
		}
	})
}

func equalJSON(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// TestServerTiming: only an answer that was filled for this request has the phases.
func TestServerTiming(t *testing.T) {
	for outcome, want := range map[string]bool{"miss": true, "coalesced": false, "error": false, "pass": false, "": false} {
		ts, _, _ := watching(t, Options{})
		ctx := request(apache)
		trace := ts.Begin(ctx)
		trace.Outcome, trace.Fill = outcome, phase.Start(phase.Queue)
		ts.End(ctx)
		if got := len(ctx.Response.Header.Peek("Server-Timing")) > 0; got != want {
			t.Errorf("%q: %v", outcome, got)
		}
	}
}

// TestWatch: requests that are answered from the cache are reported only while the Traces
// are watched, and get no ID for that.
func TestWatch(t *testing.T) {
	ts, traced, all := watching(t, Options{})
	hit := func() {
		ctx := request(apache)
		if ts.Watched() {
			ts.Note(ctx).Outcome = "hit"
		}
		ts.End(ctx)
		ts.Sent(ctx)
		if id := ctx.Response.Header.Peek(Header); len(id) > 0 {
			t.Errorf("the hit has the ID %s", id)
		}
	}
	hit()
	first, second := ts.Watch(), ts.Watch()
	hit()
	first()
	hit()
	second()
	hit()
	if len(*all) != 2 || len(*traced) != 0 || ts.Watched() {
		t.Fatalf("%d watched, %d traced", len(*all), len(*traced))
	}
	if r := (*all)[0]; r.Outcome != "hit" || r.ID != "" || r.Phases != nil {
		t.Errorf("%+v", r)
	}
}

// TestBytesOfClients: a target of any bytes is one printable word, and other texts are
// bounded.
func TestBytesOfClients(t *testing.T) {
	ts, traced, _ := watching(t, Options{})
	ctx := request(apache, "User-Agent", strings.Repeat("u", 5000), "Referer", strings.Repeat("r", 5000))
	if got := printable([]byte("/a b\"c\\d\r\n\x7f\x00\xff\xe2\x82\xac%41")); got != "/a%20b%22c%5Cd%0D%0A%7F%00%FF%E2%82%AC%41" {
		t.Errorf("%s", got)
	}
	ts.Begin(ctx)
	ts.End(ctx)
	ts.Sent(ctx)
	r := (*traced)[0]
	if len(r.Agent) != maxText || len(r.Referer) != maxText {
		t.Errorf("%d and %d bytes", len(r.Agent), len(r.Referer))
	}
}

// TestBodySize: the size of the body as it was sent.
func TestBodySize(t *testing.T) {
	for name, tt := range map[string]struct {
		method string
		status int
		length int
		want   int64
	}{
		"a body": {"GET", 200, 12, 12}, "none": {"GET", 200, 0, 0}, "unknown": {"GET", 200, -1, -1},
		"HEAD": {"HEAD", 200, 12, 0}, "304": {"GET", 304, 12, 0}, "204": {"OPTIONS", 204, 0, 0},
	} {
		ctx := request(apache)
		ctx.Request.Header.SetMethod(tt.method)
		ctx.Response.SetStatusCode(tt.status)
		ctx.Response.Header.SetContentLength(tt.length)
		if got := bodySize(ctx); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

// kept is a Log in memory.
type kept struct{ requests []api.Request }

func (k *kept) Add(r *api.Request) { k.requests = append(k.requests, *r) }
func (k *kept) Dropped() int64     { return 0 }

// TestLog: an access log gets each request from the start, hits too, without their being
// traced.
func TestLog(t *testing.T) {
	var log kept
	ts := New(Options{Log: &log, Logger: slog.New(slog.DiscardHandler)})
	if !ts.Watched() {
		t.Fatal("hits are not reported")
	}
	hit, miss := request(stranger), request(stranger)
	ts.Note(hit).Outcome = "hit"
	ts.Begin(miss).Outcome = "miss"
	for _, ctx := range []*fasthttp.RequestCtx{hit, miss} {
		ts.End(ctx)
		ts.Sent(ctx)
	}
	if len(log.requests) != 2 || log.requests[0].Outcome != "hit" || log.requests[0].ID != "" || log.requests[1].Outcome != "miss" || log.requests[1].ID == "" {
		t.Errorf("%+v", log.requests)
	}
	if client := log.requests[0].Client; client != "203.0.113.7" {
		t.Errorf("client %s", client)
	}
}
