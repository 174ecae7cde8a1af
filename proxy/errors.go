package proxy

import (
	"context"
	"errors"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fault"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// failQuestion answers a question of the read API whose load failed.
func (p *Proxy) failQuestion(ctx *fasthttp.RequestCtx, r *route.Route, err error) {
	p.opts.Logger.Log(context.Background(), p.complaints.Level(err), "no answer", "target", string(ctx.RequestURI()), "route", r.Path(), "request_id", p.traces.Begin(ctx).ID, "error", err)
	p.headers.Common(&ctx.Response.Header)
	p.cors.Apply(ctx)
	ctx.Response.Header.SetCanonical(reply.HeaderCacheStatus, reply.CacheStatus(cache.Error))
	if errors.Is(err, maintenance.ErrOn) {
		p.notice.Fail(ctx)
		return
	}
	f := fault.OfQuestion(err)
	if f.Status != fasthttp.StatusInternalServerError {
		reply.RetryAfter(ctx, store.ClassOf(err).RetryAfter())
	}
	reply.Send(ctx, f.Status, f.Body(p.traces.Begin(ctx).ID))
}
