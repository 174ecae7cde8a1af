package proxy

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"

	"github.com/valyala/fasthttp"
)

// adminPage answers one path below /cache: answer GET and HEAD, change, which
// may change something, POST. Either may be nil.
type adminPage struct {
	answer, change func(*Proxy, *fasthttp.RequestCtx)
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
}

// forwarding are headers that a proxy adds: a request with one of them comes
// from somewhere else than the address it comes from.
var forwarding = []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Server", "X-Forwarded-Proto", "X-Real-Ip", "Forwarded", "Via"}

// serveAdmin answers what is at /metrics and below /cache. It returns false for
// other paths.
func (p *Proxy) serveAdmin(ctx *fasthttp.RequestCtx, path []byte) bool {
	rest, ok := bytes.CutPrefix(path, []byte("/cache"))
	if (!ok || len(rest) > 0 && rest[0] != '/') && string(path) != "/metrics" {
		return false
	}
	page, known := adminPages[string(bytes.TrimSuffix(path, []byte("/")))]
	switch {
	case !p.mayAdminister(ctx):
		p.fail(ctx, fasthttp.StatusForbidden, "Only this machine, or a request with the admin token, may see this page")
	case !known:
		p.fail(ctx, fasthttp.StatusNotFound, "Not Found")
	case (ctx.IsGet() || ctx.IsHead()) && page.answer != nil:
		page.answer(p, ctx)
	case !ctx.IsPost() || page.change == nil:
		ctx.Response.Header.Set("Allow", page.methods())
		p.fail(ctx, fasthttp.StatusMethodNotAllowed, "Method Not Allowed")
	case crossSite(ctx):
		p.fail(ctx, fasthttp.StatusForbidden, "Another site may not ask for this")
	default:
		page.change(p, ctx)
	}
	return true
}

// methods lists what a page may be asked with.
func (a adminPage) methods() string {
	switch {
	case a.answer == nil:
		return "POST"
	case a.change == nil:
		return "GET, HEAD"
	}
	return "GET, HEAD, POST"
}

// crossSite reports whether a browser sends the request on behalf of another
// site's page. Source: Fetch Metadata; older browsers send Origin alone.
func crossSite(ctx *fasthttp.RequestCtx) bool {
	if site := ctx.Request.Header.Peek("Sec-Fetch-Site"); len(site) > 0 {
		return string(site) != "same-origin" && string(site) != "none"
	}
	origin := ctx.Request.Header.Peek(fasthttp.HeaderOrigin)
	_, host, _ := bytes.Cut(origin, []byte("://"))
	return len(origin) > 0 && !bytes.Equal(host, ctx.Request.Header.Host())
}

// mayAdminister reports whether a request comes from this machine, not by way
// of a proxy on it, or has the token.
func (p *Proxy) mayAdminister(ctx *fasthttp.RequestCtx) bool {
	if header := ctx.Request.Header.Peek(fasthttp.HeaderAuthorization); len(header) > 0 {
		token, ok := bytes.CutPrefix(header, []byte("Bearer "))
		return ok && p.opts.AdminToken != "" && subtle.ConstantTimeCompare(token, []byte(p.opts.AdminToken)) == 1
	}
	for _, name := range forwarding {
		if len(ctx.Request.Header.Peek(name)) > 0 {
			return false
		}
	}
	return ctx.RemoteIP().IsLoopback()
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
	p.headers.send(ctx, status, body.Bytes())
}

func (p *Proxy) serveStats(ctx *fasthttp.RequestCtx) {
	p.sendJSON(ctx, fasthttp.StatusOK, p.Stats())
}
