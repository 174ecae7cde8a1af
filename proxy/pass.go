package proxy

import (
	"github.com/valyala/fasthttp"
)

// pass hands a request that is none of ours to the old API.
func (p *Proxy) pass(ctx *fasthttp.RequestCtx, at place) {
	if p.opts.Legacy == nil {
		p.fail(ctx, fasthttp.StatusNotFound, "Not Found")
		return
	}
}
