package proxy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/fault"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// beforeOld serves a proxy in front of an old API.
func beforeOld(t testing.TB, url string, opts legacy.Options) (p *Proxy, base string) {
	t.Helper()
	opts.URL = url
	if opts.TrustedProxies == nil {
		opts.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	client, err := legacy.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return start(t, Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri", CORSOrigins: []string{"https://site.example"}, Legacy: client})
}

// TestPass: requests outside the read API and the admin pages are forwarded to the old
// API unchanged, and its answers are returned. Requests of the read API are not
// forwarded.
func TestPass(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	p, base := beforeOld(t, old.URL(), legacy.Options{})
	for _, tt := range []struct {
		method, target string
		status         int
		body           string // begins with it
		sent           string // the request that reached the old API; empty for none
	}{
		{"GET", "/feedback/status", 200, `{"enabled":true`, "/feedback/status"},
		{"GET", "/iz/xcri/api/feedback/status?a=%2F&&b", 200, `{"enabled":true`, "/feedback/status?a=%2F&&b"},
		{"GET", "/api/docs", 200, "<!DOCTYPE html><title>Docs", "/docs"},
		{"GET", "/redoc", 200, "<!DOCTYPE html><title>Redoc", "/redoc"},
		{"GET", "/openapi.json?", 200, `{"openapi":"3.1.0"`, "/openapi.json?"},
		{"GET", "/iz/xcri/api/openapi.json", 200, `{"servers":[{"url":"/iz/xcri/api"}],"openapi":"3.1.0"`, "/openapi.json"},
		{"GET", "/nowhere/%C3%A9//x", 404, `{"detail":"Not Found"}`, "/nowhere/%C3%A9//x"},
		{"HEAD", "/docs", 405, "", "/docs"},
		{"DELETE", "/feedback/", 405, `{"detail":"Method Not Allowed"}`, "/feedback/"},
		{"OPTIONS", "/feedback/", 405, `{"detail":"Method Not Allowed"}`, "/feedback/"},
		{"TRACE", "/feedback/", 405, `{"detail":"Method Not Allowed"}`, ""},
		{"GET", "//feedback/status", 404, `{"detail":"Not Found"}`, ""},
		{"GET", "/x/../../y", 404, `{"detail":"Not Found"}`, ""},
		{"GET", "/teams/", 200, `{"path":"/teams/"}`, ""},
		{"POST", "/teams/", 405, `{"detail":"Method Not Allowed"}`, ""},
		{"GET", "/iz/xcri/docs", 404, `{"detail":"Not Found"}`, ""},
	} {
		before := len(old.Requests())
		a := ask(t, base, tt.method, tt.target)
		if a.status != tt.status || !strings.HasPrefix(a.body, tt.body) {
			t.Errorf("%s %s: %d %.80s", tt.method, tt.target, a.status, a.body)
		}
		requests := old.Requests()[before:]
		if tt.sent == "" && len(requests) > 0 || tt.sent != "" && (len(requests) != 1 || requests[0].Target != tt.sent || requests[0].Method != tt.method) {
			t.Errorf("%s %s: the old API got %+v", tt.method, tt.target, requests)
		}
		if passed := a.header.Get("Cache-Status") == "xcri-proxy; fwd=bypass; detail=pass"; passed != (tt.sent != "") {
			t.Errorf("%s %s: %s", tt.method, tt.target, a.header.Get("Cache-Status"))
		}
	}
	s := p.Stats()
	if n := s.Requests.Outcomes["pass"]; n != 10 || s.Legacy == nil || s.Legacy.Answered != 10 || s.Legacy.Failures != 0 {
		t.Errorf("%d passed, %+v", n, s.Legacy)
	}
}

// TestPassHeaders: a forwarded answer keeps its own headers, and the proxy adds none
// that would duplicate or break them.
func TestPassHeaders(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	_, base := beforeOld(t, old.URL(), legacy.Options{})
	a := get(t, base, "/iz/xcri/api/docs", "Origin", "https://site.example", "Cookie", "a=1;b=2", "X-Forwarded-For", "6.6.6.6, 203.0.113.7",
		"X-Forwarded-Proto", "https", "X-Forwarded-Host", "site.example")
	for name, want := range map[string][]string{
		"Access-Control-Allow-Origin": {"https://site.example"}, "Access-Control-Allow-Credentials": {"true"}, "Vary": {"Origin"},
		"Content-Type": {"text/html; charset=utf-8"}, "Server": {"uvicorn"}, "Content-Security-Policy": nil, "X-Frame-Options": nil,
		"Cache-Control": nil,
	} {
		if !slices.Equal(a.header[name], want) {
			t.Errorf("%s: %q, want %q", name, a.header[name], want)
		}
	}
	if !strings.Contains(a.body, "url: '/iz/xcri/api/openapi.json'") {
		t.Error(a.body)
	}
	got := old.Requests()[0].Header
	for name, want := range map[string]string{
		"Cookie": "a=1;b=2", "X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "site.example",
	} {
		if got.Get(name) != want || len(got[name]) != 1 {
			t.Errorf("%s: %q, want %s", name, got[name], want)
		}
	}
	a = get(t, base, "/openapi.json", "Accept-Encoding", "gzip")
	if a.header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(a.plainBody(t), `{"openapi"`) {
		t.Errorf("compressed: %v", a.header)
	}
	if a = get(t, base, "/iz/xcri/api/feedback?x=1"); a.status != 307 || a.header.Get("Location") != "/iz/xcri/api/feedback/?x=1" {
		t.Errorf("redirect: %d %s", a.status, a.header.Get("Location"))
	}
}

// TestPassCompresses: the API's description below a prefix must arrive uncompressed to
// be rewritten. It is compressed for a client that accepts a coding, and HEAD has the
// headers of GET.
func TestPassCompresses(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	_, base := beforeOld(t, old.URL(), legacy.Options{})
	const target = "/iz/xcri/api/openapi.json"
	plain := get(t, base, target, "Accept-Encoding", "identity")
	if plain.header.Get("Content-Encoding") != "" || plain.header.Get("Vary") != "Accept-Encoding" || !strings.HasPrefix(plain.body, `{"servers":[{"url":"/iz/xcri/api"}]`) {
		t.Errorf("plain: %v %.100s", plain.header, plain.body)
	}
	for accept, want := range map[string]string{
		"gzip": "gzip", "br": "br", "gzip;q=0, *;q=0": "", "deflate": "", "gzip, deflate, br, zstd": "br", "gzip;q=0.5, identity;q=0.1": "gzip",
	} {
		a := get(t, base, target, "Accept-Encoding", accept)
		if a.header.Get("Content-Encoding") != want || a.plainBody(t) != plain.body || want != "" && len(a.body) > len(plain.body)/3 {
			t.Errorf("%s: %q, %d bytes: %v", accept, a.header.Get("Content-Encoding"), len(a.body), a.header)
		}
		if vary := a.header["Vary"]; !slices.Equal(vary, []string{"Accept-Encoding"}) {
			t.Errorf("%s: Vary %q", accept, vary)
		}
		head := ask(t, base, "HEAD", target, "Accept-Encoding", accept)
		if head.status != 200 || head.body != "" || head.header.Get("Content-Length") != strconv.Itoa(len(a.body)) ||
			head.header.Get("Content-Encoding") != want || head.header.Get("Content-Type") != a.header.Get("Content-Type") {
			t.Errorf("HEAD, %s: %d %v, want %d bytes", accept, head.status, head.header, len(a.body))
		}
	}
	// A small page stays plain, and its HEAD has a length, too.
	docs := get(t, base, "/iz/xcri/api/docs", "Accept-Encoding", "gzip")
	head := ask(t, base, "HEAD", "/iz/xcri/api/docs", "Accept-Encoding", "gzip")
	if docs.header.Get("Content-Encoding") != "" || head.status != 200 || head.header.Get("Content-Length") != strconv.Itoa(len(docs.body)) {
		t.Errorf("docs: %v, HEAD %d %v", docs.header, head.status, head.header)
	}
	if !strings.Contains(docs.body, "oauth2RedirectUrl: window.location.origin + '/iz/xcri/api/docs/oauth2-redirect'") {
		t.Errorf("docs: %s", docs.body)
	}
}

// TestPassKeepsTaggedAnswers: an answer with an ETag, which names one variant, is
// forwarded in that variant.
func TestPassKeepsTaggedAnswers(t *testing.T) {
	body := `{"text":"` + strings.Repeat("again ", 500) + `"}`
	for _, tt := range []struct{ header, value, contentType, coding string }{
		{"X-Other", "1", "application/json", "gzip"}, {"Etag", `"1"`, "application/json", ""}, {"X-Other", "1", "image/png", ""},
		{"X-Other", "1", "text/html; charset=utf-8", "gzip"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.contentType)
			w.Header().Set(tt.header, tt.value)
			w.Header().Set("Vary", "Origin, accept-encoding")
			io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		_, base := beforeOld(t, server.URL, legacy.Options{})
		a := get(t, base, "/elsewhere", "Accept-Encoding", "gzip")
		if a.header.Get("Content-Encoding") != tt.coding || a.plainBody(t) != body || !slices.Equal(a.header["Vary"], []string{"Origin, accept-encoding"}) {
			t.Errorf("%+v: %v", tt, a.header)
		}
	}
}

// TestPassBodies: a body is forwarded byte for byte, chunked or not, and a body over
// the limit is not forwarded.
func TestPassBodies(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	_, base := beforeOld(t, old.URL(), legacy.Options{})
	body := func() string { all := old.Requests(); return all[len(all)-1].Body }
	large := `{"text":"` + strings.Repeat("é", 30000) + `"}`
	if a := post(t, base, "/feedback/", large, "Content-Type", "application/json", "X-Forwarded-For", "203.0.113.1"); a.status != 200 || body() != large {
		t.Errorf("%d %s, %d bytes", a.status, a.body, len(body()))
	}
	const form = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b--\r\n"
	if a := post(t, base, "/feedback/", form, "Content-Type", "multipart/form-data; boundary=b"); a.status != 422 || body() != form {
		t.Errorf("%d %s, %q", a.status, a.body, body())
	}
	conn := dial(t, base)
	defer conn.Close()
	fmt.Fprint(conn, "POST /feedback/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nX-Forwarded-For: 203.0.113.2\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
	if a := read(t, bufio.NewReader(conn), "POST"); a.status != 200 || body() != "{}" {
		t.Errorf("%d %s, %q", a.status, a.body, body())
	}
	before := old.Count("", "")
	if a := post(t, base, "/feedback/", strings.Repeat("x", wire.MaxBody+1)); a.status != 413 || old.Count("", "") != before {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestPassCompressedBodies: a compressed body is forwarded as it was sent, with its
// Content-Encoding, and nothing inflates it on the way.
func TestPassCompressedBodies(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	_, base := beforeOld(t, old.URL(), legacy.Options{})
	for coding, body := range map[string][]byte{
		"gzip": fasthttp.AppendGzipBytes(nil, []byte(`{"text":"x"}`)), "br": fasthttp.AppendBrotliBytes(nil, []byte(`{"text":"x"}`)),
		"deflate, gzip": fasthttp.AppendGzipBytes(nil, bytes.Repeat([]byte(" "), 10<<20)), "unknown": {0, 1, 2, 0xff},
	} {
		a := post(t, base, "/feedback/", string(body), "Content-Type", "application/json", "Content-Encoding", coding)
		all := old.Requests()
		got := all[len(all)-1]
		if a.status != 422 || got.Body != string(body) || got.Header.Get("Content-Encoding") != coding { // the old API reads no coding
			t.Errorf("%s: status %d, %d bytes of %d with %q", coding, a.status, len(got.Body), len(body), got.Header.Get("Content-Encoding"))
		}
	}
}

// TestPassFaults: however the old API fails, the client gets its complete answer or a
// clear error, and a POST is sent once.
func TestPassFaults(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{Workers: 4})
	_, patient := beforeOld(t, old.URL(), legacy.Options{Timeout: time.Minute})
	p, hasty := beforeOld(t, old.URL(), legacy.Options{Timeout: time.Second})
	fine := map[oldapi.Fault]int{oldapi.None: 200, oldapi.Interim: 200, oldapi.Chunked: 200, oldapi.ErrorJSON: 500, oldapi.HangUp: 200}
	slow := map[oldapi.Fault]bool{oldapi.Hang: true, oldapi.HangInBody: true}
	for f := range oldapi.Faults {
		base := patient
		if slow[f] {
			base = hasty
		}
		for _, method := range []string{"GET", "POST"} {
			before := old.Count("", "")
			old.Next(1, f)
			var a answer
			if method == "GET" {
				a = get(t, base, "/feedback/status")
			} else {
				a = post(t, base, "/feedback/", "{}", "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", f))
			}
			old.Behave()
			want, isFine := fine[f]
			// A GET whose kept connection was closed without an answer may be sent
			// again.
			again := method == "GET" && (f == oldapi.CloseUnread || f == oldapi.ResetUnread)
			if again && a.status == 200 {
				want, isFine = 200, true
			}
			switch {
			case isFine && (a.status != want || !json.Valid([]byte(a.body)) || a.header.Get("Content-Type") != "application/json"):
				t.Errorf("%s %s: %d %s", f, method, a.status, a.body)
			case !isFine && (slow[f] != (a.status == 504) || !slow[f] && a.status != 502 || !strings.HasPrefix(a.body, `{"detail":"The service that answers this`)):
				t.Errorf("%s %s: %d %s", f, method, a.status, a.body)
			case !isFine && (a.header.Get("Retry-After") != "") != (method == "GET"):
				t.Errorf("%s %s: Retry-After %q", f, method, a.header.Get("Retry-After"))
			}
			if a.outcome() != "pass" {
				t.Errorf("%s %s: %s", f, method, a.header.Get("Cache-Status"))
			}
			if n := old.Count("", "") - before; n != 1 && (n != 2 || !again) {
				t.Errorf("%s %s: %d requests", f, method, n)
			}
		}
	}
	if s := p.Stats().Legacy; s.Timeouts != 4 || s.InUse != 0 {
		t.Errorf("%+v", s)
	}
}

// TestPassWithoutAnOldAPI: without an old API, or while it is down, the error names the missing
// part.
func TestPassWithoutAnOldAPI(t *testing.T) {
	_, without := start(t, Options{Origin: &fakeOrigin{}, BasePath: "/iz/xcri"})
	for target, status := range map[string]int{
		"/feedback/": 503, "/feedback/status": 503, "/docs": 503, "/iz/xcri/api/redoc": 503, "/openapi.json": 503, "/nowhere": 404, "/docs/x": 404,
	} {
		a := get(t, without, target)
		if a.status != status || !strings.HasPrefix(a.body, `{"detail":"`) {
			t.Errorf("%s without one: %d %s", target, a.status, a.body)
		}
		if id := a.header.Get("X-Request-Id"); status == 503 && !strings.HasSuffix(a.body, `,"request_id":"`+id+`"}`) {
			t.Errorf("%s: request %s, but %s", target, id, a.body)
		}
	}
	_, down := beforeOld(t, "http://"+port.Address(t), legacy.Options{})
	for _, a := range []answer{
		get(t, down, "/docs", "Origin", "https://site.example"),
		post(t, down, "/feedback/", "{}", "Origin", "https://site.example"), // it was not sent
	} {
		if a.status != 502 || a.body != `{"detail":"`+fault.LegacyAway+`","request_id":"`+a.header.Get("X-Request-Id")+`"}` || a.header.Get("Retry-After") != "5" {
			t.Errorf("down: %d %s", a.status, a.body)
		}
		// A page of the site may read the reason.
		if a.header.Get("Access-Control-Allow-Origin") != "https://site.example" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("down: %v", a.header)
		}
	}
	if a := get(t, down, "/teams/"); a.status != 200 {
		t.Errorf("the read API: %d", a.status)
	}
}

// TestPassStorm: a hanging old API gets at most as many concurrent requests as
// connections, and further requests are refused long before the timeout.
func TestPassStorm(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{Workers: 100})
	_, base := beforeOld(t, old.URL(), legacy.Options{Timeout: 20 * time.Second, MaxConns: 5}) // one is left to feedback
	old.Next(1000, oldapi.Hang)
	statuses := make(chan int, 50)
	var visitors sync.WaitGroup
	for range 50 {
		visitors.Go(func() { statuses <- get(t, base, "/docs").status })
	}
	for range 46 {
		if status := <-statuses; status != 503 {
			t.Errorf("status %d", status)
		}
	}
	if n := old.Count("", ""); n != 4 {
		t.Errorf("%d requests", n)
	}
	old.Close()
	visitors.Wait()
	close(statuses)
	for status := range statuses {
		if status != 502 {
			t.Errorf("status %d once it was gone", status)
		}
	}
}
