// Package pass forwards the requests outside of the read API to the old API.
package pass

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/fault"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/trace"
)

// legacyPaths are the paths that only the old API answers, without a final slash.
var legacyPaths = []string{"/feedback", "/feedback/status", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}

const legacyMissing = "This is answered by the old API, and none is set up here."

// Handler forwards requests. Its fields are required, except Legacy. It is safe for
// concurrent use.
type Handler struct {
	Legacy     *legacy.Client // nil means no old API
	Traces     *trace.Traces
	Negotiator *content.Negotiator
	Metrics    *metrics.Metrics
}

// Serve forwards a request. The answer keeps its own header fields: the proxy's fields would
// break the pages of the old API.
func (h *Handler) Serve(ctx *fasthttp.RequestCtx, at route.Place) {
	if h.Legacy == nil {
		if slices.Contains(legacyPaths, strings.TrimSuffix(string(at.Path), "/")) {
			reply.Send(ctx, fasthttp.StatusServiceUnavailable, reply.ErrorOf(legacyMissing, h.Traces.Begin(ctx).ID))
			return
		}
		reply.Fail(ctx, fasthttp.StatusNotFound, "Not Found")
		return
	}
	if ctx.IsConnect() || ctx.IsTrace() {
		reply.Fail(ctx, fasthttp.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	traced := h.Traces.Begin(ctx)
	traced.Fill = phase.Start(phase.Legacy)
	defer traced.Fill.End()
	err := h.Legacy.Forward(ctx, legacy.Visitor{Path: at.Path, Query: rawQuery(ctx.RequestURI()), Prefix: at.Prefix, RequestID: traced.ID})
	if errors.Is(err, legacy.ErrTarget) {
		reply.Fail(ctx, fasthttp.StatusNotFound, "Not Found")
		return
	}
	h.Metrics.Passed.Add(1)
	traced.Outcome = cache.Pass.String()
	ctx.Response.Header.AddBytesV("Cache-Status", reply.CacheStatus(cache.Pass))
	if err != nil {
		fail(ctx, err, traced.ID)
		return
	}
	traced.Fill.Begin(phase.Compress)
	h.compress(ctx)
}

// fail answers a request that could not be forwarded. It sends no Retry-After for a request
// that the old API may have processed.
func fail(ctx *fasthttp.RequestCtx, err error, id string) {
	f := fault.OfPassed(err)
	sent := !errors.Is(err, legacy.ErrBusy) && !errors.Is(err, legacy.ErrUnreached)
	switch {
	case f == fault.Internal:
	case sent && !ctx.IsGet() && !ctx.IsHead():
		f.Detail = fault.LegacyUnsure
	default:
		reply.RetryAfter(ctx, 5*time.Second)
	}
	reply.Send(ctx, f.Status, f.Body(id))
}

// rawQuery returns the query of a target with its question mark.
func rawQuery(target []byte) []byte {
	if i := slices.Index(target, '?'); i >= 0 {
		return target[i:]
	}
	return nil
}
