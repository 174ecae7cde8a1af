package proxy

import (
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
)

// respond sends an entry in the client's preferred variant, or a 304. It returns false
// if the entry and its bodies have left the cache; the caller then repeats the lookup.
func (p *Proxy) respond(ctx *fasthttp.RequestCtx, e *cache.Entry, outcome cache.Outcome) bool {
	p.headers.Begin(&ctx.Response.Header, outcome, p.age(e, outcome, ctx.Time()))
	p.cors.Apply(ctx)
	ctx.Response.SetStatusCode(e.Status)
	v := p.sender.Select(ctx, e.Variants)
	return v == nil || p.sender.Variant(ctx, v, e.Variants, e.Size)
}

// age returns the Age header: seconds since the entry was last known to be fresh.
func (p *Proxy) age(e *cache.Entry, outcome cache.Outcome, now time.Time) int {
	return int(max(0, now.Sub(p.generations.ConfirmedOf(e, outcome))/time.Second))
}
