package legacy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/oldapi"
)

// visit returns a request from a client at 127.0.0.1. headers alternate name and
// value.
func visit(method, target string, headers ...string) *fasthttp.RequestCtx {
	return visitFrom("127.0.0.1", method, target, headers...)
}

func visitFrom(peer, method, target string, headers ...string) *fasthttp.RequestCtx {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(target)
	req.Header.SetHost("www.example.org")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(peer)}, nil)
	return ctx
}

// at returns the Visitor for a target without a prefix.
func at(target string) Visitor {
	path, query, found := bytes.Cut([]byte(target), []byte("?"))
	if found {
		query = append([]byte("?"), query...)
	}
	return Visitor{Path: path, Query: query}
}

// trusting returns options that trust Apache on the same machine.
func trusting() Options {
	return Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8")}}
}

// TestForwardTargets holds that a target is forwarded byte for byte or rejected.
func TestForwardTargets(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	for _, root := range []string{"", "/below/it"} {
		c := newClient(t, old.URL()+root, Options{})
		for target, ok := range map[string]bool{
			"/x": true, "/a//b": true, "/a/./b": true, "/a/../b": true, "/a%2fb/%C3%A9?": true, "/a?": true,
			"/a?x=%20+&x=1&&=": true, "/a?//../..": true, "/a;b=c/@:!$": true, "/..a/b..": true, "/a/%2e": true, "/a/%2e%2e/": true,
			"//x": false, "//www.example.org/x": false, "/../x": false, "/a/../../x": false, "/%2e%2e/x": false, "/.%2E": false,
			"/a%2f..%2f..%2fx": false, `/..\x`: false, "/%5c..%5cx": false, "/./../x": false, "/a//../../x": false, "/%zz/%2e%2e/%2e%2e": false,
			"x": false, "*": false, "": false, "/%": false, "/a%2": false, "/a%zz": false, "/%2g/b": false, "/a?%zz=%": true, `/a?"\<>^{|}[]` + "`": true,
		} {
			before := len(old.Requests())
			err := c.Forward(visit("GET", target), at(target))
			requests := old.Requests()[before:]
			switch {
			case !ok && (!errors.Is(err, ErrTarget) || len(requests) > 0):
				t.Errorf("%s: %v", target, err)
			case ok && (err != nil || len(requests) != 1 || requests[0].Target != root+target):
				t.Errorf("%s: %v, %+v", target, err, requests)
			}
		}
	}
}

// TestForwardRequest holds which parts of a request the old API receives.
func TestForwardRequest(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), trusting())
	ctx := visit("POST", "/feedback/?a=b",
		"Content-Type", "application/json; charset=x", "Cookie", "a=1; b=2", "User-Agent", "Browser/1", "Accept-Encoding", "gzip, br",
		"Authorization", "Basic eA==", "X-Twice", "1", "X-Twice", "2", "Origin", "https://x",
		"Connection", "close, X-Secret, x-forwarded-for, x-forwarded-proto", "X-Secret", "1", "Keep-Alive", "timeout=5", "Te", "trailers",
		"Proxy-Connection", "keep-alive", "Proxy-Authorization", "Basic eA==", "Upgrade", "websocket", "Expect", "x",
		"Forwarded", "for=9.9.9.9", "X-Real-Ip", "9.9.9.9", "X-Forwarded-Port", "99", "X-Forwarded-For", "203.0.113.7",
		"X_Forwarded_For", "9.9.9.9", "x-forwarded_for", "9.9.9.9", "X_Forwarded-Proto", "https", "X_Real_IP", "9.9.9.9", "Proxy", "http://evil.test", "Content_Length", "7",
		"Via", "1.0 fred", "Via", "1.1 p.example (Apache)")
	ctx.Request.SetBodyString(`{"text":"é"}`)
	if err := c.Forward(ctx, at("/feedback/?a=b")); err != nil || ctx.Response.StatusCode() != 200 {
		t.Fatal(ctx.Response.StatusCode(), err)
	}
	r := old.Requests()[0]
	if r.Method != "POST" || r.Target != "/feedback/?a=b" || r.Body != `{"text":"é"}` || r.Host != strings.TrimPrefix(old.URL(), "http://") {
		t.Errorf("%+v", r)
	}
	want := http.Header{
		"Content-Type": {"application/json; charset=x"}, "Cookie": {"a=1; b=2"}, "User-Agent": {"Browser/1"}, "Accept-Encoding": {"gzip, br"},
		"Authorization": {"Basic eA=="}, "X-Twice": {"1", "2"}, "Origin": {"https://x"}, "Connection": {"close"}, "Content-Length": {"13"},
		"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"www.example.org"},
		"Via": {"1.0 fred, 1.1 p.example (Apache), 1.1 xcri-proxy"},
	}
	for name, values := range want {
		if fmt.Sprint(r.Header[name]) != fmt.Sprint(values) {
			t.Errorf("%s: %q, want %q", name, r.Header[name], values)
		}
		delete(r.Header, name)
	}
	if len(r.Header) > 0 {
		t.Errorf("also %v", r.Header)
	}
}

