package fill

import (
	"context"

	"github.com/lewistv/xcri-proxy/cache/phase"
)

// Request is a request that may wait for a fill.
type Request struct {
	// ID names the request in the log lines of a slow fill that the request begins.
	ID string
	// Fill is the Clock of the fill that the request waited for, also if the request
	// gave up before the fill ended. The cache sets it; nil means that there was no fill.
	Fill *phase.Clock
}

// requestKey is the key of the value that WithRequest adds to a context.
type requestKey struct{}

// WithRequest returns a context that carries a request.
func WithRequest(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestOf returns the request that ctx carries, or a new Request.
func RequestOf(ctx context.Context) *Request {
	if r, ok := ctx.Value(requestKey{}).(*Request); ok {
		return r
	}
	return &Request{}
}
