// Package trace gives requests IDs, by which log lines, answers and the old API name
// them, and reports answered requests: slow requests to the log, and all requests to
// watching operators.
package trace

import (
	"crypto/rand"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/phase"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/visitor"
)

// Header is the header that carries a request's ID, from a trusted proxy, to the old API
// and to the client.
const Header = "X-Request-Id"

// uniqueHeader carries the UNIQUE_ID of Apache's mod_unique_id, if Apache is configured to
// send it.
const uniqueHeader = "X-Unique-Id"

// timingHeader carries the phases of a fill to the client whose request began it.
const timingHeader = "Server-Timing"

// maxID is the length of the longest ID that is accepted.
const maxID = 128

// Options configure Traces.
type Options struct {
	// Trust lists the proxies whose request IDs and client addresses are accepted.
	Trust visitor.Trust
	// Slow is the least time to the answer of a request that is logged; zero means that no
	// request is logged.
	Slow time.Duration
	// OnTraced is called with each request that was traced, after its answer was sent.
	// It must not block. May be nil.
	OnTraced func(*api.Request)
	// Log gets each request after its answer was sent; nil means no log.
	Log Log
	// OnRequest is called with each request while the Traces are watched, after its
	// answer was sent. It must not block. May be nil.
	OnRequest func(*api.Request)
	// Logger receives slow requests; it is required if Slow is not zero.
	Logger *slog.Logger
}

// Log is an access log.
type Log interface {
	// Add adds a request. It must not block, and does not keep r.
	Add(r *api.Request)
	// Dropped returns the number of requests that could not be written.
	Dropped() int64
}

// Traces begins and ends the traces of requests. It is safe for concurrent use.
type Traces struct {
	opts    Options
	watches atomic.Int64
}

// Trace holds the facts about a traced request.
type Trace struct {
	// Request has the ID; empty for a request that is not traced, but watched.
	cache.Request
	Outcome    string // as in Cache-Status; empty for a request that did not use the cache
	Route, Key string // of the read API; empty for other requests
	Admin      bool   // for a page of operators
	// answered is when the answer was ready to be sent.
	answered time.Time
}

// New returns Traces.
func New(opts Options) *Traces {
	for _, f := range []*func(*api.Request){&opts.OnTraced, &opts.OnRequest} {
		if *f == nil {
			*f = func(*api.Request) {}
		}
	}
	ts := &Traces{opts: opts}
	if opts.Log != nil {
		ts.Watch()
	}
	return ts
}

// Watch makes the Traces report all requests to Options.OnRequest until the returned
// function is called.
func (ts *Traces) Watch() (stop func()) {
	ts.watches.Add(1)
	return func() { ts.watches.Add(-1) }
}

// Watched reports whether all requests are reported, hits too.
func (ts *Traces) Watched() bool { return ts.watches.Load() > 0 }

// userKey is the key of the user value that holds a request's Trace.
const userKey = "trace"

// Begin returns the trace of a request, which the first call begins. A hit has none: an
// ID costs more than the hit.
func (ts *Traces) Begin(ctx *fasthttp.RequestCtx) *Trace {
	t := ts.Note(ctx)
	if t.ID == "" {
		t.ID = ts.id(ctx)
	}
	return t
}

// Note returns a place for facts about a request. It does not trace the request.
func (ts *Traces) Note(ctx *fasthttp.RequestCtx) *Trace {
	t, ok := ctx.UserValue(userKey).(*Trace)
	if !ok {
		t = &Trace{}
		ctx.SetUserValue(userKey, t)
	}
	return t
}

// End is called when an answer is ready to be sent. It adds the ID to an answer that is
// traced, and the phases of the fill to an answer that was filled for this request. An
// answer that reports a failure of ours is traced in any case. End returns the request's
// trace, or nil.
func (ts *Traces) End(ctx *fasthttp.RequestCtx) *Trace {
	t, _ := ctx.UserValue(userKey).(*Trace)
	switch {
	case ctx.Response.StatusCode() >= fasthttp.StatusInternalServerError:
		t = ts.Begin(ctx)
	case t == nil && ts.Watched():
		t = ts.Note(ctx)
	}
	if t == nil {
		return nil
	}
	t.answered = time.Now()
	if t.ID != "" {
		ctx.Response.Header.Set(Header, t.ID)
		if t.Outcome == cache.Miss.String() && t.Fill != nil {
			ctx.Response.Header.SetBytesV(timingHeader, appendTiming(nil, t.Fill.Times(), t.answered.Sub(ctx.Time())))
		}
	}
	return t
}

// Sent reports a request whose answer was sent, after End.
func (ts *Traces) Sent(ctx *fasthttp.RequestCtx) {
	t, _ := ctx.UserValue(userKey).(*Trace)
	if t == nil {
		return
	}
	traced, watched := t.ID != "", ts.Watched()
	if !traced && !watched {
		return
	}
	took, sending := t.answered.Sub(ctx.Time()), time.Since(t.answered)
	r := ts.record(ctx, t, took, sending)
	if traced {
		if ts.opts.Slow > 0 && took >= ts.opts.Slow {
			ts.logSlow(r, t, took, sending)
		}
		ts.opts.OnTraced(r)
	}
	if watched {
		if ts.opts.Log != nil {
			ts.opts.Log.Add(r)
		}
		ts.opts.OnRequest(r)
	}
}

// logSlow logs a request that was slow, with the phases of its fill.
func (ts *Traces) logSlow(r *api.Request, t *Trace, took, sending time.Duration) {
	attrs := []any{"method", r.Method, "target", r.Target, "status", r.Status, "took", took, "request_id", t.ID}
	for _, a := range [][2]string{{"outcome", t.Outcome}, {"client", r.Client}} {
		if a[1] != "" {
			attrs = append(attrs, a[0], a[1])
		}
	}
	times := t.Fill.Times()
	attrs = append(append(attrs, times.Attrs(phase.Queue)...), "write", sending)
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
