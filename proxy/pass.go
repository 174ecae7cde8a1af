package proxy

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// legacyPaths are the paths that only the old API answers, without a final slash.
var legacyPaths = []string{"/feedback", "/feedback/status", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}

const legacyMissing = "This is answered by the old API, and none is set up here."

// pass forwards a request outside of the read API to the old API. The answer keeps its
// own header fields: the proxy's fields would break its pages.
func (p *Proxy) pass(ctx *fasthttp.RequestCtx, at route.Place) {
	if p.opts.Legacy == nil {
		if slices.Contains(legacyPaths, strings.TrimSuffix(string(at.Path), "/")) {
			reply.Send(ctx, fasthttp.StatusServiceUnavailable, reply.ErrorOf(legacyMissing, p.traces.Begin(ctx).ID))
			return
		}
		reply.Fail(ctx, fasthttp.StatusNotFound, "Not Found")
		return
	}
	if ctx.IsConnect() || ctx.IsTrace() {
		reply.Fail(ctx, fasthttp.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	traced := p.traces.Begin(ctx)
	traced.Fill = phase.Start(phase.Legacy)
	defer traced.Fill.End()
	err := p.opts.Legacy.Forward(ctx, legacy.Visitor{Path: at.Path, Query: rawQuery(ctx.RequestURI()), Prefix: at.Prefix, RequestID: traced.ID})
	if errors.Is(err, legacy.ErrTarget) {
		reply.Fail(ctx, fasthttp.StatusNotFound, "Not Found")
		return
	}
	p.metrics.Passed.Add(1)
	traced.Outcome = cache.Pass.String()
	ctx.Response.Header.AddBytesV("Cache-Status", reply.CacheStatus(cache.Pass))
	if err != nil {
		p.failPassed(ctx, err)
		return
	}
	traced.Fill.Begin(phase.Compress)
	p.compressPassed(ctx)
}

// compressPassed compresses an answer of the old API that arrived uncompressed
// although the client accepts a coding: a page must arrive uncompressed to be
// rewritten. An answer with an ETag keeps the variant that the tag names.
func (p *Proxy) compressPassed(ctx *fasthttp.RequestCtx) {
	h, body := &ctx.Response.Header, ctx.Response.Body()
	if ctx.Response.StatusCode() != fasthttp.StatusOK || len(body) <= content.CompressAbove || len(h.ContentEncoding()) > 0 ||
		len(h.PeekCanonical(reply.HeaderETag)) > 0 || !isText(h.ContentType()) {
		return
	}
	v, _ := p.sender.Negotiator.Select(content.Variants(body), ctx.Request.Header.PeekCanonical(reply.HeaderAcceptEncoding), nil)
	if !varies(h) {
		h.Add("Vary", "Accept-Encoding")
	}
	if v.Coding != "" {
		h.SetContentEncoding(v.Coding)
		ctx.Response.SetBodyRaw(v.Body)
	}
}

// isText reports whether bodies of a content type compress well.
func isText(contentType []byte) bool {
	return bytes.HasPrefix(contentType, []byte("application/json")) || bytes.HasPrefix(contentType, []byte("text/"))
}

// varies reports whether an answer names Accept-Encoding in its Vary.
func varies(h *fasthttp.ResponseHeader) bool {
	return slices.ContainsFunc(h.PeekAll("Vary"), func(v []byte) bool { return bytes.Contains(bytes.ToLower(v), []byte("accept-encoding")) })
}

// rawQuery returns the query of a target with its question mark.
func rawQuery(target []byte) []byte {
	if i := slices.Index(target, '?'); i >= 0 {
		return target[i:]
	}
	return nil
}
