package proxy

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/share"
)

// hint is the Preload of the site's files.
func (p *Proxy) hint(ctx *fasthttp.RequestCtx, tag []byte) []byte {
	path, _, _ := bytes.Cut(ctx.RequestURI(), []byte("?"))
	return p.opts.Preload.Open(share.Of(p.opts.TrustedProxies.Of(ctx).Address), path, tag, p.isHit)
}

// isHit reports whether a target would be answered by a fresh entry now.
func (p *Proxy) isHit(target string) bool {
	known := p.targets.Get([]byte(target))
	if known == nil || p.maintenance.On() {
		return false
	}
	sight := p.cache.Peek(&known.ref)
	return sight.Outcome == cache.Hit && sight.Entry.Status == fasthttp.StatusOK
}

// observe counts an answer from the cache for the page that asks for it, if a visit to
// that page is observed.
func (p *Proxy) observe(ctx *fasthttp.RequestCtx, e *cache.Entry) {
	if !p.opts.Preload.Observing() {
		return
	}
	referer := ctx.Request.Header.Referer()
	if !p.opts.Preload.Observes(referer) || !ctx.IsGet() || e.Status != fasthttp.StatusOK {
		return
	}
	size := e.Size
	if len(e.Variants) > content.Small {
		size = e.Variants[content.Small].Len()
	}
	p.opts.Preload.Asked(share.Of(p.opts.TrustedProxies.Of(ctx).Address), referer, ctx.RequestURI(), size)
}
