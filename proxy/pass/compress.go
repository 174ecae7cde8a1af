package pass

import (
	"bytes"
	"slices"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/reply"
)

// compress compresses an answer of the old API that arrived uncompressed although the
// client accepts a coding: a page must arrive uncompressed to be rewritten. An answer with
// an ETag keeps the variant that the tag names.
func (h *Handler) compress(ctx *fasthttp.RequestCtx) {
	out, body := &ctx.Response.Header, ctx.Response.Body()
	if ctx.Response.StatusCode() != fasthttp.StatusOK || len(body) <= content.CompressAbove || len(out.ContentEncoding()) > 0 ||
		len(out.PeekCanonical(reply.HeaderETag)) > 0 || !isText(out.ContentType()) {
		return
	}
	v, _ := h.Negotiator.Select(content.Variants(body), ctx.Request.Header.PeekCanonical(reply.HeaderAcceptEncoding), nil)
	if !varies(out) {
		out.Add("Vary", "Accept-Encoding")
	}
	if v.Coding != "" {
		out.SetContentEncoding(v.Coding)
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
