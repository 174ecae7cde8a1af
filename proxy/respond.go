package proxy

import (
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/wire"
)

// Header names in their canonical form, which nothing needs to rewrite.
var (
	headerAge          = []byte("Age")
	headerCacheControl = []byte("Cache-Control")
	headerCacheStatus  = []byte("Cache-Status")
	headerETag         = []byte("Etag")
	headerVary         = []byte("Vary")

	headerAcceptEncoding = []byte("Accept-Encoding")
	headerIfMatch        = []byte("If-Match")
	headerIfNoneMatch    = []byte("If-None-Match")
	headerOrigin         = []byte("Origin")
)

// headers holds the fields that many answers share. Copying a header takes less time
// than setting field after field.
type headers struct {
	every fasthttp.ResponseHeader // of every answer
	// cached are the headers of answers from the cache, by outcome.
	cached [cache.Outcomes]fasthttp.ResponseHeader
}

func newHeaders(opts Options) *headers {
	h := &headers{}
	for _, kv := range [][2]string{
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "strict-origin-when-cross-origin"},
		{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
		{"Content-Type", reply.JSON},
		{"Vary", "Accept-Encoding, Origin"},
	} {
		h.every.Set(kv[0], kv[1])
	}
	h.every.SetNoDefaultContentType(true)
	cacheControl := cacheControlOf(opts.MaxAge, opts.StaleWhileRevalidate)
	for o := range h.cached {
		// The fields that each answer sets come first, where a search ends early.
		h.cached[o].SetCanonical(headerAge, nil)
		h.cached[o].SetCanonical(headerETag, nil)
		for k, v := range h.every.All() {
			h.cached[o].SetCanonical(k, v)
		}
		h.cached[o].SetNoDefaultContentType(true)
		h.cached[o].SetCanonical(headerCacheControl, cacheControl)
		h.cached[o].SetCanonical(headerCacheStatus, cacheStatus[o])
	}
	return h
}

// cacheControlOf returns the Cache-Control of an answer from the cache. Without an age a
// browser asks each time whether its copy is still right, and gets a 304 if it is: so no
// visitor sees an answer from before a publish.
func cacheControlOf(maxAge, staleWhileRevalidate time.Duration) []byte {
	switch {
	case staleWhileRevalidate > 0:
		return fmt.Appendf(nil, "public, max-age=%d, stale-while-revalidate=%d", int(maxAge.Seconds()), int(staleWhileRevalidate.Seconds()))
	case maxAge > 0:
		return fmt.Appendf(nil, "public, max-age=%d", int(maxAge.Seconds()))
	}
	return []byte("public, no-cache")
}

// common begins the header of an answer.
func (h *headers) common(to *fasthttp.ResponseHeader) { h.every.CopyTo(to) }

// cacheStatus holds the value of Cache-Status for each outcome, whose name is its
// detail. Source: RFC 9211.
var cacheStatus = func() (texts [cache.Outcomes][]byte) {
	for o, text := range map[cache.Outcome]string{
		cache.Hit: "hit", cache.Stale: "hit", cache.StaleError: "hit",
		cache.Miss: "fwd=miss; stored", cache.Coalesced: "fwd=miss; collapsed",
		cache.Pass: "fwd=bypass", cache.Error: "fwd=miss",
	} {
		texts[o] = fmt.Appendf(nil, "xcri-proxy; %s; detail=%s", text, o)
	}
	return texts
}()

func statusOf(o cache.Outcome) []byte { return cacheStatus[o] }

// respond sends an entry in the client's preferred form, or a 304. It returns false,
// and the caller asks the cache again, if the entry has left the cache meanwhile and
// took its bodies along.
func (p *Proxy) respond(ctx *fasthttp.RequestCtx, e *cache.Entry, outcome cache.Outcome) bool {
	h := &ctx.Response.Header
	p.headers.cached[outcome].CopyTo(h)
	p.cors.apply(ctx)
	var digits [20]byte
	h.SetCanonical(headerAge, fasthttp.AppendUint(digits[:0], p.age(e, outcome, ctx.Time())))

	ctx.Response.SetStatusCode(e.Status)
	v := p.selectVariant(ctx, e.Variants)
	return v == nil || p.sendVariant(ctx, v, e.Variants, e.Size)
}

// selectVariant returns the variant to send. It returns nil after it has answered a
// request whose preconditions do not hold: 412 if If-Match names another body, 304 if
// the client has the body already. Preconditions count for a 200 alone.
// Source: RFC 9110, 13.2.2 and 15.4.5.
func (p *Proxy) selectVariant(ctx *fasthttp.RequestCtx, variants []cache.Variant) *cache.Variant {
	in, out := &ctx.Request.Header, &ctx.Response.Header
	var ifNoneMatch []byte
	if ctx.Response.StatusCode() == fasthttp.StatusOK {
		ifNoneMatch = in.PeekCanonical(headerIfNoneMatch)
		if ifMatch := in.PeekCanonical(headerIfMatch); ifMatch != nil && !content.Matches(variants[content.Identity].ETag, ifMatch) {
			out.DelBytes(headerETag)
			out.SetContentType(reply.JSON)
			reply.Fail(ctx, fasthttp.StatusPreconditionFailed, "Precondition Failed")
			return nil
		}
	}
	v, tag := p.negotiator.Select(variants, in.PeekCanonical(headerAcceptEncoding), ifNoneMatch)
	if tag == nil {
		return v
	}
	p.metrics.NotModified.Add(1)
	out.SetCanonical(headerETag, tag)
	out.SetContentType("")
	ctx.Response.SetStatusCode(fasthttp.StatusNotModified)
	return nil
}

// sendVariant sends v, one of the variants of a body of size bytes. It returns false if
// the body is gone; see respond.
func (p *Proxy) sendVariant(ctx *fasthttp.RequestCtx, v *cache.Variant, variants []cache.Variant, size int) bool {
	h := &ctx.Response.Header
	h.SetCanonical(headerETag, v.ETag)
	if v.Coding != "" {
		h.SetContentEncoding(v.Coding)
	}
	switch {
	case ctx.IsHead():
		if !v.HasBody() {
			p.metrics.Inflated.Add(1)
		} else {
			size = v.Len()
		}
		ctx.Response.SkipBody = true
		h.SetContentLength(size)
	case !v.HasBody():
		p.metrics.Inflated.Add(1)
		body, ok := content.Inflate(&variants[content.Gzip])
		if !ok {
			return false
		}
		ctx.Response.SetBodyStream(body, size)
	case !v.Hold():
		return false
	default:
		wire.Send(ctx, v)
	}
	return true
}

// age returns the Age header: seconds since the entry was last known to be fresh.
func (p *Proxy) age(e *cache.Entry, outcome cache.Outcome, now time.Time) int {
	return int(max(0, now.Sub(p.generations.ConfirmedOf(e, outcome))/time.Second))
}
