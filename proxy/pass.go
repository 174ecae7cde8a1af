package proxy

import (
	"errors"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// legacyPaths are those that only the old API answers, without a final slash.
var legacyPaths = []string{"/feedback", "/feedback/status", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}

const (
	legacyMissing = "This is answered by the old API, and none is set up here."
	legacyAway    = "The service that answers this is not available right now. Please try again shortly."
	legacyUnsure  = "The service that answers this failed. It is not known whether it took the request."
	legacySlow    = "The service that answers this took too long."
)

// legacyErrors are what a client is told when a request could not be passed.
var legacyErrors = []struct {
	err    error
	status int
	detail string
}{
	{legacy.ErrTimeout, fasthttp.StatusGatewayTimeout, legacySlow},
	{legacy.ErrBusy, fasthttp.StatusServiceUnavailable, legacyAway},
	{legacy.ErrUnavailable, fasthttp.StatusBadGateway, legacyAway},
	{legacy.ErrAnswer, fasthttp.StatusBadGateway, legacyAway},
}

// pass hands a request that is none of ours to the old API. Its answer keeps the
// headers that it came with: ours would break its pages.
func (p *Proxy) pass(ctx *fasthttp.RequestCtx, at route.Place) {
	if p.opts.Legacy == nil {
		if slices.Contains(legacyPaths, strings.TrimSuffix(string(at.Path), "/")) {
			p.fail(ctx, fasthttp.StatusServiceUnavailable, legacyMissing)
			return
		}
		p.fail(ctx, fasthttp.StatusNotFound, "Not Found")
		return
	}
	if ctx.IsConnect() || ctx.IsTrace() {
		p.fail(ctx, fasthttp.StatusMethodNotAllowed, "Method Not Allowed")
		return
	}
	err := p.opts.Legacy.Forward(ctx, legacy.Visitor{Path: at.Path, Query: rawQuery(ctx.RequestURI()), Prefix: at.Prefix})
	if errors.Is(err, legacy.ErrTarget) {
		p.fail(ctx, fasthttp.StatusNotFound, "Not Found")
		return
	}
	p.metrics.Passed.Add(1)
	ctx.Response.Header.AddBytesV("Cache-Status", statusOf(cache.Pass))
	if err != nil {
		p.failLegacy(ctx, err)
	}
}

// failLegacy answers a request that could not be passed. Nobody is asked to try
// again what may have been done.
func (p *Proxy) failLegacy(ctx *fasthttp.RequestCtx, err error) {
	for _, e := range legacyErrors {
		if !errors.Is(err, e.err) {
			continue
		}
		sent := !errors.Is(err, legacy.ErrBusy) && !errors.Is(err, legacy.ErrUnreached)
		if sent && !ctx.IsGet() && !ctx.IsHead() {
			p.fail(ctx, e.status, legacyUnsure)
			return
		}
		ctx.Response.Header.Set("Retry-After", "5")
		p.fail(ctx, e.status, e.detail)
		return
	}
	p.fail(ctx, fasthttp.StatusInternalServerError, "Internal Server Error")
}

// rawQuery is the query of a target as it came, with its question mark.
func rawQuery(target []byte) []byte {
	if i := slices.Index(target, '?'); i >= 0 {
		return target[i:]
	}
	return nil
}
