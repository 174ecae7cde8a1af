package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store"
)

// counting counts the requests that reach a proxy's handler; requests that the fast
// path answers do not. It must be called before the proxy serves.
func counting(p *Proxy) *atomic.Int64 {
	var came atomic.Int64
	handle := p.handler
	p.handler = func(ctx *fasthttp.RequestCtx) {
		came.Add(1)
		handle(ctx)
	}
	return &came
}

// exchange sends text, closes its side of the connection, and returns the bytes that
// the server sent.
func exchange(t testing.TB, base, text string) string {
	t.Helper()
	conn := dial(t, base)
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// slowServer returns a server of p without the fast path. Requests to it are not
// counted.
func slowServer(p *Proxy) *wire.Server {
	o := p.wireOptions()
	o.Handler, o.Answer = p.handle, nil
	return wire.New(o)
}

// listenSlow serves p without the fast path, until the test ends.
func listenSlow(t testing.TB, p *Proxy) (base string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := slowServer(p)
	go s.Serve(ln)
	t.Cleanup(func() { s.Shutdown(context.Background()) })
	return "http://" + ln.Addr().String()
}

var (
	theDate, theAge = regexp.MustCompile(`\r\nDate: [^\r]+`), regexp.MustCompile(`\r\nAge: [^\r]+`)
	theTiming       = regexp.MustCompile(`\r\nServer-Timing: [^\r]+`)
	theID           = regexp.MustCompile(`\r\nX-Request-Id: [^\r]+`) // which no two requests share
)

// still replaces the values of the fields that change with time.
func still(answers string) string {
	answers = theTiming.ReplaceAllString(answers, "\r\nServer-Timing: n")
	answers = theID.ReplaceAllString(answers, "\r\nX-Request-Id: id")
	return theAge.ReplaceAllString(theDate.ReplaceAllString(answers, "\r\nDate: now"), "\r\nAge: n")
}

// TestFastPathAnswersAlike: the fast path's answers are identical to the handler's,
// byte for byte, for every kind of request.
func TestFastPathAnswersAlike(t *testing.T) {
	requests := map[string]string{}
	for name, text := range otherRequests {
		requests["other: "+name] = text
	}
	for name, text := range oddRequests {
		requests["odd: "+name] = text
	}
	for name, tt := range plainRequests {
		requests["plain: "+name] = tt.request
	}
	for _, hit := range hits {
		requests["hit: "+hit.name] = string(requestText("/teams/?limit=5", hit.headers))
	}
	for _, size := range []int{900, 40 << 10, 3500 << 10} {
		p := benchProxy(t, size)
		came := counting(p)
		fastBase, slowBase := listen(t, p), listenSlow(t, p)
		for _, target := range []string{"/teams/", "/teams/?limit=5"} {
			exchange(t, slowBase, lines("GET "+target+" HTTP/1.1", "Host: a"))
		}
		await(t, "a large body is recoded", func() bool {
			got := exchange(t, slowBase, lines(plainGet, "Host: a", "Accept-Encoding: br"))
			return size <= content.CompressAbove || strings.Contains(got, "Content-Encoding: br\r\n")
		})
		for name, text := range requests {
			if size > content.LargeBody && !strings.HasPrefix(name, "hit: ") {
				continue // the answer does not depend on it
			}
			t.Run(fmt.Sprintf("%d bytes, %s", size, name), func(t *testing.T) {
				for range 3 { // the target is memoized by the third request
					came.Store(0)
					got, want := still(exchange(t, fastBase, text)), still(exchange(t, slowBase, text))
					if got != want {
						t.Fatalf("%.700q\nwant %.700q", got, want)
					}
				}
				inflated := size > content.CompressAbove && !strings.Contains(strings.ToLower(text), "accept-encoding") && !strings.Contains(text, "*\r\n")
				if plain := strings.HasPrefix(name, "plain: ") || strings.HasPrefix(name, "hit: "); plain && !inflated && came.Load() != 0 {
					t.Error("it was left to the server")
				}
			})
		}
	}
}

// TestFastPathLeaves: a request that is not a plain hit is left to the handler.
func TestFastPathLeaves(t *testing.T) {
	var status atomic.Int64
	status.Store(200)
	p, err := New(Options{Generations: generation.Options{Pages: []string{}}, Origin: &fakeOrigin{run: func(context.Context, store.Query) (store.Answer, error) {
		return store.Answer{Status: int(status.Load()), Body: []byte(`{}`)}, nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	hit := func() bool {
		known, e := newFastPath(p).find([]byte("/teams/"))
		return known != nil && e != nil
	}
	ask := func() {
		ctx := requestCtx("GET", "/teams/")
		p.handle(ctx)
	}
	if hit() {
		t.Error("found before it was asked for")
	}
	p.generations.Once(context.Background())
	for range 3 {
		ask()
	}
	if !hit() {
		t.Fatal("a hit is not found")
	}
	for name, change := range map[string]struct{ to, back func() }{
		"maintenance": {func() { p.maintenance.Set(&maintenance.Period{}) }, func() { p.maintenance.Set(nil) }},
		"stopping":    {func() { p.stopping.Store(true) }, func() { p.stopping.Store(false) }},
		"down":        {func() { p.outage.Down(errors.New("down")) }, p.outage.Up},
	} {
		if change.to(); hit() {
			t.Errorf("%s: it is found", name)
		}
		if change.back(); !hit() {
			t.Errorf("after %s it is not found", name)
		}
	}
	p.cache.Purge(func(*cache.Entry) bool { return true }, false)
	if hit() {
		t.Error("a stale one is found")
	}
	p.cache.Purge(func(*cache.Entry) bool { return true }, true)
	status.Store(404)
	for range 3 {
		ask()
	}
	if hit() {
		t.Error("a 404 is found")
	}
}

// TestFastPathInPieces: a request is answered exactly once, however it is split into
// packets.
func TestFastPathInPieces(t *testing.T) {
	p := benchProxy(t, 900)
	base := listen(t, p)
	request := lines(plainGet, "Host: a", "Accept-Encoding: gzip")
	var whole string
	for range 3 {
		whole = still(exchange(t, base, request))
	}
	conn := dial(t, base)
	defer conn.Close()
	from := bufio.NewReader(conn)
	for at := 0; at <= len(request); at += 7 {
		io.WriteString(conn, request[:at])
		time.Sleep(2 * time.Millisecond)
		io.WriteString(conn, request[at:])
		if a := read(t, from, "GET"); a.status != 200 || !strings.HasSuffix(whole, a.body) {
			t.Fatalf("in two at %d: %d %s", at, a.status, a.body)
		}
	}
	t.Run("many in one packet", func(t *testing.T) {
		if got := still(exchange(t, base, strings.Repeat(request, 20))); got != strings.Repeat(whole, 20) {
			t.Errorf("%q\nwant 20 times %q", got, whole)
		}
	})
	// Bytes after a partial request, or in a body, are never parsed as a request.
	for name, tt := range map[string]struct {
		first, second string
		statuses      []int
	}{
		"the rest of a header": {request + "GET /nowhere HTTP/1.1\r\nX: ", request, []int{200, 404}},
		"a body":               {request + fmt.Sprintf("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(request)), request, []int{200, 404}},
		"a body by itself":     {fmt.Sprintf("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", len(request)), request, []int{404}},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, base)
			defer conn.Close()
			io.WriteString(conn, tt.first)
			time.Sleep(50 * time.Millisecond)
			io.WriteString(conn, tt.second)
			conn.(*net.TCPConn).CloseWrite()
			from := bufio.NewReader(conn)
			for _, want := range tt.statuses {
				if a := read(t, from, "GET"); a.status != want {
					t.Fatalf("%d, want %d: %s", a.status, want, a.body)
				}
			}
			if more, err := io.ReadAll(from); err != nil || len(more) > 0 {
				t.Errorf("answered too: %q, %v", more, err)
			}
		})
	}
}

// TestFastPathPanic: a panic closes only its own connection.
func TestFastPathPanic(t *testing.T) {
	p := benchProxy(t, 900)
	base := listen(t, p)
	key, err := keyOf(p, "/teams/")
	if err != nil {
		t.Fatal(err)
	}
	broken := &target{ref: cache.Ref{Key: key}} // without a route
	for range 2 {
		p.cache.Get(&broken.ref)
	}
	p.targets.Put([]byte("/teams/?broken"), broken)
	if got := exchange(t, base, lines("GET /teams/?broken HTTP/1.1", "Host: a")); got != "" {
		t.Errorf("answered %q", got)
	}
	if got := exchange(t, base, lines("GET /teams/ HTTP/1.1", "Host: a")); !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") {
		t.Errorf("afterwards: %.100q", got)
	}
	if n := p.Stats().Requests.Panics; n != 1 {
		t.Errorf("%d panics", n)
	}
}

// TestFastPathCounts: the metrics include the fast path's answers.
func TestFastPathCounts(t *testing.T) {
	p := benchProxy(t, 900)
	came := counting(p)
	base := listen(t, p)
	exchange(t, base, lines(plainGet, "Host: a"))
	exchange(t, base, lines(plainGet, "Host: a"))
	before := p.Stats()
	came.Store(0)
	exchange(t, base, strings.Repeat(lines(plainGet, "Host: a"), 1))
	exchange(t, base, lines(plainGet, "Host: a", "If-None-Match: *"))
	after := p.Stats()
	if came.Load() > 0 {
		t.Fatal("the server answered")
	}
	hits := after.Requests.Outcomes["hit"] - before.Requests.Outcomes["hit"]
	latencies := after.Routes["/teams/"].Latency.Count - before.Routes["/teams/"].Latency.Count
	unmodified := after.Requests.NotModified - before.Requests.NotModified
	if hits != 2 || latencies != 2 || unmodified != 1 {
		t.Errorf("%d hits, %d latencies, %d not modified", hits, latencies, unmodified)
	}
}

// TestFastPathAsks: the fast path's answers count as requests for their keys.
func TestFastPathAsks(t *testing.T) {
	p := streamProxy(t, 900)
	known := p.targets.Get([]byte("/teams/"))
	before := p.cache.Peek(&known.ref).Asked
	came := counting(p)
	inBubble(t, func(t *testing.T) { converse(p, true, strings.Repeat(inner, 5)) })
	if asked := p.cache.Peek(&known.ref).Asked - before; asked != 5 || came.Load() != 0 {
		t.Errorf("asked for %d times, %d by the handler", asked, came.Load())
	}
}

// TestPreconditions: preconditions are evaluated for the variant that the client would
// get, by the fast path and by the handler alike.
func TestPreconditions(t *testing.T) {
	for _, size := range []int{900, 40 << 10} {
		p := benchProxy(t, size)
		bases := map[string]string{"fast": listen(t, p), "slow": listenSlow(t, p)}
		const target = "/teams/?limit=5"
		for range 3 {
			get(t, bases["slow"], target)
		}
		tags := map[string]string{}
		for _, coding := range []string{"identity", "gzip", "br"} {
			tags[coding] = get(t, bases["slow"], target, "Accept-Encoding", coding).header.Get("Etag")
		}
		small := size <= content.CompressAbove
		for _, tt := range []struct {
			headers []string
			status  int
			tag     string // of the answer
		}{
			{[]string{"If-None-Match", tags["identity"]}, 304, tags["identity"]},
			{[]string{"Accept-Encoding", "gzip", "If-None-Match", tags["gzip"]}, 304, tags["gzip"]},
			{[]string{"Accept-Encoding", "gzip", "If-None-Match", "W/" + tags["gzip"]}, 304, tags["gzip"]},
			{[]string{"Accept-Encoding", "gzip", "If-None-Match", "*"}, 304, tags["gzip"]},
			{[]string{"Accept-Encoding", "br, gzip", "If-None-Match", tags["gzip"]}, 304, tags["gzip"]},
			{[]string{"If-None-Match", `"x"`, "If-None-Match", tags["identity"]}, 304, tags["identity"]},
			{[]string{"If-None-Match", `"x"`}, 200, tags["identity"]},
			{[]string{"Accept-Encoding", "gzip", "If-None-Match", `"x"`}, 200, tags["gzip"]},
			{[]string{"Accept-Encoding", "gzip;q=0", "Accept-Encoding", "br"}, 200, tags["br"]},
			{[]string{"Accept-Encoding", "gzip;q = 0"}, 200, tags["identity"]},
			{[]string{"If-Match", tags["identity"]}, 200, tags["identity"]},
			{[]string{"If-Match", "*"}, 200, tags["identity"]},
			{[]string{"If-Match", `"x"`, "If-Match", tags["identity"]}, 200, tags["identity"]},
			{[]string{"If-Match", tags["identity"], "If-None-Match", tags["identity"]}, 304, tags["identity"]},
			{[]string{"If-Match", `"x"`}, 412, ""},
			{[]string{"If-Match", "W/" + tags["identity"]}, 412, ""},
			{[]string{"If-Match", `"x"`, "If-None-Match", "*"}, 412, ""},
			{[]string{"If-Match", ""}, 412, ""},
		} {
			for name, base := range bases {
				for _, method := range []string{"GET", "HEAD"} {
					a := ask(t, base, method, target, tt.headers...)
					if a.status != tt.status || a.header.Get("Etag") != tt.tag || tt.tag == "" && a.header["Etag"] != nil {
						t.Errorf("%s, %d bytes, %s %v: %d %s, want %d %s", name, size, method, tt.headers, a.status, a.header.Get("Etag"), tt.status, tt.tag)
					}
					if a.header.Get("Vary") == "" || a.header.Get("Cache-Control") == "" || (a.header.Get("Content-Type") == "") != (tt.status == 304) {
						t.Errorf("%s, %s %v: %d %v", name, method, tt.headers, a.status, a.header)
					}
				}
			}
		}
		if small {
			continue // it has a single variant
		}
		for name, base := range bases { // the tag of a coding that the client does not accept
			a := get(t, base, target, "Accept-Encoding", "br", "If-None-Match", tags["gzip"])
			if a.status != 200 || a.header.Get("Etag") != tags["br"] {
				t.Errorf("%s: %d %s", name, a.status, a.header.Get("Etag"))
			}
		}
	}
}
