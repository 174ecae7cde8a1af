package admin

import (
	"errors"
	"maps"
	"slices"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/proxy/admin/body"
	"github.com/lewistv/xcri-proxy/proxy/events"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
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

func (a *Admin) sourceState() api.SourceState {
	s := a.opts.Origins.Stats()
	return api.SourceState{Sources: newSources(s), Configured: api.ConfiguredSources{
		Default: s.Configured.Default.String(), Routes: sourceNames(s.Configured.Routes),
	}}
}

// serveSource shows the sources of answers.
func (a *Admin) serveSource(ctx *fasthttp.RequestCtx) {
	body.Send(ctx, fasthttp.StatusOK, a.sourceState())
}

// serveSourceChange changes the sources of answers.
func (a *Admin) serveSourceChange(ctx *fasthttp.RequestCtx) {
	var req api.SourceRequest
	if !body.Read(ctx, &req) {
		return
	}
	var purged int
	var unkept error
	warning, err := a.act(fleet.Source, req, req.Local, true, func() error {
		moved, err := a.override(req)
		if err == nil {
			purged, unkept = a.opts.OnSourceChange(moved)
		}
		return err
	})
	switch {
	case errors.Is(err, origin.ErrNoLegacy):
		reply.Fail(ctx, fasthttp.StatusConflict, err.Error())
		return
	case err != nil:
		reply.Fail(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	state := a.sourceState()
	state.Purged, state.Warning = &purged, warnings(unkept, warning)
	if unkept != nil {
		a.opts.Logger.Warn("the change of source is not kept for the next run", "error", unkept)
	}
	a.opts.Logger.Warn("source changed", "default", state.Default, "routes", state.Routes, "reset", req.Reset, "purged", purged)
	a.opts.Events.Add(events.Source, "source changed: "+sourceText(state.Sources))
	body.Send(ctx, fasthttp.StatusOK, state)
}

// sourceText describes the sources of answers.
func sourceText(s api.Sources) string {
	text := s.Default
	for _, path := range slices.Sorted(maps.Keys(s.Routes)) {
		text += ", " + path + " from " + s.Routes[path]
	}
	return text
}

// override changes the sources as requested, and returns the routes whose source is
// another now.
func (a *Admin) override(req api.SourceRequest) (moved []*route.Route, err error) {
	if !req.Reset {
		return a.opts.Origins.Override(req.Source, req.Routes)
	}
	if req.Source != "" || len(req.Routes) > 0 {
		return nil, errors.New("reset goes back to the configuration for all routes: give no source and no routes with it")
	}
	return a.opts.Origins.Reset(), nil
}
