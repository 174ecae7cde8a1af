// Package send sends a body in the form that its client prefers, or answers a precondition
// of the request: 304 or 412.
package send

import (
	"errors"
	"io"
	"runtime"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/budget"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/wire"
)

// Sender sends bodies. It is safe for concurrent use.
type Sender struct {
	// Negotiator chooses among the forms of a body.
	Negotiator *content.Negotiator
	inflations *content.Pace
	memory     *budget.Budget
	metrics    *metrics.Metrics
}

// New returns a Sender that inflates bodies on at most half of the processors, within a
// budget of memory; a nil budget has no limit.
func New(m *metrics.Metrics, memory *budget.Budget) *Sender {
	return &Sender{content.NewNegotiator(), content.NewPace(runtime.GOMAXPROCS(0) / 2), memory, m}
}

// Select returns the variant to send. If a precondition fails, it answers the
// request and returns nil: 412 if If-Match names another body, 304 if the client
// already has the body. Preconditions apply to a 200 only. Source: RFC 9110, 13.2.2
// and 15.4.5.
func (s *Sender) Select(ctx *fasthttp.RequestCtx, variants []cache.Variant) *cache.Variant {
	in, out := &ctx.Request.Header, &ctx.Response.Header
	var ifNoneMatch []byte
	if ctx.Response.StatusCode() == fasthttp.StatusOK {
		ifNoneMatch = in.PeekCanonical(reply.HeaderIfNoneMatch)
		if ifMatch := in.PeekCanonical(reply.HeaderIfMatch); ifMatch != nil && !content.Matches(variants[content.Identity].ETag, ifMatch) {
			out.DelBytes(reply.HeaderETag)
			out.SetContentType(reply.JSON)
			reply.Fail(ctx, fasthttp.StatusPreconditionFailed, "Precondition Failed")
			return nil
		}
	}
	v, tag := s.Negotiator.Select(variants, in.PeekCanonical(reply.HeaderAcceptEncoding), ifNoneMatch)
	if tag == nil {
		return v
	}
	out.SetCanonical(reply.HeaderETag, tag)
	out.SetContentType("")
	ctx.Response.SetStatusCode(fasthttp.StatusNotModified)
	return nil
}

// Variant sends v, one of the variants of a body of size bytes. It returns false if
// the body has left the cache.
func (s *Sender) Variant(ctx *fasthttp.RequestCtx, v *cache.Variant, variants []cache.Variant, size int) bool {
	h := &ctx.Response.Header
	h.SetCanonical(reply.HeaderETag, v.ETag)
	if v.Coding != "" {
		h.SetContentEncoding(v.Coding)
	}
	switch {
	case ctx.IsHead():
		if !v.HasBody() {
			s.metrics.Inflated.Add(1)
		} else {
			size = v.Len()
		}
		ctx.Response.SkipBody = true
		h.SetContentLength(size)
	case !v.HasBody():
		return s.inflate(ctx, &variants[content.Gzip], size)
	case !v.Hold():
		return false
	default:
		wire.Send(ctx, v)
	}
	return true
}

const (
	// inflating is the memory, in bytes, that a body needs while it is inflated.
	inflating = 48 << 10
	// retryAfter is the time after which there may be memory again.
	retryAfter = 5 * time.Second
	manyPlain  = "Too many answers are being sent without compression right now. Please accept gzip, or try again shortly."
)

// inflate sends a body that only exists in compressed forms. The memory counts until the
// client has read the body: clients that read slowly can't use up the process's memory.
func (s *Sender) inflate(ctx *fasthttp.RequestCtx, gzipped *cache.Variant, size int) bool {
	room := s.memory.Room()
	if !room.Grow(inflating) {
		h := &ctx.Response.Header
		h.DelBytes(reply.HeaderETag)
		h.SetContentType(reply.JSON)
		reply.RetryAfter(ctx, retryAfter)
		reply.Fail(ctx, fasthttp.StatusServiceUnavailable, manyPlain)
		return true
	}
	body, ok := content.Inflate(gzipped)
	if !ok {
		room.Close()
		return false
	}
	s.metrics.Inflated.Add(1)
	ctx.Response.SetBodyStream(s.inflations.Reader(&inflated{body, room}), size)
	return true
}

// inflated is a body and the memory that it needs.
type inflated struct {
	io.ReadCloser
	room budget.Room
}

// Close closes the body and returns the memory.
func (i *inflated) Close() error { return errors.Join(i.ReadCloser.Close(), i.room.Close()) }