// TestForwardPaths: characters that a path may not contain are encoded as by Apache, and
// a query is forwarded as it is.
func TestForwardPaths(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{})
	for target, want := range map[string]string{
		`/a"b`: "/a%22b", `/a<b>`: "/a%3Cb%3E", `/a[b]\c`: "/a%5Bb%5D%5Cc", "/a^b`c": "/a%5Eb%60c", "/{a|b}": "/%7Ba%7Cb%7D", "/é": "/%C3%A9", "/a\x80": "/a%80",
		"/!$&'()*+,;=:@-._~": "/!$&'()*+,;=:@-._~", "/a%22%zB": "", `/"?q="`: `/%22?q="`, "/a?b=\x80": "/a?b=\x80",
	} {
		before := len(old.Requests())
		err := c.Forward(visit("GET", "/"), at(target))
		if requests := old.Requests()[before:]; (err != nil) != (want == "") || want != "" && (len(requests) != 1 || requests[0].Target != want) {
			t.Errorf("%s: %v, %+v", target, err, requests)
		}
	}
}

// TestForwardNames: a header whose name an application may read as another header, or
// that claims another address, path or method, is not forwarded.
func TestForwardNames(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), trusting())
	var headers []string
	for _, name := range []string{
		"X.Forwarded.For", "X~Forwarded~For", "X-Forwarded.For", "X!Real!Ip", "Content.Length", "Transfer.Encoding", "Remote_User", "Host.", "X|Y",
		"HTTP2-Settings", "http2-settings", "Upgrade", "X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "X-Original-URL", "X-Rewrite-Url",
		"True-Client-IP", "X-Client-IP", "X-Cluster-Client-Ip",
	} {
		headers = append(headers, name, "1")
	}
	ctx := visit("GET", "/docs", append(headers, "X-Plain-2", "1")...)
	if err := c.Forward(ctx, at("/docs")); err != nil {
		t.Fatal(err)
	}
	for name := range old.Requests()[0].Header {
		switch name {
		case "X-Plain-2", "Accept-Encoding", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host":
		default:
			t.Errorf("%s is forwarded", name)
		}
	}
	if got := old.Requests()[0].Header.Get("X-Plain-2"); got != "1" {
		t.Errorf("X-Plain-2: %q", got)
	}
}

// TestForwardMethods holds that any method is forwarded unchanged, with or without a
// body.
func TestForwardMethods(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{})
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "M-SEARCH"} {
		for _, body := range []string{"", "[1]"} {
			before := len(old.Requests())
			ctx := visit(method, "/feedback/")
			ctx.Request.SetBodyString(body)
			if err := c.Forward(ctx, at("/feedback/")); err != nil {
				t.Errorf("%s: %v", method, err)
				continue
			}
			r := old.Requests()[before]
			own := method != "GET" && method != "HEAD"
			if r.Method != method || r.Body != body || (r.Header.Get("Connection") == "close") != own {
				t.Errorf("%s %q: %+v", method, body, r)
			}
		}
	}
	if err := c.Forward(visit("G\tT", "/x"), at("/x")); !errors.Is(err, ErrTarget) {
		t.Error(err)
	}
}

