// Package trace gives requests IDs, by which log lines, answers and the old API name
// them, and logs slow requests.
package trace

import (
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/visitor"
)

// Header is the header that carries a request's ID, from a trusted proxy, to the old API
// and to the client.
const Header = "X-Request-Id"

// uniqueHeader carries the UNIQUE_ID of Apache's mod_unique_id, if Apache is set up so.
const uniqueHeader = "X-Unique-Id"

// maxID is the length of the longest ID that is taken.
const maxID = 128

// Options configure Traces.
type Options struct {
	Trust visitor.Trust
	// Slow is the time of a request from which on it is logged; zero means that none is.
	Slow   time.Duration
	Logger *slog.Logger
}

// Traces begins and ends the traces of requests. It is safe for concurrent use.
type Traces struct{ opts Options }

// Trace holds the facts about a traced request.
type Trace struct {
	ID      string
	Outcome string // as in Cache-Status; empty for a request that asked the cache for nothing
}

// New returns Traces.
func New(opts Options) *Traces { return &Traces{opts} }

// userKey is the key of the user value that holds a request's Trace.
const userKey = "trace"

// Begin returns the trace of a request, which the first call begins. A hit has none: an
// ID costs more than the hit.
func (ts *Traces) Begin(ctx *fasthttp.RequestCtx) *Trace {
	if t, ok := ctx.UserValue(userKey).(*Trace); ok {
		return t
	}
	t := &Trace{ID: ts.id(ctx)}
	ctx.SetUserValue(userKey, t)
	return t
}

// End adds the ID to an answer that is traced, and logs the request if it was slow. An
// answer that reports a failure of ours is traced in any case.
func (ts *Traces) End(ctx *fasthttp.RequestCtx) {
	t, ok := ctx.UserValue(userKey).(*Trace)
	if !ok {
		if ctx.Response.StatusCode() < fasthttp.StatusInternalServerError {
			return
		}
		t = ts.Begin(ctx)
	}
	ctx.Response.Header.Set(Header, t.ID)
	took := time.Since(ctx.Time())
	if ts.opts.Slow <= 0 || took < ts.opts.Slow {
		return
	}
	attrs := []any{
		"method", string(ctx.Method()), "target", string(ctx.RequestURI()), "status", ctx.Response.StatusCode(),
		"took", took, "request_id", t.ID,
	}
	if t.Outcome != "" {
		attrs = append(attrs, "outcome", t.Outcome)
	}
	if client := ts.opts.Trust.Of(ctx).Address; client.IsValid() {
		attrs = append(attrs, "client", client.String())
	}
	ts.opts.Logger.Warn("slow request", attrs...)
}

// id returns the ID that a trusted proxy sent, or a new ID.
func (ts *Traces) id(ctx *fasthttp.RequestCtx) string {
	if ts.opts.Trust.Believes(visitor.Peer(ctx.RemoteAddr())) {
		for _, name := range []string{Header, uniqueHeader} {
			if sent := ctx.Request.Header.PeekAll(name); len(sent) == 1 && isSafe(sent[0]) {
				return string(sent[0])
			}
		}
	}
	return rand.Text()
}

// isSafe reports whether an ID can stand in a header and in a log line without quotes.
func isSafe(id []byte) bool {
	for _, c := range id {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-', c == '_', c == '.', c == '@', c == ':', c == '/', c == '+', c == '=':
		default:
			return false
		}
	}
	return len(id) > 0 && len(id) <= maxID
}
