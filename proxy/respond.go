package proxy

import (
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/wire"
)

// respond sends an entry in the client's preferred variant, or a 304. It returns false
// if the entry and its bodies have left the cache; the caller then repeats the lookup.
func (p *Proxy) respond(ctx *fasthttp.RequestCtx, e *cache.Entry, outcome cache.Outcome) bool {
	h := &ctx.Response.Header
	p.headers.Cached(outcome).CopyTo(h)
	p.cors.Apply(ctx)
	var digits [20]byte
	h.SetCanonical(reply.HeaderAge, fasthttp.AppendUint(digits[:0], p.age(e, outcome, ctx.Time())))

	ctx.Response.SetStatusCode(e.Status)
	v := p.selectVariant(ctx, e.Variants)
	return v == nil || p.sendVariant(ctx, v, e.Variants, e.Size)
}

// selectVariant returns the variant to send. If a precondition fails, it answers the
// request and returns nil: 412 if If-Match names another body, 304 if the client
// already has the body. Preconditions apply to a 200 only. Source: RFC 9110, 13.2.2
// and 15.4.5.
func (p *Proxy) selectVariant(ctx *fasthttp.RequestCtx, variants []cache.Variant) *cache.Variant {
	in, out := &ctx.Request.Header, &ctx.Response.Header
	var ifNoneMatch []byte
	if ctx.Response.StatusCode() == fasthttp.StatusOK {
		ifNoneMatch = in.PeekCanonical(reply.HeaderIfNoneMatch)
		if ifMatch := in.PeekCanonical(reply.HeaderIfMatch); ifMatch != nil && !content.Matches(variants[content.Identity].ETag, ifMatch) {
			out.DelBytes(reply.HeaderETag)
			out.SetContentType(reply.JSON)
			reply.Fail(ctx, fasthttp.StatusPreconditionFailed, "Precondition Failed")
			return nil
		}
	}
	v, tag := p.negotiator.Select(variants, in.PeekCanonical(reply.HeaderAcceptEncoding), ifNoneMatch)
	if tag == nil {
		return v
	}
	p.metrics.NotModified.Add(1)
	out.SetCanonical(reply.HeaderETag, tag)
	out.SetContentType("")
	ctx.Response.SetStatusCode(fasthttp.StatusNotModified)
	return nil
}

// sendVariant sends v, one of the variants of a body of size bytes. It returns false if
// the body is gone; see respond.
func (p *Proxy) sendVariant(ctx *fasthttp.RequestCtx, v *cache.Variant, variants []cache.Variant, size int) bool {
	h := &ctx.Response.Header
	h.SetCanonical(reply.HeaderETag, v.ETag)
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
		ctx.Response.SetBodyStream(p.inflations.Reader(body), size)
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