// TestForwardAnswer holds which parts of an answer the client receives.
func TestForwardAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for name, values := range map[string][]string{
			"Connection": {"x-secret", "keep-alive"}, "X-Secret": {"1"}, "Keep-Alive": {"timeout=5"}, "Proxy-Authenticate": {"Basic"},
			"Content-Type": {"text/x-own"}, "Set-Cookie": {"a=1; Path=/; HttpOnly", "b=2"}, "Vary": {"Origin", "Accept"}, "Etag": {`"1"`},
			"Server": {"uvicorn"}, "Cache-Control": {"no-cache"}, "Access-Control-Allow-Origin": {"https://x"},
		} {
			h[name] = values
		}
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(204)
		case "/304":
			w.WriteHeader(304)
		default:
			w.WriteHeader(418)
			w.Write([]byte("short and stout"))
		}
	}))
	defer server.Close()
	c := newClient(t, server.URL, Options{})
	for _, tt := range []struct {
		method, target string
		status, length int
		body           string
	}{
		{"GET", "/x", 418, 15, "short and stout"},
		{"POST", "/x", 418, 15, "short and stout"},
		{"HEAD", "/x", 418, 15, ""},
		{"GET", "/204", 204, 0, ""},
		{"GET", "/304", 304, 0, ""},
	} {
		ctx := visit(tt.method, tt.target)
		ctx.Response.Header.Set("Content-Security-Policy", "ours")
		if err := c.Forward(ctx, at(tt.target)); err != nil {
			t.Fatal(err)
		}
		resp := &ctx.Response
		if resp.StatusCode() != tt.status || string(resp.Body()) != tt.body || tt.method == "HEAD" && resp.Header.ContentLength() != tt.length {
			t.Errorf("%s %s: %d %q %d", tt.method, tt.target, resp.StatusCode(), resp.Body(), resp.Header.ContentLength())
		}
		got := map[string][]string{}
		for name, value := range resp.Header.All() {
			got[string(name)] = append(got[string(name)], string(value))
		}
		delete(got, "Content-Length")
		want := map[string][]string{
			"Content-Type": {"text/x-own"}, "Set-Cookie": {"a=1; Path=/; HttpOnly", "b=2"}, "Vary": {"Origin", "Accept"}, "Etag": {`"1"`},
			"Server": {"uvicorn"}, "Cache-Control": {"no-cache"}, "Access-Control-Allow-Origin": {"https://x"},
		}
		switch { // net/http changes these headers
		case tt.status == 304:
			delete(want, "Content-Type")
		case tt.method == "POST":
			want["X-Secret"] = []string{"1"} // its Connection is "close" alone
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s %s:\n%v\n%v", tt.method, tt.target, got, want)
		}
	}
}

// TestForwardCompressed holds that a compressed answer is forwarded unchanged.
func TestForwardCompressed(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{})
	ctx := visit("GET", "/openapi.json", "Accept-Encoding", "gzip")
	if err := c.Forward(ctx, at("/openapi.json")); err != nil {
		t.Fatal(err)
	}
	plain, err := ctx.Response.BodyGunzip()
	if err != nil || string(ctx.Response.Header.ContentEncoding()) != "gzip" || !bytes.HasPrefix(plain, []byte(`{"openapi"`)) || bytes.Contains(plain, []byte("servers")) {
		t.Errorf("%v\n%s\n%s", err, ctx.Response.Header.String(), plain)
	}
}

