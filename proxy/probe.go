package proxy

import (
	"github.com/lewistv/xcri-proxy/proxy/admin"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/valyala/fasthttp"
)

// serveProbe answers the two probes of a supervisor. It returns false for other paths.
// A proxy that answers is alive. It is ready if it has a warm set, also during an outage,
// and is not stopping.
func (p *Proxy) serveProbe(ctx *fasthttp.RequestCtx, path []byte) bool {
	if ctx.IsOptions() && isProbe(path) {
		reply.Allow(ctx)
		return true
	}
	switch string(path) {
	case "/livez":
		reply.Send(ctx, fasthttp.StatusOK, []byte(`{"status":"alive"}`))
	case "/readyz":
		if p.Ready() {
			reply.Send(ctx, fasthttp.StatusOK, []byte(`{"status":"ready"}`))
		} else {
			ctx.Response.Header.Set("Retry-After", "1")
			reply.Send(ctx, fasthttp.StatusServiceUnavailable, []byte(`{"status":"not ready"}`))
		}
	default:
		return false
	}
	return true
}

// isProbe reports whether path is the path of a probe.
func isProbe(path []byte) bool { return string(path) == "/livez" || string(path) == "/readyz" }

// Ready reports whether the proxy accepts requests and has a warm set: a published one,
// or during an outage a saved one.
func (p *Proxy) Ready() bool {
	if p.stopping.Load() {
		return false
	}
	select {
	case <-p.generations.Polled():
		return p.generations.Status().Published > 0 || p.cache.Warm() > 0
	default:
		return false
	}
}

// Polled returns a channel that is closed once Run has polled the database for the
// first time, or failed to within a second. From then on a saved entry of the
// database's generation is a hit, and during an outage all saved entries are
// served.
func (p *Proxy) Polled() <-chan struct{} { return p.generations.Polled() }

// Admin returns the part that answers operators.
func (p *Proxy) Admin() *admin.Admin { return p.admin }

// Stats returns the current counters.
func (p *Proxy) Stats() api.Stats { return p.admin.Stats() }
