package proxy

import "github.com/valyala/fasthttp"

// serveSite answers what is below the base path and not of the API: the site.
func (p *Proxy) serveSite(ctx *fasthttp.RequestCtx, at place) {
	p.fail(ctx, fasthttp.StatusNotFound, "Not Found")
}
