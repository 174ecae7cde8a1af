package proxy

import (
	"context"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/health"
)

// Ready reports whether the proxy accepts requests and has a warm set, which was published
// in this run or saved by an earlier run.
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

// Alive returns nil if the proxy answers a probe before ctx ends: see health.Alive.
func (p *Proxy) Alive(ctx context.Context) error {
	return health.Alive(ctx, p.server.ServeConn)
}

// Warming returns the progress of the warm set.
func (p *Proxy) Warming() generation.Status { return p.generations.Status() }

// DownSince returns the time since when the database has been down; the zero time if
// it answers.
func (p *Proxy) DownSince() time.Time {
	began, err := p.outage.Since()
	if err == nil {
		return time.Time{}
	}
	return began
}
