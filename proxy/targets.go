package proxy

import (
	"github.com/lewistv/xcri-proxy/proxy/admin"
	"github.com/lewistv/xcri-proxy/proxy/health"
)

// takesBody reports whether to read the body of a request: it is needed for an admin
// page, and to forward a request to the old API.
func (p *Proxy) takesBody(target []byte) bool {
	at := p.router.Locate(target)
	if at.Site || at.Root() || health.IsProbe(at.Path) {
		return false
	}
	if m := p.router.Match(at.Path, at.Query); m != nil {
		m.Release()
		return false
	}
	return p.opts.Legacy != nil || admin.IsPage(at.Path)
}

// reserved reports whether to serve a request over the connection limit: a request of
// an operator or a supervisor.
func (p *Proxy) reserved(target []byte) bool {
	at := p.router.Locate(target)
	return !at.Site && (admin.IsPage(at.Path) || health.IsProbe(at.Path))
}
