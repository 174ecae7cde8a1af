package proxy

import (
	"errors"
	"io/fs"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/site"
)

var (
	varyEncoding = []byte("Accept-Encoding")
	// siteHeaders are the fields of every answer of the site. Its pages load scripts
	// from other hosts, so that the API's policy would break them.
	siteHeaders = [][2][]byte{
		{[]byte("X-Content-Type-Options"), []byte("nosniff")},
		{[]byte("X-Frame-Options"), []byte("SAMEORIGIN")},
		{[]byte("Referrer-Policy"), []byte("strict-origin-when-cross-origin")},
	}
)

// serveSite answers a request below the base path that is not the API's.
func (p *Proxy) serveSite(ctx *fasthttp.RequestCtx, at route.Place) {
	h := &ctx.Response.Header
	if p.opts.Site == nil {
		reply.Fail(ctx, fasthttp.StatusNotFound, "Not Found")
		return
	}
	p.metrics.SiteRequests.Add(1)
	for i := range siteHeaders {
		h.SetCanonical(siteHeaders[i][0], siteHeaders[i][1])
	}
	h.Del("Content-Security-Policy")
	h.DelBytes(reply.HeaderVary)
	switch {
	case ctx.IsOptions():
		sendAllow(ctx)
	case !ctx.IsGet() && !ctx.IsHead():
		h.Set(fasthttp.HeaderAllow, allowed)
		failSite(ctx, fasthttp.StatusMethodNotAllowed)
	case len(at.Path) == 0:
		redirect(ctx, at)
	default:
		p.serveFile(ctx, at.Path)
	}
}

// redirect sends the browser to the same path with a final slash.
func redirect(ctx *fasthttp.RequestCtx, at route.Place) {
	to := []byte(at.Prefix + "/")
	if len(at.Query) > 0 {
		to = append(append(to, '?'), at.Query...)
	}
	ctx.Response.Header.SetBytesV("Location", to)
	failSite(ctx, fasthttp.StatusPermanentRedirect)
}

func (p *Proxy) serveFile(ctx *fasthttp.RequestCtx, path []byte) {
	file, err := p.opts.Site.Find(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.metrics.SiteMissing.Add(1)
		failSite(ctx, fasthttp.StatusNotFound)
		return
	case err != nil:
		ctx.Response.Header.Set("Retry-After", "1")
		failSite(ctx, fasthttp.StatusServiceUnavailable)
		return
	}
	h := &ctx.Response.Header
	h.SetContentType(file.ContentType)
	h.SetCanonical(reply.HeaderCacheControl, file.CacheControl)
	if len(file.Variants) > 1 {
		h.SetCanonical(reply.HeaderVary, varyEncoding)
	}
	v := p.selectVariant(ctx, file.Variants)
	if v == nil {
		return
	}
	if file.Large() {
		p.sendLarge(ctx, file)
		return
	}
	p.sendVariant(ctx, v, file.Variants, int(file.Size)) // its bodies are on the heap: it can't fail
}

// sendLarge sends a file from the disk.
func (p *Proxy) sendLarge(ctx *fasthttp.RequestCtx, file *site.File) {
	h := &ctx.Response.Header
	if ctx.IsHead() {
		h.SetCanonical(reply.HeaderETag, file.Variants[content.Identity].ETag)
		ctx.Response.SkipBody = true
		h.SetContentLength(int(file.Size))
		return
	}
	body, err := p.opts.Site.Open(file)
	if err != nil { // it was replaced meanwhile
		h.Set("Retry-After", "1")
		failSite(ctx, fasthttp.StatusServiceUnavailable)
		return
	}
	h.SetCanonical(reply.HeaderETag, file.Variants[content.Identity].ETag)
	ctx.Response.SetBodyStream(body, int(file.Size))
}

// failSite answers without a file.
func failSite(ctx *fasthttp.RequestCtx, status int) {
	h := &ctx.Response.Header
	h.SetContentType("text/plain; charset=utf-8")
	h.SetCanonical(reply.HeaderCacheControl, []byte("no-store"))
	ctx.Response.SetStatusCode(status)
	ctx.Response.SetBodyString(fasthttp.StatusMessage(status) + "\n")
}
