package proxy

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/valyala/fasthttp"
)

func (p *Proxy) sourcesStats() api.Sources {
	_, outage := p.outage.Since()
	p.judge(outage)
	p.sources.mu.Lock()
	defer p.sources.mu.Unlock()
	a, now := p.sources.now.Load(), time.Now()
	return api.Sources{Default: a.all.String(), Routes: a.differing(), Changed: len(p.sources.overrides) > 0, Breakers: map[string]api.Breaker{
		FromStore.String(): p.sources.store.stats(now), FromLegacy.String(): p.sources.legacy.stats(now),
	}}
}

func newLoads(counted *metrics.Route) map[string]api.Loads {
	all := map[string]api.Loads{}
	for s := range FromAuto {
		all[s.String()] = api.Loads{OK: counted.Loads[s].OK.Load(), Failed: counted.Loads[s].Failed.Load()}
	}
	return all
}

func (p *Proxy) sourceState() (s api.SourceState) {
	s.Sources = p.sourcesStats()
	s.Configured.Default, s.Configured.Routes = p.sources.configured.all.String(), p.sources.configured.differing()
	return s
}

// serveSource shows where answers come from.
func (p *Proxy) serveSource(ctx *fasthttp.RequestCtx) {
	p.sendJSON(ctx, fasthttp.StatusOK, p.sourceState())
}

// serveSourceChange has answers come from elsewhere.
func (p *Proxy) serveSourceChange(ctx *fasthttp.RequestCtx) {
	var req api.SourceRequest
	if !p.readJSON(ctx, &req) {
		return
	}
	purged, unkept, err := p.changeSources(req)
	switch {
	case errors.Is(err, errNoLegacy):
		p.fail(ctx, fasthttp.StatusConflict, err.Error())
		return
	case err != nil:
		p.fail(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	state := p.sourceState()
	state.Purged = &purged
	if unkept != nil {
		state.Warning = unkept.Error()
		p.opts.Logger.Warn("the change of source is not kept for the next run", "error", unkept)
	}
	p.opts.Logger.Warn("source changed", "default", state.Default, "routes", state.Routes, "reset", req.Reset, "purged", purged)
	p.sendJSON(ctx, fasthttp.StatusOK, state)
}

// changeSources does what is asked. Unkept says why it will not survive a
// restart; err what is wrong with the question.
func (p *Proxy) changeSources(req api.SourceRequest) (purged int, unkept, err error) {
	p.sources.mu.Lock()
	defer p.sources.mu.Unlock()
	overrides, err := p.overridesAfter(req)
	if err != nil {
		return 0, nil, err
	}
	purged, unkept = p.setSources(overrides)
	return purged, unkept, nil
}

// overridesAfter returns what will be set once the question is done.
func (p *Proxy) overridesAfter(req api.SourceRequest) (map[string]Source, error) {
	if req.Reset {
		if req.Source != "" || len(req.Routes) > 0 {
			return nil, errors.New("reset goes back to the configuration for all routes: give no source and no routes with it")
		}
		return nil, nil
	}
	source, err := ParseSource(req.Source)
	if err != nil {
		return nil, err
	}
	if err := p.possible(source); err != nil {
		return nil, fmt.Errorf("source %s: %w", source, err)
	}
	if len(req.Routes) == 0 {
		return map[string]Source{allRoutes: source}, nil
	}
	overrides := maps.Clone(p.sources.overrides)
	if overrides == nil {
		overrides = map[string]Source{}
	}
	for _, name := range req.Routes {
		r, err := p.routeWithSource(name)
		if err != nil {
			return nil, err
		}
		overrides[r.Path()] = source
	}
	return overrides, nil
}
