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
	// siteHeaders holds the header fields of every answer of the site. The API's
	// policy does not apply, since the site's pages load scripts from other hosts.
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

// redirect redirects the browser to the same path with a final slash.
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
	p.sendVariant(ctx, v, file.Variants, int(file.Size)) // the bodies are on the heap, so it can't fail
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
	if err != nil { // the file was replaced
		h.Set("Retry-After", "1")
		failSite(ctx, fasthttp.StatusServiceUnavailable)
		return
	}
	h.SetCanonical(reply.HeaderETag, file.Variants[content.Identity].ETag)
	ctx.Response.SetBodyStream(body, int(file.Size))
}

// failSite answers a request for which there is no file.
func failSite(ctx *fasthttp.RequestCtx, status int) {
	h := &ctx.Response.Header
	h.SetContentType("text/plain; charset=utf-8")
	h.SetCanonical(reply.HeaderCacheControl, []byte("no-store"))
	ctx.Response.SetStatusCode(status)
	ctx.Response.SetBodyString(fasthttp.StatusMessage(status) + "\n")
}
