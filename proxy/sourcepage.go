package proxy

import (
	"errors"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

func newSources(s origin.Stats) api.Sources {
	return api.Sources{
		Default: s.Default.String(), Routes: sourceNames(s.Routes), Changed: s.Changed,
		Breakers: map[string]api.Breaker{
			origin.FromStore.String(): newBreaker(s.Store), origin.FromLegacy.String(): newBreaker(s.Legacy),
		},
	}
}

func newBreaker(b origin.BreakerStats) api.Breaker {
	state := api.BreakerClosed
	if b.Open {
		state = api.BreakerOpen
	}
	return api.Breaker{
		State: state, Since: orNull(b.Since), Reason: b.Reason, Switches: b.Switches,
		Loads: b.Loads, Failed: b.Failed, MeanMS: milliseconds(int64(b.Mean)),
	}
}

func sourceNames(routes map[string]origin.Source) map[string]string {
	names := map[string]string{}
	for path, s := range routes {
		names[path] = s.String()
	}
	return names
}

func newLoads(counted *metrics.Route) map[string]api.Loads {
	all := map[string]api.Loads{}
	for s := range origin.FromAuto {
		all[s.String()] = api.Loads{OK: counted.Loads[s].OK.Load(), Failed: counted.Loads[s].Failed.Load()}
	}
	return all
}

func (p *Proxy) sourceState() api.SourceState {
	s := p.origins.Stats()
	return api.SourceState{Sources: newSources(s), Configured: api.ConfiguredSources{
		Default: s.Configured.Default.String(), Routes: sourceNames(s.Configured.Routes),
	}}
}

// serveSource shows the sources of answers.
func (p *Proxy) serveSource(ctx *fasthttp.RequestCtx) {
	p.sendJSON(ctx, fasthttp.StatusOK, p.sourceState())
}

// serveSourceChange changes the sources of answers.
func (p *Proxy) serveSourceChange(ctx *fasthttp.RequestCtx) {
	var req api.SourceRequest
	if !p.readJSON(ctx, &req) {
		return
	}
	moved, err := p.override(req)
	switch {
	case errors.Is(err, origin.ErrNoLegacy):
		reply.Fail(ctx, fasthttp.StatusConflict, err.Error())
		return
	case err != nil:
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	purged, unkept := p.moved(moved)
	state := p.sourceState()
	state.Purged = &purged
	if unkept != nil {
		state.Warning = unkept.Error()
		p.opts.Logger.Warn("the change of source is not kept for the next run", "error", unkept)
	}
	p.opts.Logger.Warn("source changed", "default", state.Default, "routes", state.Routes, "reset", req.Reset, "purged", purged)
	p.sendJSON(ctx, fasthttp.StatusOK, state)
}

// override changes the sources as requested, and returns the routes whose source is
// another now.
func (p *Proxy) override(req api.SourceRequest) (moved []*route.Route, err error) {
	if !req.Reset {
		return p.origins.Override(req.Source, req.Routes)
	}
	if req.Source != "" || len(req.Routes) > 0 {
		return nil, errors.New("reset goes back to the configuration for all routes: give no source and no routes with it")
	}
	return p.origins.Reset(), nil
}

// moved follows a change of sources: it makes the entries of the routes stale, also
// those whose fill has yet to end, has the warm set filled again, and keeps the
// overrides for the next run. It returns the number of entries, and why the change
// can't be kept.
func (p *Proxy) moved(routes []*route.Route) (purged int, unkept error) {
	if len(routes) > 0 {
		of := map[*route.Route]bool{}
		for _, r := range routes {
			of[r] = true
		}
		purged = p.cache.Purge(func(e *cache.Entry) bool { return of[p.router.Of(e.Key)] }, false)
		p.generations.Refill()
	}
	return purged, p.state.change(func(s *State) { s.Sources = p.origins.Overrides() })
}
