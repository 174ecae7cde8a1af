package gate

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/visitor"
)

// FactsOf returns the facts of a request. private is set if it arrived on the admin
// pages' own listener.
func FactsOf(ctx *fasthttp.RequestCtx, trust visitor.Trust, private bool) *Request {
	h := &ctx.Request.Header
	r := &Request{
		Peer:    visitor.Peer(ctx.RemoteAddr()),
		Account: func() (int, error) { return Account(ctx.Conn()) },
		Visitor: trust.Of(ctx).Address,
		Private: private,
		HTTP11:  h.IsHTTP11(),
		Method:  string(ctx.Method()),
		Hosts:   []string{string(h.Host())}, // empty if it is missing
	}
	if _, rest, absolute := bytes.Cut(h.RequestURI(), []byte("://")); absolute && h.RequestURI()[0] != '/' {
		authority, _, _ := bytes.Cut(rest, []byte("/"))
		r.Hosts = append(r.Hosts, string(authority))
	}
	lines := h.All()
	if len(h.RawHeaders()) > 0 {
		lines = h.AllInOrder() // with each of several lines of one name
	}
	for name, value := range lines {
		r.Fields = append(r.Fields, Field{string(name), string(value)})
	}
	r.Hosts = append(r.Hosts, r.lines("host")...)
	return r
}

// LogIn opens a session for a client that sends the admin token in the login page's
// form. It answers the request unless it returns a refusal.
func (g *Gate) LogIn(ctx *fasthttp.RequestCtx, r *Request, proto string) Verdict {
	v := g.checkToken(r.Visitor, string(ctx.PostArgs().Peek("token")))
	if g.refused[v.Cause].Add(1); !v.Admitted() {
		return v
	}
	setSession(ctx, proto, g.sessions.start(), sessionLife)
	seeOther(ctx)
	return v
}

// LogOut ends the session that a request belongs to.
func (g *Gate) LogOut(ctx *fasthttp.RequestCtx, r *Request, proto string) {
	g.sessions.end(r.cookies(sessionCookie))
	setSession(ctx, proto, "", 0)
	seeOther(ctx)
}

// seeOther redirects from a page below /cache/ to /cache/ itself.
func seeOther(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(fasthttp.HeaderLocation, "./")
	ctx.Response.SetStatusCode(fasthttp.StatusSeeOther)
}

// setSession sets the cookie with a session's ID, which the browser sends to the admin
// pages only.
func setSession(ctx *fasthttp.RequestCtx, proto, id string, life time.Duration) {
	path, _, _ := strings.Cut(string(ctx.RequestURI()), "?")
	path = path[:strings.LastIndex(path, "/cache/")] + "/cache"
	if _, rest, absolute := strings.Cut(path, "://"); absolute && path[0] != '/' {
		path = rest[strings.IndexByte(rest, '/'):]
	}
	cookie := sessionCookie + "=" + id + "; Path=" + path + "; Max-Age=" + strconv.Itoa(int(life.Seconds())) + "; HttpOnly; SameSite=Strict"
	if proto == "https" {
		cookie += "; Secure"
	}
	ctx.Response.Header.Set(fasthttp.HeaderSetCookie, cookie)
}

// challenge is the WWW-Authenticate header of a 401. Browsers have no dialog for this
// scheme and show the body.
const challenge = `Bearer realm="xcri-proxy"`

// Refuse sets the headers of a refusal. It returns the login page if the answer should
// be the login page, else nil.
func (g *Gate) Refuse(ctx *fasthttp.RequestCtx, r *Request, v Verdict) (page []byte) {
	h := &ctx.Response.Header
	if v.Allow != "" {
		h.Set(fasthttp.HeaderAllow, v.Allow)
	}
	if v.Wait > 0 {
		h.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(int((v.Wait+time.Second-1)/time.Second)))
	}
	path, _, _ := strings.Cut(string(ctx.RequestURI()), "?")
	tried := strings.HasSuffix(path, "/cache/login") && r.Method == fasthttp.MethodPost
	if v.Status == fasthttp.StatusUnauthorized {
		h.Set(fasthttp.HeaderWWWAuthenticate, challenge)
	} else if !tried {
		return nil
	}
	if !strings.Contains(strings.Join(r.lines("accept"), ","), "text/html") || !strings.Contains(path, "/cache") {
		return nil
	}
	message := ""
	if tried {
		message = "Refused: " + strings.TrimPrefix(v.Reason, onlyHere) + "."
	}
	h.Set(fasthttp.HeaderContentSecurityPolicy, LoginPolicy)
	h.SetContentType("text/html; charset=utf-8")
	return LoginPage(path, message)
}
