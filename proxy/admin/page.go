package admin

import (
	"bytes"
	"embed"
	"fmt"
	"html"
	"path"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// pageFiles hold the page for operators.
//
//go:embed page/index.html page/page.css page/noscript.css page/page.js page/charts.js page/actions.js
var pageFiles embed.FS

// PagePolicy is the Content-Security-Policy of the page: its own files and figures, the
// preview of the maintenance page, and nothing else.
const PagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

var pageTypes = map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

// servePage sends the page or a file of it. Its links are relative, so that it works below
// any path; without the final slash of its own path they would lead elsewhere.
func (a *Admin) servePage(ctx *fasthttp.RequestCtx) {
	target, _ := route.SplitTarget(ctx.RequestURI())
	name := path.Base(string(target))
	switch {
	case name == "cache" && !bytes.HasSuffix(target, []byte("/")):
		ctx.Response.Header.Set("Location", "cache/")
		reply.Send(ctx, fasthttp.StatusPermanentRedirect, nil)
		return
	case name == "cache":
		name = "index.html"
	}
	body, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		panic(err) // embedded
	}
	if ctx.UserValue(credentialKey) == gate.BySession {
		body = bytes.Replace(body, []byte(`id="logout" hidden`), []byte(`id="logout"`), 1)
	}
	if name == "index.html" {
		body = a.withConditions(body)
	}
	ctx.Response.Header.SetContentType(pageTypes[path.Ext(name)])
	ctx.Response.Header.Set("Content-Security-Policy", PagePolicy)
	reply.Send(ctx, fasthttp.StatusOK, body)
}

// withConditions adds the conditions of this moment to the page, for browsers without
// scripts, too.
func (a *Admin) withConditions(body []byte) []byte {
	var out bytes.Buffer
	all := a.conditions(time.Now())
	for _, c := range all {
		since := ""
		if c.Since != nil {
			since = " since " + c.Since.Format(time.DateTime)
		}
		fmt.Fprintf(&out, "<li>%s%s. %s</li>\n", html.EscapeString(c.Title), since,
			html.EscapeString(strings.TrimSpace(c.Cause+" "+c.Visitors+" "+c.Remedy)))
	}
	body = bytes.Replace(body, []byte(`data-state="wait">Loading<`), fmt.Appendf(nil, `data-state="%s">%s<`, all[0].Level, html.EscapeString(all[0].Title)), 1)
	return bytes.Replace(body, []byte("<!-- conditions -->"), out.Bytes(), 1)
}
