// Package files serves the files of the site.
package files

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/send"
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

// Files serves the files of a site. It is safe for concurrent use.
type Files struct {
	site    *site.Site
	preload Preload
	sender  *send.Sender
	metrics *metrics.Metrics
}

// Preload returns the value of the Link header of a page, whose file has a tag; nil for
// none. It may be called concurrently.
type Preload func(ctx *fasthttp.RequestCtx, tag []byte) []byte

// New returns the Files of a site; a nil site has none.
func New(s *site.Site, preload Preload, sender *send.Sender, m *metrics.Metrics) *Files {
	return &Files{s, preload, sender, m}
}

// Serve answers a request below the base path that is not the API's. The header has the
// common fields of the API's answers.
func (f *Files) Serve(ctx *fasthttp.RequestCtx, at route.Place) {
	h := &ctx.Response.Header
	if f.site == nil {
		reply.Fail(ctx, fasthttp.StatusNotFound, "Not Found")
		return
	}
	f.metrics.SiteRequests.Add(1)
	for i := range siteHeaders {
		h.SetCanonical(siteHeaders[i][0], siteHeaders[i][1])
	}
	h.Del("Content-Security-Policy")
	h.DelBytes(reply.HeaderVary)
	switch {
	case ctx.IsOptions():
		reply.Allow(ctx)
	case !ctx.IsGet() && !ctx.IsHead():
		h.Set(fasthttp.HeaderAllow, reply.Allowed)
		fail(ctx, fasthttp.StatusMethodNotAllowed)
	case len(at.Path) == 0:
		redirect(ctx, at)
	default:
		f.serveFile(ctx, at.Path)
	}
}

// redirect redirects the browser to the same path with a final slash.
func redirect(ctx *fasthttp.RequestCtx, at route.Place) {
	to := []byte(at.Prefix + "/")
	if len(at.Query) > 0 {
		to = append(append(to, '?'), at.Query...)
	}
	ctx.Response.Header.SetBytesV("Location", to)
	fail(ctx, fasthttp.StatusPermanentRedirect)
}

func (f *Files) serveFile(ctx *fasthttp.RequestCtx, path []byte) {
	file, err := f.site.Find(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.metrics.SiteMissing.Add(1)
		fail(ctx, fasthttp.StatusNotFound)
		return
	case err != nil:
		ctx.Response.Header.Set("Retry-After", "1")
		fail(ctx, fasthttp.StatusServiceUnavailable)
		return
	}
	h := &ctx.Response.Header
	h.SetContentType(file.ContentType)
	h.SetCanonical(reply.HeaderCacheControl, file.CacheControl)
	if len(file.Variants) > 1 {
		h.SetCanonical(reply.HeaderVary, varyEncoding)
	}
	if opensPage(ctx) && strings.HasPrefix(file.ContentType, "text/html") {
		if link := f.preload(ctx, file.Variants[content.Identity].ETag); link != nil {
			h.SetBytesV("Link", link)
		}
	}
	v := f.sender.Select(ctx, file.Variants)
	if v == nil {
		return
	}
	if file.Large() {
		f.sendLarge(ctx, file)
		return
	}
	f.sender.Variant(ctx, v, file.Variants, int(file.Size)) // the bodies are on the heap, so it can't fail
}

// opensPage reports whether a browser opens the file as a page, not for another use.
// Source: Fetch Metadata.
func opensPage(ctx *fasthttp.RequestCtx) bool {
	return ctx.IsGet() && string(ctx.Request.Header.Peek("Sec-Fetch-Dest")) == "document"
}

// sendLarge sends a file from the disk.
func (f *Files) sendLarge(ctx *fasthttp.RequestCtx, file *site.File) {
	h := &ctx.Response.Header
	if ctx.IsHead() {
		h.SetCanonical(reply.HeaderETag, file.Variants[content.Identity].ETag)
		ctx.Response.SkipBody = true
		h.SetContentLength(int(file.Size))
		return
	}
	body, err := f.site.Open(file)
	if err != nil { // the file was replaced
		h.Set("Retry-After", "1")
		fail(ctx, fasthttp.StatusServiceUnavailable)
		return
	}
	h.SetCanonical(reply.HeaderETag, file.Variants[content.Identity].ETag)
	ctx.Response.SetBodyStream(body, int(file.Size))
}

// fail answers a request for which there is no file.
func fail(ctx *fasthttp.RequestCtx, status int) {
	h := &ctx.Response.Header
	h.SetContentType("text/plain; charset=utf-8")
	h.SetCanonical(reply.HeaderCacheControl, []byte("no-store"))
	ctx.Response.SetStatusCode(status)
	ctx.Response.SetBodyString(fasthttp.StatusMessage(status) + "\n")
}
