package proxy

import (
	"net"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/accept"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/wire"
)

// maxAdminConns limits the connections of the admin listener, which is independent of
// the public listener's limit.
const maxAdminConns = 64

func (p *Proxy) privateOptions() wire.Options {
	o := p.wireOptions()
	o.Handler = func(ctx *fasthttp.RequestCtx) { p.guard(ctx, p.servePrivate) }
	o.Answer, o.OnRefuse, o.MaxConns, o.Reserved = nil, nil, maxAdminConns, nil
	return o
}

// ServeAdmin serves the admin pages and the probes on a separate listener until Drain
// or Shutdown, which close it. It may be called once.
func (p *Proxy) ServeAdmin(ln net.Listener) error {
	return p.private.Serve(accept.New(ln, p.opts.Logger))
}

// servePrivate answers a request of the admin listener, which has only the admin pages
// and the probes.
func (p *Proxy) servePrivate(ctx *fasthttp.RequestCtx) {
	p.headers.Common(&ctx.Response.Header)
	at := p.router.Locate(ctx.RequestURI())
	p.markAdmin(ctx)
	if at.Site || !p.admin.Serve(ctx, at.Path, true) && !p.health.Probe(ctx, at.Path) {
		reply.Fail(ctx, fasthttp.StatusNotFound, "Not Found")
	}
}
