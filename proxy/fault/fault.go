// Package fault maps the errors of loads and of forwarded requests to the answers that
// clients get, and to the levels at which they are logged.
package fault

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/rarely"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/share"
	"github.com/lewistv/xcri-proxy/store"
)

// Texts of errors.
const (
	DatabaseAway = "The rankings database is not available right now. Please try again shortly."
	databaseBusy = "The rankings database has no connection free. Please try again shortly."
	databaseSlow = "The rankings database took too long to answer. Please try again shortly."
	ServiceAway  = "The rankings service is not available right now. Please try again shortly."
	serviceSlow  = "The rankings service took too long to answer. Please try again shortly."
	ServiceWrong = "The rankings service gave an answer that can't be used. Please try again shortly."
	overShare    = "Too many requests from your address wait for the rankings database. Please try again shortly."
	clientGone   = "The connection was closed before the answer was ready."
	restarting   = "The service is restarting. Please try again shortly."

	LegacyAway   = "The service that answers this is not available right now. Please try again shortly."
	LegacyUnsure = "The service that answers this failed. It is not known whether it took the request."
	legacySlow   = "The service that answers this took too long."
)

// Fault is the answer to a request that failed.
type Fault struct {
	Status int
	Detail string
}

// Body returns the body of the answer. Unless the old API has the same answer, it has the
// ID of the request, by which the log names it.
func (f Fault) Body(id string) []byte {
	if f == Internal {
		return reply.Error(f.Detail)
	}
	return reply.ErrorOf(f.Detail, id)
}

// table maps errors to answers, for questions of the read API and for requests that
// were forwarded to the old API. In the second case a missing status means internal
// error. The first matching row counts.
var table = []struct {
	err      error
	question Fault
	passed   Fault
}{
	{share.ErrFull, Fault{fasthttp.StatusTooManyRequests, overShare}, Fault{}},
	{cache.ErrGone, Fault{fasthttp.StatusServiceUnavailable, clientGone}, Fault{}},
	{cache.ErrDown, Fault{fasthttp.StatusServiceUnavailable, DatabaseAway}, Fault{}},
	{store.ErrUnavailable, Fault{fasthttp.StatusServiceUnavailable, DatabaseAway}, Fault{}},
	{store.ErrInterrupted, Fault{fasthttp.StatusServiceUnavailable, DatabaseAway}, Fault{}},
	{store.ErrBusy, Fault{fasthttp.StatusServiceUnavailable, databaseBusy}, Fault{}},
	{store.ErrExhausted, Fault{fasthttp.StatusServiceUnavailable, DatabaseAway}, Fault{}},
	{store.ErrSetup, Fault{fasthttp.StatusServiceUnavailable, DatabaseAway}, Fault{}},
	{store.ErrTimeout, Fault{fasthttp.StatusGatewayTimeout, databaseSlow}, Fault{}},
	{legacy.ErrBusy, Fault{fasthttp.StatusServiceUnavailable, ServiceAway}, Fault{fasthttp.StatusServiceUnavailable, LegacyAway}},
	{legacy.ErrUnavailable, Fault{fasthttp.StatusServiceUnavailable, ServiceAway}, Fault{fasthttp.StatusBadGateway, LegacyAway}},
	{legacy.ErrTimeout, Fault{fasthttp.StatusGatewayTimeout, serviceSlow}, Fault{fasthttp.StatusGatewayTimeout, legacySlow}},
	{legacy.ErrAnswer, Fault{fasthttp.StatusBadGateway, ServiceWrong}, Fault{fasthttp.StatusBadGateway, LegacyAway}},
	{cache.ErrWait, Fault{fasthttp.StatusGatewayTimeout, databaseSlow}, Fault{}},
	{context.DeadlineExceeded, Fault{fasthttp.StatusGatewayTimeout, databaseSlow}, Fault{}},
	{context.Canceled, Fault{fasthttp.StatusServiceUnavailable, restarting}, Fault{}},
}

// Internal is the answer to a request that failed for a reason that no row names.
var Internal = Fault{fasthttp.StatusInternalServerError, "Internal Server Error"}

// OfQuestion returns the answer to a question of the read API whose load failed.
func OfQuestion(err error) Fault {
	for _, row := range table {
		if row.question.Status != 0 && errors.Is(err, row.err) {
			return row.question
		}
	}
	return Internal
}

// OfPassed returns the answer to a request that could not be forwarded to the old API.
func OfPassed(err error) Fault {
	for _, row := range table {
		if row.passed.Status != 0 && errors.Is(err, row.err) {
			return row.passed
		}
	}
	return Internal
}

// complainEvery is the least time between two failures of the old API that are logged as
// errors.
const complainEvery = 10 * time.Second

// Complaints limits how often failures of the old API are logged as errors. Its zero
// value is ready for use.
type Complaints struct {
	last rarely.Event
}

// Level returns the level at which a failed request is logged. An outage of the
// database has been logged already.
func (c *Complaints) Level(err error) slog.Level {
	switch {
	case errors.Is(err, legacy.ErrUnavailable), errors.Is(err, legacy.ErrTimeout), errors.Is(err, legacy.ErrAnswer):
		if c.last.Now(complainEvery) {
			return slog.LevelError
		}
		return slog.LevelDebug
	case errors.Is(err, cache.ErrDown), errors.Is(err, maintenance.ErrOn), errors.Is(err, share.ErrFull), errors.Is(err, cache.ErrGone):
		return slog.LevelDebug
	}
	return store.ClassOf(err).Level()
}