// TestForwardPages holds that the three pages that contain their own root work below
// a prefix, and that other pages are unchanged.
func TestForwardPages(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{})
	ask := func(prefix, target string) string {
		ctx := visit("GET", prefix+target, "Accept-Encoding", "gzip", "Range", "bytes=0-9")
		v := at(target)
		v.Prefix = prefix
		if err := c.Forward(ctx, v); err != nil {
			t.Fatal(err)
		}
		body, err := ctx.Response.BodyUncompressed()
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	const prefix = "/iz/xcri/api"
	for target, change := range map[string][2]string{
		"/docs":            {`'/openapi.json'`, `'/iz/xcri/api/openapi.json'`},
		"/redoc":           {`"/openapi.json"`, `"/iz/xcri/api/openapi.json"`},
		"/openapi.json":    {`{"openapi"`, `{"servers":[{"url":"/iz/xcri/api"}],"openapi"`},
		"/feedback/status": {"", ""},
	} {
		plain, below := ask("", target), ask(prefix, target)
		if change[0] != "" && !strings.Contains(plain, change[0]) || strings.Contains(plain, prefix) {
			t.Errorf("%s without a prefix: %s", target, plain)
		}
		want := strings.ReplaceAll(strings.ReplaceAll(plain, change[0], change[1]), "'/docs/oauth2-redirect'", "'"+prefix+"/docs/oauth2-redirect'")
		if below != want && change[0] != "" || change[0] == "" && below != plain {
			t.Errorf("%s: %s", target, below)
		}
	}
}

// TestForwardRedirect holds that redirects of the old API lead to the host and prefix
// that the client requested.
func TestForwardRedirect(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), Options{})
	v := at("/feedback?a=%20")
	v.Prefix = "/iz/xcri/api"
	ctx := visit("POST", "/iz/xcri/api/feedback?a=%20")
	if err := c.Forward(ctx, v); err != nil {
		t.Fatal(err)
	}
	if l := string(ctx.Response.Header.Peek("Location")); ctx.Response.StatusCode() != 307 || l != "/iz/xcri/api/feedback/?a=%20" {
		t.Errorf("%d %s", ctx.Response.StatusCode(), l)
	}
}

// TestForwardLimit holds that the old API's rate limit applies to each client, not to
// the proxy.
func TestForwardLimit(t *testing.T) {
	old := oldapi.Start(t, oldapi.Options{})
	c := newClient(t, old.URL(), trusting())
	post := func(peer string, headers ...string) int {
		ctx := visitFrom(peer, "POST", "/feedback/", headers...)
		ctx.Request.SetBodyString("{}")
		if err := c.Forward(ctx, at("/feedback/")); err != nil {
			t.Fatal(err)
		}
		return ctx.Response.StatusCode()
	}
	for i := range 6 {
		visitor := fmt.Sprintf("203.0.113.%d", i)
		for n := 1; n <= 4; n++ {
			if status := post("127.0.0.1", "X-Forwarded-For", "6.6.6.6, "+visitor); (status == 200) != (n <= 3) {
				t.Errorf("%s, post %d: %d", visitor, n, status)
			}
		}
	}
	for n := 1; n <= 4; n++ { // a client that invents addresses counts as one client
		if status := post("198.51.100.1", "X-Forwarded-For", fmt.Sprintf("203.0.114.%d", n)); (status == 200) != (n <= 3) {
			t.Errorf("made up, post %d: %d", n, status)
		}
	}
}

// TestHTTPS holds that the certificate is verified and the server name is sent.
func TestHTTPS(t *testing.T) {
	var names atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte("{}"))
	}))
	server.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		names.Store(hello.ServerName)
		return nil, nil
	}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	c := newClient(t, "https://example.com", Options{})
	if c.pool.address != "example.com:443" {
		t.Error(c.pool.address)
	}
	c.pool.address = server.Listener.Addr().String()
	if _, err := c.Fetch(t.Context(), "/x"); !errors.Is(err, ErrUnreached) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	c.pool.tls.RootCAs = x509.NewCertPool()
	c.pool.tls.RootCAs.AddCert(server.Certificate())
	for range 2 {
		if a, err := c.Fetch(t.Context(), "/x"); err != nil || a.Status != 200 {
			t.Error(err)
		}
	}
	if names.Load() != "example.com" {
		t.Errorf("asked for %v", names.Load())
	}
}
