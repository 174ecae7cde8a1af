package proxy

import (
	"context"
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fault"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
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
		p.failMaintenance(ctx)
		return
	}
	f := fault.OfQuestion(err)
	if f.Status != fasthttp.StatusInternalServerError {
		reply.RetryAfter(ctx, store.ClassOf(err).RetryAfter())
	}
	reply.Send(ctx, f.Status, f.Body(p.traces.Begin(ctx).ID))
}

// failPassed answers a request that could not be forwarded to the old API. It sends no
// Retry-After for a request that the old API may have processed.
func (p *Proxy) failPassed(ctx *fasthttp.RequestCtx, err error) {
	f := fault.OfPassed(err)
	sent := !errors.Is(err, legacy.ErrBusy) && !errors.Is(err, legacy.ErrUnreached)
	switch {
	case f == fault.Internal:
	case sent && !ctx.IsGet() && !ctx.IsHead():
		f.Detail = fault.LegacyUnsure
	default:
		reply.RetryAfter(ctx, 5*time.Second)
	}
	reply.Send(ctx, f.Status, f.Body(p.traces.Begin(ctx).ID))
}
