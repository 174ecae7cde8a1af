package trace

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/visitor"
)

// request is a GET by peer; headers are name, value, name, value.
func request(peer net.Addr, headers ...string) *fasthttp.RequestCtx {
	var req fasthttp.Request
	req.SetRequestURI("/teams/?gender=M")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, peer, nil)
	return ctx
}

var (
	local    = visitor.Trust{netip.MustParsePrefix("127.0.0.0/8")}
	apache   = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	stranger = &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7)}
)

// TestID: an ID is accepted from a trusted proxy only, and only if it can't break a header
// or a log line; every other request gets a new ID.
func TestID(t *testing.T) {
	const sent, unique = "aB3-_.@:/+=", "Z0fV@n8AAAEAAGkE-9UAAAAA"
	long := strings.Repeat("x", 128)
	for name, tt := range map[string]struct {
		peer    net.Addr
		headers []string
		want    string // empty for a new ID
	}{
		"none":             {apache, nil, ""},
		"of a proxy":       {apache, []string{"X-Request-Id", sent}, sent},
		"of a Unix socket": {&net.UnixAddr{Net: "unix"}, []string{"X-Request-Id", sent}, sent},
		"of mod_unique_id": {apache, []string{"X-Unique-Id", unique}, unique},
		"both":             {apache, []string{"X-Unique-Id", unique, "X-Request-Id", sent}, sent},
		"a bad and a good": {apache, []string{"X-Request-Id", "a b", "X-Unique-Id", unique}, unique},
		"of a stranger":    {stranger, []string{"X-Request-Id", sent, "X-Unique-Id", unique}, ""},
		"as long as can":   {apache, []string{"X-Request-Id", long}, long},
		"too long":         {apache, []string{"X-Request-Id", long + "x"}, ""},
		"empty":            {apache, []string{"X-Request-Id", ""}, ""},
		"two":              {apache, []string{"X-Request-Id", "a", "X-Request-Id", "b"}, ""},
		"a quote":          {apache, []string{"X-Request-Id", `a"b`}, ""},
		"a control":        {apache, []string{"X-Request-Id", "a\x1b[2Jb"}, ""},
		"no ASCII":         {apache, []string{"X-Request-Id", "é"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ts := New(Options{Trust: local})
			ctx := request(tt.peer, tt.headers...)
			first := ts.Begin(ctx)
			if tt.want != "" && first.ID != tt.want || tt.want == "" && (!isSafe([]byte(first.ID)) || len(first.ID) < 20 || first.ID == sent || first.ID == unique) {
				t.Errorf("%q, want %q", first.ID, tt.want)
			}
			if ts.Begin(ctx) != first {
				t.Error("a request has two traces")
			}
			if again := ts.Begin(request(tt.peer, tt.headers...)).ID; (again == first.ID) != (tt.want != "") {
				t.Errorf("a second request: %q after %q", again, first.ID)
			}
		})
	}
}

// TestEnd: an answer that was traced, or is a failure of ours, has its ID. A request that
// was slow leaves a line with the ID, and others leave none.
func TestEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		begin  bool
		status int
		took   time.Duration
		id     bool
		line   string
	}{
		"a hit":             {false, 200, time.Minute, false, ""},
		"an untraced 404":   {false, 404, time.Minute, false, ""},
		"a fast miss":       {true, 200, 499 * time.Millisecond, true, ""},
		"a slow miss":       {true, 200, 5300 * time.Millisecond, true, `msg="slow request" method=GET target="/teams/?gender=M" status=200 took=5.3s request_id=id-1 outcome=miss client=203.0.113.7`},
		"a fast failure":    {false, 503, 0, true, ""},
		"an untraced panic": {false, 500, 500 * time.Millisecond, true, `msg="slow request" method=GET target="/teams/?gender=M" status=500 took=500ms request_id=id-1 client=203.0.113.7`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				ts := New(Options{Trust: local, Slow: 500 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
				ctx := request(apache, Header, "id-1", "X-Forwarded-For", "203.0.113.7")
				if tt.begin {
					ts.Begin(ctx).Outcome = "miss"
				}
				time.Sleep(tt.took)
				ctx.Response.SetStatusCode(tt.status)
				ts.End(ctx)
				ts.Sent(ctx)
				if got := string(ctx.Response.Header.Peek(Header)); (got == "id-1") != tt.id || !tt.id && got != "" {
					t.Errorf("the answer's ID is %q", got)
				}
				if (log.Len() > 0) != (tt.line != "") || !strings.Contains(log.String(), tt.line) {
					t.Errorf("%swant %s", log.String(), tt.line)
				}
			})
		})
	}
}
