package app

import (
	"fmt"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy"
	"github.com/lewistv/xcri-proxy/proxy/admin"
	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
	"github.com/lewistv/xcri-proxy/proxy/budget"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/generation/note"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/preload"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/share"
)

// options converts the settings for the proxy, and loads the saved files of an earlier
// run. The old API and the site are not among them.
func (a *App) options(program Program, requests *budget.Budget) (opts proxy.Options, err error) {
	cfg := a.cfg
	a.maker = makerOf(program.Version, cfg.Database)
	saved, text := load(cfg, a.maker, a.log)
	a.saved = len(saved)
	opts = proxy.Options{
		Origin: a.store,
		Cache: cache.Options{
			Bytes: cfg.Cache.Bytes, FillTimeout: cfg.Cache.FillTimeout, WaitTimeout: cfg.Cache.WaitTimeout,
			// One connection is reserved for polls of the generation.
			Fills: max(1, cfg.Database.MaxConns-1), SlowFill: cfg.Slow.Fill,
		},
		Generations: generation.Options{
			Interval: cfg.Cache.Poll, OnPublish: a.toSave,
			Changes: generation.Changes{
				Settle: cfg.Cache.Settle, MaxAge: cfg.Cache.DataMaxAge, ImplausibleAfter: cfg.Cache.ImplausibleAfter,
				Saved: note.Parse(text),
			},
		},
		Kept: proxy.Kept{Saved: saved, OnState: a.handOver.owning(keepState(cfg.StateFile))},
		Limits: proxy.Limits{
			Memory:   &memfile.Memory{Changed: newMemoryLimit(cfg.MemoryLimit).follow},
			Requests: requests, MaxConns: min(maxConns(cfg, a.log), connsOf(cfg.MemoryLimit)), Clients: clientLimits(cfg.ClientLimits),
		},
		BasePath: cfg.BasePath, CORSOrigins: cfg.CORSOrigins, TrustedProxies: cfg.TrustedProxies,
		Admin: admin.Settings{
			Gate:        gate.Options{Token: string(cfg.AdminToken), LocalToken: bool(cfg.Admin.LocalToken), Separate: cfg.Admin.Addr != ""},
			MemoryLimit: admin.Limit{Bytes: cfg.MemoryLimit, Setting: "MEMORY_LIMIT"},
			LostLines:   lostLines(a.log),
		},
		Reuse:        reply.Reuse{MaxAge: cfg.Cache.MaxAge, StaleWhileRevalidate: cfg.Cache.StaleWhileRevalidate, CDN: cdnOf(cfg.Front)},
		Front:        frontOf(cfg.Front),
		Sources:      origin.Options{MaxErrors: float64(cfg.Legacy.MaxErrors), MaxSlowdown: cfg.Legacy.MaxSlowdown},
		VerifySample: float64(cfg.Legacy.VerifySample),
		Version:      program.Version, Logger: a.log,
	}
	if cfg.SitePreload {
		opts.Preload = preload.New()
	}
	if cfg.Cache.Warm == config.WarmSeason {
		opts.Season = a.store
	}
	if cfg.Cache.IdleCompress {
		opts.Lull = &content.Lull{}
		opts.Cache.Shrink = a.shrink(program.Apart, opts.Memory, opts.Lull)
	}
	if opts.Sources.Source, opts.Sources.RouteSources, err = sourcesOf(cfg.Legacy); err != nil {
		return opts, err
	}
	if opts.Trace, err = a.traceOptions(); err != nil {
		return opts, err
	}
	opts.State, err = loadState(cfg.StateFile)
	return opts, err
}

// clientLimits converts the limits of a client for the proxy.
func clientLimits(l config.ClientLimits) share.Limits {
	return share.Limits{Requests: l.Requests, Fills: [cache.Lanes]int{cache.Quick: l.Quick, cache.Heavy: l.Heavy, cache.Costly: l.Costly}}
}

// sourcesOf converts the settings of the sources for the proxy.
func sourcesOf(cfg config.Legacy) (all origin.Source, routes map[string]origin.Source, err error) {
	routes = map[string]origin.Source{}
	for route, name := range cfg.Routes {
		if routes[route], err = origin.ParseSource(name); err != nil {
			return all, nil, fmt.Errorf("SOURCE_ROUTES: %w", err)
		}
	}
	if all, err = origin.ParseSource(cfg.Source); err != nil {
		err = fmt.Errorf("SOURCE: %w", err)
	}
	return all, routes, err
}
