package proxy

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

// Texts of errors.
const (
	databaseAway = "The rankings database is not available right now. Please try again shortly."
	databaseBusy = "The rankings database has no connection free. Please try again shortly."
	databaseSlow = "The rankings database took too long to answer. Please try again shortly."
	serviceAway  = "The rankings service is not available right now. Please try again shortly."
	serviceSlow  = "The rankings service took too long to answer. Please try again shortly."
	serviceWrong = "The rankings service gave an answer that can't be used. Please try again shortly."
	overShare    = "Too many requests from your address wait for the rankings database. Please try again shortly."
	clientGone   = "The connection was closed before the answer was ready."
	restarting   = "The service is restarting. Please try again shortly."

	legacyAway   = "The service that answers this is not available right now. Please try again shortly."
	legacyUnsure = "The service that answers this failed. It is not known whether it took the request."
	legacySlow   = "The service that answers this took too long."
)

// failure is the answer to a request that failed.
type failure struct {
	status int
	detail string
}

// failures maps errors to answers, for questions of the read API and for requests that
// were forwarded to the old API. In the second case a missing status means internal
// error. The first matching row counts.
var failures = []struct {
	err      error
	question failure
	passed   failure
}{
	{errShare, failure{fasthttp.StatusTooManyRequests, overShare}, failure{}},
	{cache.ErrGone, failure{fasthttp.StatusServiceUnavailable, clientGone}, failure{}},
	{cache.ErrDown, failure{fasthttp.StatusServiceUnavailable, databaseAway}, failure{}},
	{store.ErrUnavailable, failure{fasthttp.StatusServiceUnavailable, databaseAway}, failure{}},
	{store.ErrInterrupted, failure{fasthttp.StatusServiceUnavailable, databaseAway}, failure{}},
	{store.ErrBusy, failure{fasthttp.StatusServiceUnavailable, databaseBusy}, failure{}},
	{store.ErrSetup, failure{fasthttp.StatusServiceUnavailable, databaseAway}, failure{}},
	{store.ErrTimeout, failure{fasthttp.StatusGatewayTimeout, databaseSlow}, failure{}},
	{legacy.ErrBusy, failure{fasthttp.StatusServiceUnavailable, serviceAway}, failure{fasthttp.StatusServiceUnavailable, legacyAway}},
	{legacy.ErrUnavailable, failure{fasthttp.StatusServiceUnavailable, serviceAway}, failure{fasthttp.StatusBadGateway, legacyAway}},
	{legacy.ErrTimeout, failure{fasthttp.StatusGatewayTimeout, serviceSlow}, failure{fasthttp.StatusGatewayTimeout, legacySlow}},
	{legacy.ErrAnswer, failure{fasthttp.StatusBadGateway, serviceWrong}, failure{fasthttp.StatusBadGateway, legacyAway}},
	{cache.ErrWait, failure{fasthttp.StatusGatewayTimeout, databaseSlow}, failure{}},
	{context.DeadlineExceeded, failure{fasthttp.StatusGatewayTimeout, databaseSlow}, failure{}},
	{context.Canceled, failure{fasthttp.StatusServiceUnavailable, restarting}, failure{}},
}

var internalError = failure{fasthttp.StatusInternalServerError, "Internal Server Error"}

// failureOf returns the answer to a request that ended with an error.
func failureOf(err error, passed bool) failure {
	for _, row := range failures {
		f := row.question
		if passed {
			f = row.passed
		}
		if f.status != 0 && errors.Is(err, row.err) {
			return f
		}
	}
	return internalError
}

// failQuestion answers a question of the read API whose load failed.
func (p *Proxy) failQuestion(ctx *fasthttp.RequestCtx, r *route.Route, err error) {
	p.opts.Logger.Log(context.Background(), p.legacyErrors.level(err), "no answer", "target", string(ctx.RequestURI()), "route", r.Path(), "request_id", p.traces.Begin(ctx).ID, "error", err)
	p.headers.Common(&ctx.Response.Header)
	p.cors.Apply(ctx)
	ctx.Response.Header.SetCanonical(reply.HeaderCacheStatus, reply.CacheStatus(cache.Error))
	if errors.Is(err, maintenance.ErrOn) {
		p.failMaintenance(ctx)
		return
	}
	f := failureOf(err, false)
	if f.status != fasthttp.StatusInternalServerError {
		reply.RetryAfter(ctx, store.ClassOf(err).RetryAfter())
	}
	reply.Fail(ctx, f.status, f.detail)
}

// failPassed answers a request that could not be forwarded to the old API. It sends no
// Retry-After for a request that the old API may have processed.
func (p *Proxy) failPassed(ctx *fasthttp.RequestCtx, err error) {
	f := failureOf(err, true)
	sent := !errors.Is(err, legacy.ErrBusy) && !errors.Is(err, legacy.ErrUnreached)
	switch {
	case f == internalError:
	case sent && !ctx.IsGet() && !ctx.IsHead():
		f.detail = legacyUnsure
	default:
		reply.RetryAfter(ctx, 5*time.Second)
	}
	reply.Fail(ctx, f.status, f.detail)
}

// complainEvery is the least time between two failures of the old API that are logged
// as errors.
const complainEvery = 10 * time.Second

// complaints limits how often failures of the old API are logged as errors. Its zero
// value is ready for use.
type complaints struct {
	last atomic.Pointer[time.Time] // on the monotonic clock
}

// level returns the level at which a failed request is logged. An outage of the
// database has been logged already.
func (c *complaints) level(err error) slog.Level {
	switch {
	case errors.Is(err, legacy.ErrUnavailable), errors.Is(err, legacy.ErrTimeout), errors.Is(err, legacy.ErrAnswer):
		now, last := time.Now(), c.last.Load()
		if (last == nil || now.Sub(*last) >= complainEvery) && c.last.CompareAndSwap(last, &now) {
			return slog.LevelError
		}
		return slog.LevelDebug
	case errors.Is(err, cache.ErrDown), errors.Is(err, maintenance.ErrOn), errors.Is(err, errShare), errors.Is(err, cache.ErrGone):
		return slog.LevelDebug
	}
	return store.ClassOf(err).Level()
}
