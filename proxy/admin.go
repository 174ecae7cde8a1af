package proxy

import (
	"bytes"
	"encoding/json"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// adminPage answers one path below /cache: answer GET and HEAD, change, which
// may change something, POST. Either may be nil.
type adminPage struct {
	answer, change func(*Proxy, *fasthttp.RequestCtx)
	form           bool // change takes an HTML form
	open           bool // without a credential
}

// adminPages are the paths for those who run the proxy, without a final slash.
var adminPages = map[string]adminPage{
	"/metrics":           {answer: (*Proxy).serveMetrics},
	"/cache":             {answer: (*Proxy).servePage},
	"/cache/page.css":    {answer: (*Proxy).servePage},
	"/cache/page.js":     {answer: (*Proxy).servePage},
	"/cache/history":     {answer: (*Proxy).serveHistory},
	"/cache/stats":       {answer: (*Proxy).serveStats},
	"/cache/maintenance": {answer: (*Proxy).serveMaintenance, change: (*Proxy).changeMaintenance},
	"/cache/warm":        {answer: (*Proxy).serveWarmStatus, change: (*Proxy).serveWarm},
	"/cache/purge":       {change: (*Proxy).servePurge},
	"/cache/source":      {answer: (*Proxy).serveSource, change: (*Proxy).serveSourceChange},
	"/cache/verify":      {answer: (*Proxy).serveVerifySubjects, change: (*Proxy).serveVerify},
	"/cache/entry":       {answer: (*Proxy).serveEntry},
	"/cache/login":       {answer: (*Proxy).serveLogin, change: (*Proxy).logIn, form: true, open: true},
	"/cache/logout":      {change: (*Proxy).logOut, form: true, open: true},
}

// serveAdmin answers requests for /metrics and for paths below /cache, if the gate
// admits them. Private says that a request came in on the admin pages' own
// listener. It returns false for other paths. Its answers carry no CORS headers.
func (p *Proxy) serveAdmin(ctx *fasthttp.RequestCtx, path []byte, private bool) bool {
	if !isAdminPath(path) {
		return false
	}
	page := adminPages[string(bytes.TrimSuffix(path, []byte("/")))]
	facts := gate.FactsOf(ctx, p.opts.TrustedProxies, private)
	verdict := p.gate.Decide(facts, gate.Page{Read: page.answer != nil, Change: page.change != nil, Form: page.form, Open: page.open})
	ctx.SetUserValue(credentialKey, verdict.By)
	switch {
	case !verdict.Admitted():
		p.refuse(ctx, facts, verdict)
	case ctx.IsPost():
		page.change(p, ctx)
	default:
		page.answer(p, ctx)
	}
	return true
}

// isAdminPath reports whether a path is that of an admin page, or would be.
func isAdminPath(path []byte) bool {
	rest, ok := bytes.CutPrefix(path, []byte("/cache"))
	return ok && (len(rest) == 0 || rest[0] == '/') || string(path) == "/metrics"
}

// credentialKey is the user value of a request that holds its gate.Credential.
const credentialKey = "credential"

// refuse answers a request that the gate does not admit.
func (p *Proxy) refuse(ctx *fasthttp.RequestCtx, facts *gate.Request, v gate.Verdict) {
	if page := p.gate.Refuse(ctx, facts, v); page != nil {
		reply.Send(ctx, v.Status, page)
		return
	}
	reply.Fail(ctx, v.Status, v.Reason)
}

// serveLogin sends the page that asks for the admin token.
func (p *Proxy) serveLogin(ctx *fasthttp.RequestCtx) {
	path, _ := route.SplitTarget(ctx.RequestURI())
	ctx.Response.Header.SetContentType(pageTypes[".html"])
	ctx.Response.Header.Set(fasthttp.HeaderContentSecurityPolicy, gate.LoginPolicy)
	reply.Send(ctx, fasthttp.StatusOK, gate.LoginPage(string(path), ""))
}

// logIn opens a session.
func (p *Proxy) logIn(ctx *fasthttp.RequestCtx) {
	facts := gate.FactsOf(ctx, p.opts.TrustedProxies, false)
	if v := p.gate.LogIn(ctx, facts, p.opts.TrustedProxies.Of(ctx).Proto); !v.Admitted() {
		p.refuse(ctx, facts, v)
		return
	}
	reply.Send(ctx, fasthttp.StatusSeeOther, nil)
}

// logOut ends the session.
func (p *Proxy) logOut(ctx *fasthttp.RequestCtx) {
	p.gate.LogOut(ctx, gate.FactsOf(ctx, p.opts.TrustedProxies, false), p.opts.TrustedProxies.Of(ctx).Proto)
	reply.Send(ctx, fasthttp.StatusSeeOther, nil)
}

// sendJSON answers with v, indented for people.
func (p *Proxy) sendJSON(ctx *fasthttp.RequestCtx, status int, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // an & in a key stays one
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic(err) // plain numbers and strings
	}
	reply.Send(ctx, status, body.Bytes())
}

func (p *Proxy) serveStats(ctx *fasthttp.RequestCtx) {
	p.sendJSON(ctx, fasthttp.StatusOK, p.Stats())
}
