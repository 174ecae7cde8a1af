package proxy

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/valyala/fasthttp"
)

// sourcesStats tell where answers come from.
type sourcesStats struct {
	Default  string                  `json:"default"`
	Routes   map[string]string       `json:"routes"`  // those whose source is another
	Changed  bool                    `json:"changed"` // while running, so that SOURCE does not tell
	Breakers map[string]breakerStats `json:"breakers"`
}

func (p *Proxy) sourcesStats() sourcesStats {
	_, outage := p.cache.Outage()
	p.judge(outage)
	p.sources.mu.Lock()
	defer p.sources.mu.Unlock()
	a, now := p.sources.now.Load(), time.Now()
	return sourcesStats{a.all.String(), a.differing(), len(p.sources.overrides) > 0, map[string]breakerStats{
		FromStore.String(): p.sources.store.stats(now), FromLegacy.String(): p.sources.legacy.stats(now),
	}}
}

// loadStats are the loads of one route from one source.
type loadStats struct {
	OK     int64 `json:"ok"`
	Failed int64 `json:"failed"`
}

func (f *figures) loadStats() map[string]loadStats {
	all := map[string]loadStats{}
	for s := range FromAuto {
		all[s.String()] = loadStats{f.loads[s].ok.Load(), f.loads[s].failed.Load()}
	}
	return all
}

// sourceRequest is the body of a POST to /cache/source: a source, or reset.
type sourceRequest struct {
	Source string `json:"source"`
	// Routes are endpoints' paths. None means all routes, those too that the
	// configuration or an earlier request names.
	Routes []string `json:"routes"`
	// Reset goes back to what is configured.
	Reset bool `json:"reset"`
}

// sourceState is what /cache/source shows.
type sourceState struct {
	sourcesStats
	Configured struct {
		Default string            `json:"default"`
		Routes  map[string]string `json:"routes"`
	} `json:"configured"`
	// Purged is how many entries a change has made stale, and Warning what is
	// wrong with it although it holds.
	Purged  *int   `json:"purged,omitempty"`
	Warning string `json:"warning,omitempty"`
}

func (p *Proxy) sourceState() (s sourceState) {
	s.sourcesStats = p.sourcesStats()
	s.Configured.Default, s.Configured.Routes = p.sources.configured.all.String(), p.sources.configured.differing()
	return s
}

// serveSource shows where answers come from.
func (p *Proxy) serveSource(ctx *fasthttp.RequestCtx) {
	p.sendJSON(ctx, fasthttp.StatusOK, p.sourceState())
}

// serveSourceChange has answers come from elsewhere.
func (p *Proxy) serveSourceChange(ctx *fasthttp.RequestCtx) {
	var req sourceRequest
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
func (p *Proxy) changeSources(req sourceRequest) (purged int, unkept, err error) {
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
func (p *Proxy) overridesAfter(req sourceRequest) (map[string]Source, error) {
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
		overrides[r.endpoint.Path] = source
	}
	return overrides, nil
}
