package proxy

import (
	"net"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/reply"
)

// maxAdminConns limits the connections of the admin pages' own listener. It has
// room when the public one is full.
const maxAdminConns = 64

// private is the server of the admin pages' own listener.
type private struct {
	server *fasthttp.Server
	conns  conns
}

func (v *private) init(p *Proxy) {
	v.conns.timeouts = clientTimeouts
	v.server = newServer(p)
	v.server.Handler = func(ctx *fasthttp.RequestCtx) { p.guard(ctx, p.servePrivate) }
	v.server.Concurrency = maxAdminConns
}

// ServeAdmin answers requests for the admin pages, and the probes, on a listener of
// their own until Drain or Shutdown, which close it. It may be called once.
func (p *Proxy) ServeAdmin(ln net.Listener) error {
	listener := p.private.conns.listen(ln)
	if listener == nil {
		return ln.Close()
	}
	defer p.private.conns.served()
	return p.private.server.Serve(listener)
}

// servePrivate answers on the admin pages' own listener: them, and the probes.
func (p *Proxy) servePrivate(ctx *fasthttp.RequestCtx) {
	p.headers.common(&ctx.Response.Header)
	at := p.router.Locate(ctx.RequestURI())
	if at.Site || !p.serveAdmin(ctx, at.Path, true) && !p.serveProbe(ctx, at.Path) {
		reply.Fail(ctx, fasthttp.StatusNotFound, "Not Found")
	}
}
