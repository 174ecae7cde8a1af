package gate

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/visitor"
)

// parsed is a request as the server reads it from a connection of peer.
func parsed(t *testing.T, peer net.Addr, lines ...string) *fasthttp.RequestCtx {
	t.Helper()
	var req fasthttp.Request
	text := strings.Join(lines, "\r\n")
	if !strings.Contains(text, "\r\n\r\n") {
		text += "\r\n\r\n"
	}
	if err := req.Read(bufio.NewReader(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	ctx := &fasthttp.RequestCtx{}
	ctx.Init(&req, peer, nil)
	return ctx
}

var apache = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}

// TestFacts: every header line reaches the gate, however the server stores it.
func TestFacts(t *testing.T) {
	trust := visitor.Trust{}
	ctx := parsed(t, apache, "POST http://evil.test/cache/purge HTTP/1.0", "Host: localhost", "X-Forwarded-For:", "authorization: a", "Authorization: b",
		"Content-Type: text/plain", "content-type: application/json", "Cookie: a=1", "Cookie: b=2", "Content-Length: 0")
	r := FactsOf(ctx, trust, true)
	if r.Peer.String() != "127.0.0.1" || r.Visitor.String() != "127.0.0.1" || !r.Private || r.HTTP11 || r.Method != "POST" {
		t.Errorf("%+v", r)
	}
	if !slices.Contains(r.Hosts, "evil.test") || !slices.Contains(r.Hosts, "localhost") || r.Hosts[0] == "" {
		t.Errorf("hosts %q", r.Hosts)
	}
	for name, want := range map[string]int{"x-forwarded-for": 1, "authorization": 2, "content-type": 2, "cookie": 2, "host": 1} {
		if got := r.lines(name); len(got) != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if _, err := r.Account(); err == nil {
		t.Error("an account of no connection")
	}
	r = FactsOf(parsed(t, &net.UnixAddr{Net: "unix"}, "GET /cache/ HTTP/1.1", "Host: localhost", "X-Forwarded-For: 203.0.113.7"), trust, false)
	if r.Peer.IsValid() || r.Visitor.String() != "203.0.113.7" || r.Private || !r.HTTP11 || len(r.Hosts) != 2 {
		t.Errorf("%+v", r)
	}
	r = FactsOf(parsed(t, apache, "GET /cache/entry?path=http://x/ HTTP/1.1", "Host: localhost"), trust, false)
	if slices.ContainsFunc(r.Hosts, func(h string) bool { return h != "localhost" }) {
		t.Errorf("hosts %q", r.Hosts)
	}
}

// TestLogIn: the right token opens a session, whose cookie is sent to the admin pages
// only; a wrong token opens none.
func TestLogIn(t *testing.T) {
	g := New(Options{Token: token})
	form := func(target, with string, more ...string) *fasthttp.RequestCtx {
		lines := append([]string{"POST " + target + " HTTP/1.1", "Host: site.example", "Content-Type: application/x-www-form-urlencoded"}, more...)
		body := "token=" + strings.ReplaceAll(with, " ", "+")
		return parsed(t, apache, append(lines, "Content-Length: "+strconv.Itoa(len(body)), "", body)...)
	}
	for target, tt := range map[string]struct{ proto, path, secure string }{
		"/cache/login":                             {"http", "/cache", ""},
		"/iz/xcri/cache/login":                     {"https", "/iz/xcri/cache", "; Secure"},
		"/iz/xcri/api/cache/login/":                {"http", "/iz/xcri/api/cache", ""},
		"http://site.example/cache/login":          {"https", "/cache", "; Secure"},
		"http://site.example/iz/xcri/cache/login/": {"", "/iz/xcri/cache", ""},
		"/cache/login?to=http://x/a/cache/b":       {"http", "/cache", ""},
	} {
		ctx := form(target, token)
		if v := g.LogIn(ctx, FactsOf(ctx, nil, false), tt.proto); !v.Admitted() || ctx.Response.StatusCode() != 303 || string(ctx.Response.Header.Peek("Location")) != "./" {
			t.Errorf("%s: %+v, %v", target, v, &ctx.Response)
		}
		cookie := string(ctx.Response.Header.Peek("Set-Cookie"))
		id, attributes, _ := strings.Cut(strings.TrimPrefix(cookie, sessionCookie+"="), ";")
		if attributes != " Path="+tt.path+"; Max-Age=43200; HttpOnly; SameSite=Strict"+tt.secure {
			t.Errorf("%s: %s", target, cookie)
		}
		if !g.sessions.open([]string{id}) {
			t.Errorf("%s: no session", target)
		}
		out := parsed(t, apache, "POST /cache/logout HTTP/1.1", "Host: site.example", "Cookie: "+sessionCookie+"="+id, "Content-Length: 0")
		g.LogOut(out, FactsOf(out, nil, false), tt.proto)
		cookie = string(out.Response.Header.Peek("Set-Cookie"))
		if g.sessions.open([]string{id}) || out.Response.StatusCode() != 303 || cookie != sessionCookie+"=; Path=/cache; Max-Age=0; HttpOnly; SameSite=Strict"+tt.secure {
			t.Errorf("logged out: %s", cookie)
		}
	}
	for i, with := range slices.Repeat([]string{"", "x", token + "x"}, 5) {
		ctx := form("/cache/login", with)
		v := g.LogIn(ctx, FactsOf(ctx, nil, false), "http")
		if want := map[bool]int{true: 403, false: 429}[i < burst]; v.Status != want || len(ctx.Response.Header.Peek("Set-Cookie")) > 0 {
			t.Errorf("token %q: %+v, %v", with, v, &ctx.Response)
		}
	}
	if n := g.Refused(); n["wrong_token"] != burst || n["limited"] != 5 {
		t.Errorf("%v", n)
	}
	in := form("/cache/login", token)
	if v := New(Options{}).LogIn(in, FactsOf(in, nil, false), "http"); v.Admitted() {
		t.Errorf("without a token to compare with: %+v", v)
	}
}

// TestRefuse: a browser that may log in gets the login page, and every other client
// gets the reason.
func TestRefuse(t *testing.T) {
	const html = "Accept: text/html,application/xhtml+xml"
	denied := refuse(401, CauseNotLocal, "no")
	for name, tt := range map[string]struct {
		lines  []string
		v      Verdict
		action string // of the login page; empty for none
	}{
		"a browser":                       {[]string{"GET /cache/ HTTP/1.1", html}, denied, "login"},
		"without the slash":               {[]string{"GET /iz/xcri/cache?a=b HTTP/1.1", html}, denied, "cache/login"},
		"deeper":                          {[]string{"GET /cache/stats HTTP/1.1", html}, denied, "login"},
		"deeper with a slash":             {[]string{"GET /cache/stats/?x=/cache/ HTTP/1.1", html}, denied, "../login"},
		"a program":                       {[]string{"GET /cache/ HTTP/1.1", "Accept: */*"}, denied, ""},
		"a program that says nothing":     {[]string{"GET /cache/ HTTP/1.1"}, denied, ""},
		"metrics, outside of the session": {[]string{"GET /metrics HTTP/1.1", html}, denied, ""},
		"no way to log in":                {[]string{"GET /cache/ HTTP/1.1", html}, refuse(403, CauseNotLocal, "no"), ""},
		"a wrong login":                   {[]string{"POST /cache/login HTTP/1.1", html}, refuse(403, CauseToken, onlyHere+`the <token> is wrong`), "login"},
		"a wrong login of a program":      {[]string{"POST /cache/login HTTP/1.1", "Accept: */*"}, refuse(403, CauseToken, "no"), ""},
		"a limited login":                 {[]string{"POST /cache/login HTTP/1.1", html}, Verdict{Status: 429, Cause: CauseLimited, Reason: "later", Wait: 1}, "login"},
		"limited for a whole second":      {[]string{"GET /cache/ HTTP/1.1"}, Verdict{Status: 429, Cause: CauseLimited, Reason: "later", Wait: 1e9}, ""},
		"another page's wrong token":      {[]string{"POST /cache/purge HTTP/1.1", html}, refuse(403, CauseToken, "no"), ""},
		"a login page that is not there":  {[]string{"GET /cache/login HTTP/1.1", html}, refuse(404, CauseMissing, "no"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := parsed(t, apache, append(tt.lines, "Host: site.example", "Content-Length: 0")...)
			page := string(New(Options{Token: token}).Refuse(ctx, FactsOf(ctx, nil, false), tt.v))
			if (page != "") != (tt.action != "") || page != "" && !strings.Contains(page, `action="`+tt.action+`"`) {
				t.Fatalf("want a login at %q:\n%s", tt.action, page)
			}
			h := &ctx.Response.Header
			policy := string(h.Peek("Content-Security-Policy"))
			if page != "" && (policy != LoginPolicy || !strings.HasPrefix(string(h.ContentType()), "text/html")) || page == "" && policy != "" {
				t.Errorf("%v", h)
			}
			wrong := ctx.IsPost() && page != ""
			if strings.Contains(page, "<token>") || strings.Contains(page, `role="alert" hidden`) == wrong && page != "" ||
				wrong && !strings.Contains(strings.NewReplacer("&lt;", "<", "&gt;", ">").Replace(page), ">Refused: "+strings.TrimPrefix(tt.v.Reason, onlyHere)+".<") || strings.Contains(page, "{{") {
				t.Errorf("the message:\n%s", page)
			}
			if challenged := len(h.Peek("WWW-Authenticate")) > 0; challenged != (tt.v.Status == 401) {
				t.Errorf("%d: %v", tt.v.Status, h)
			}
			if len(h.Peek("Allow")) > 0 {
				t.Errorf("Allow: %q", h.Peek("Allow"))
			}
			if wait := string(h.Peek("Retry-After")); (wait == "1") != (tt.v.Wait > 0) || tt.v.Wait == 0 && wait != "" {
				t.Errorf("Retry-After: %s", wait)
			}
		})
	}
	ctx := parsed(t, apache, "DELETE /cache/ HTTP/1.1", "Host: localhost")
	New(Options{}).Refuse(ctx, FactsOf(ctx, nil, false), Verdict{Status: 405, Allow: "GET, HEAD", Wait: 1500e6})
	if h := &ctx.Response.Header; string(h.Peek("Allow")) != "GET, HEAD" || string(h.Peek("Retry-After")) != "2" {
		t.Errorf("%v", h)
	}
}

// TestLoginPolicy: the browser applies only the page's own style, and runs no script.
func TestLoginPolicy(t *testing.T) {
	page := string(LoginPage("/cache/", ""))
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	hash := sha256.Sum256([]byte(style))
	if want := "style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "';"; len(style) < 100 || !strings.Contains(LoginPolicy, want) {
		t.Errorf("%s lacks %s", LoginPolicy, want)
	}
	if !strings.HasPrefix(LoginPolicy, "default-src 'none';") || strings.Contains(LoginPolicy, "script-src") || strings.Contains(page, "<script") {
		t.Errorf("%s", LoginPolicy)
	}
}
