package admin

import (
	"errors"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/tail"
	"github.com/lewistv/xcri-proxy/proxy/wire"
)

// serveTail sends requests as they are answered, until the client leaves.
func (a *Admin) serveTail(ctx *fasthttp.RequestCtx) {
	args := ctx.QueryArgs()
	filter, err := tail.ParseFilter(func(field string) string { return string(args.Peek(field)) }, tail.Names{
		Outcomes: cache.OutcomeNames(),
		RouteOf: func(name string) (string, error) {
			r, err := a.opts.Routes.Named(name)
			if err != nil {
				return "", err
			}
			return r.Path(), nil
		},
	})
	if err != nil {
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	ctx.Response.Header.SetContentType("application/x-ndjson")
	reply.Send(ctx, fasthttp.StatusOK, nil)
	if ctx.IsHead() {
		return
	}
	listener, err := a.opts.Tail.Listen(filter)
	if err != nil {
		status := fasthttp.StatusServiceUnavailable
		if errors.Is(err, tail.ErrFull) {
			status = fasthttp.StatusTooManyRequests
		}
		ctx.Response.Header.SetContentType(reply.JSON)
		reply.Fail(ctx, status, err.Error())
		return
	}
	wire.Stream(ctx, listener)
}
