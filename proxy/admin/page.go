package admin

import (
	"bytes"
	"embed"
	"path"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// pageFiles hold the page for operators.
//
//go:embed page/index.html page/page.css page/page.js
var pageFiles embed.FS

// PagePolicy is the Content-Security-Policy of the page: its own files and figures and
// nothing else.
const PagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
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
	ctx.Response.Header.SetContentType(pageTypes[path.Ext(name)])
	ctx.Response.Header.Set("Content-Security-Policy", PagePolicy)
	reply.Send(ctx, fasthttp.StatusOK, body)
}
