// Package proxy answers HTTP requests for the read API: it finds the route of a
// request, checks its parameters and makes the key of the answer, takes that
// from the cache or fills it from the store, and sends it in the form that the
// client likes best.
package proxy

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cache/memfile"
	"github.com/lewistv/xcri-proxy/proxy/accept"
	"github.com/lewistv/xcri-proxy/proxy/admin"
	"github.com/lewistv/xcri-proxy/proxy/admin/gate"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/site"
	"github.com/lewistv/xcri-proxy/proxy/verify"
	"github.com/lewistv/xcri-proxy/proxy/visitor"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store"
)

// Origin answers the questions that the cache can't. *store.Store is one.
type Origin interface {
	Run(context.Context, store.Query) (store.Answer, error)
	Generation(context.Context) (*store.Generation, error)
	ScopeRows(ctx context.Context, table string) (map[store.Scope]store.Rows, error)
	Ping(context.Context) error
	Stats() store.Stats
}

// Options say how a Proxy answers. Origin is required.
type Options struct {
	Origin Origin
	// Cache are the cache's options; its functions and Logger are set by New.
	Cache cache.Options
	// Poll is the interval at which Run asks the origin for its generation; zero
	// means 250 ms.
	Poll time.Duration
	// Changes says how changes count that no calculation reports.
	Changes generation.Changes
	// Pages are targets that are always in the warm set; nil means those that the
	// site requests on each visit.
	Pages []string
	// Saved are entries of an earlier run: those that are true are hits, the
	// others stale.
	Saved []cache.Saved
	// OnPublish is called after each publish of a warm set and each purge, which change
	// what Save has to write. It must not block.
	// May be nil.
	OnPublish func()
	// BasePath is the path below which Apache shows the site, without a final
	// slash. The API is below BasePath + "/api", and at the root.
	BasePath string
	// Legacy is the old API, which gets what is none of ours; nil for none.
	Legacy *legacy.Client
	// Source is the source of all routes that RouteSources does not name by their
	// endpoint's path. All but origin.FromStore need Legacy.
	Source       origin.Source
	RouteSources map[string]origin.Source
	// MaxErrors is the share of failed loads, from 0 to 1, and MaxSlowdown the
	// multiple of the usual time of loads, that open a source's circuit breaker;
	// zero means 0.05 and never.
	MaxErrors, MaxSlowdown float64
	// VerifySample is the share of loads from the store, from 0 to 1, that are
	// compared with the old API's answer.
	VerifySample float64
	// State was kept by an earlier run, and OnState keeps it for the next: its
	// error is reported to the client that changed it. May be nil.
	State   State
	OnState func(State) error
	// Site answers what is below BasePath and not of the API; nil for none.
	Site *site.Site
	// CORSOrigins may read answers from other sites; "*" allows all.
	CORSOrigins []string
	// Admin says who may use the pages below /cache, and /metrics. Logger is set
	// by New.
	Admin gate.Options
	// TrustedProxies are believed when they report who a visitor is.
	TrustedProxies visitor.Trust
	// MaxAge and StaleWhileRevalidate are told to clients in Cache-Control.
	MaxAge, StaleWhileRevalidate time.Duration
	// Memory counts the memory files that hold large answers; nil makes one.
	Memory *memfile.Memory
	// MaxConns limits the connections of clients; zero means MostConns.
	MaxConns int
	// Version of the program, for the stats.
	Version string
	// Logger takes what no client is told; nil discards it.
	Logger *slog.Logger
}

// Proxy is an HTTP server for the read API. It is safe for concurrent use.
type Proxy struct {
	opts       Options
	router     *route.Router
	metrics    *metrics.Metrics
	cache      *cache.Cache
	outage     *cache.Outage
	server     *wire.Server
	private    *wire.Server            // of the admin pages' own listener
	handler    fasthttp.RequestHandler // handle
	cors       cors
	headers    *headers
	targets    content.Memo[target]
	negotiator *content.Negotiator
	health     health
	state      stateKeeper
	// maintenance is what State holds of it.
	maintenance  *maintenance.Mode
	notice       *maintenance.Page
	origins      *origin.Origins
	legacyErrors complaints
	verify       *verify.Verifier
	generations  *generation.Watcher
	admin        *admin.Admin
	// stopping is set from the call of Drain or Shutdown on.
	stopping atomic.Bool
}

// New returns a Proxy that does not serve yet.
func New(opts Options) (*Proxy, error) {
	if opts.Origin == nil {
		return nil, errors.New("proxy: Options.Origin is missing")
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.MaxConns == 0 {
		opts.MaxConns = MostConns
	}
	if opts.Memory == nil {
		opts.Memory = &memfile.Memory{}
	}
	if opts.OnState == nil {
		opts.OnState = func(State) error { return nil }
	}
	saved := opts.Saved
	opts.Saved = nil // or what is replaced in the cache would never be freed
	p := &Proxy{
		opts:       opts,
		router:     route.NewRouter(store.Endpoints(), opts.BasePath),
		cors:       newCORS(opts.CORSOrigins),
		headers:    newHeaders(opts),
		targets:    content.NewMemo[target](max(knownTargets, int(opts.Cache.Bytes/bytesPerTarget))),
		negotiator: content.NewNegotiator(),
		notice:     maintenance.NewPage(),
	}
	p.metrics = metrics.New(len(p.router.Routes()))
	p.state.State, p.state.keep = opts.State, opts.OnState
	p.maintenance = maintenance.New(maintenance.Options{
		Period: opts.State.Maintenance, OnEnd: func() { p.generations.Wake() }, Logger: opts.Logger,
		Keep: func(period *maintenance.Period) error {
			return p.state.change(func(s *State) { s.Maintenance = period })
		},
	})
	p.verify = verify.New(verify.Options{
		Store: opts.Origin, Legacy: opts.Legacy, Routes: p.router, Share: opts.VerifySample,
		OnPanic: func() { p.metrics.Panics.Add(1) }, Logger: opts.Logger,
	})
	var err error
	opts.Cache.OnPurge = opts.OnPublish
	p.outage = cache.NewOutage(opts.Logger)
	p.origins, err = origin.New(origin.Options{
		Store: opts.Origin, Legacy: opts.Legacy, Routes: p.router, Outage: p.outage,
		Source: opts.Source, RouteSources: opts.RouteSources, Overrides: opts.State.Sources,
		MaxErrors: opts.MaxErrors, MaxSlowdown: opts.MaxSlowdown,
		Generation: func(s store.Scope) string { return p.generations.Seen(s) },
		OnLoad:     p.loaded, OnDown: func() { p.generations.Wake() }, Logger: opts.Logger,
	})
	if err != nil {
		return nil, err
	}
	opts.Cache.Fill, opts.Cache.Recode, opts.Cache.IsDown, opts.Cache.Logger = p.fill, content.Recoder(opts.Memory), isDown, opts.Logger
	opts.Cache.FillsWhileDown, opts.Cache.Check, opts.Cache.Absent = p.origins.FillsWhileDown, content.Check, content.Absent
	if opts.Cache.DownAge == 0 {
		opts.Cache.DownAge = opts.MaxAge
	}
	opts.Cache.Outage = p.outage
	if p.cache, err = cache.New(opts.Cache); err != nil {
		return nil, err
	}
	p.generations = generation.New(generation.Options{
		Store: opts.Origin, Cache: p.cache, Outage: p.outage, Routes: p.router, Pages: opts.Pages, Interval: opts.Poll, Changes: opts.Changes,
		OnPublish: opts.OnPublish, Paused: p.maintenance.On, Logger: opts.Logger,
	})
	p.admin = p.newAdmin()
	p.adopt(saved)
	p.handler, p.server, p.private = p.handle, wire.New(p.wireOptions()), wire.New(p.privateOptions())
	return p, nil
}

func (p *Proxy) newAdmin() *admin.Admin {
	opts := p.opts
	return admin.New(admin.Options{
		Gate: opts.Admin, Trust: opts.TrustedProxies, Store: opts.Origin, Legacy: opts.Legacy, Site: opts.Site, Memory: opts.Memory,
		Routes: p.router, Cache: p.cache, Outage: p.outage, Metrics: p.metrics, Origins: p.origins, Generations: p.generations,
		Verify: p.verify, Maintenance: p.maintenance, OnSourceChange: p.moved,
		Connections: func() wire.Stats { return p.server.Stats() }, Version: opts.Version, Logger: opts.Logger,
	})
}

// Run does the work beside requests until ctx ends: it follows the database's
// generations, compares samples and records the history.
func (p *Proxy) Run(ctx context.Context) {
	var workers sync.WaitGroup
	workers.Go(func() { p.generations.Run(ctx) })
	workers.Go(func() { p.verify.Run(ctx) })
	workers.Go(func() { p.admin.Run(ctx) })
	workers.Wait()
}

// Serve answers the connections of ln until Drain or Shutdown, which close it.
// It may be called once.
func (p *Proxy) Serve(ln net.Listener) error {
	return p.server.Serve(accept.New(ln, p.opts.Logger))
}

// Drain stops accepting connections and closes those that are open without losing a
// request: each answer from now on closes its connection, and a connection on which
// nothing has arrived for quiet is closed. It returns when none is left, or ctx ends.
// The listeners are closed, not shut down, so that another process that holds them too
// goes on accepting.
func (p *Proxy) Drain(ctx context.Context, quiet time.Duration) {
	p.stopping.Store(true)
	p.verify.Close()
	var servers sync.WaitGroup
	for _, s := range []*wire.Server{p.server, p.private} {
		servers.Go(func() { s.Drain(ctx, quiet) })
	}
	servers.Wait()
}

// Shutdown stops accepting connections, closes those that wait for a request, and
// waits for the answers under way, as long as ctx allows; then for the fills. Drain
// before it spares the clients.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.Drain(ctx, 0)
	err := errors.Join(p.server.Shutdown(ctx), p.private.Shutdown(ctx))
	p.cache.Close()
	return err
}

// A site has a few thousand pages that visitors ask for again and again. A large cache
// has room for the targets of more: for a target for each bytesPerTarget.
const (
	knownTargets   = 16 << 10
	bytesPerTarget = 4 << 10
)

// serverName is what answers say who they are from.
const serverName = "xcri-proxy"

// MostConns is how many connections of clients there may be if Options do not say.
const MostConns = 4000

// poolBuffers is the largest body buffer that is kept for reuse: stored bodies are sent
// without one.
const poolBuffers = 64 << 10

func (p *Proxy) wireOptions() wire.Options {
	fasthttp.SetBodySizePoolLimit(poolBuffers, poolBuffers)
	return wire.Options{
		Handler: func(ctx *fasthttp.RequestCtx) { p.handler(ctx) }, Answer: newFastPath(p).answer, OnPanic: p.panicked,
		Name: serverName, MaxConns: p.opts.MaxConns, Reserved: p.reserved, Logger: p.opts.Logger,
	}
}

// reserved reports whether a request is served although there are too many
// connections: those of operators and of their supervisors.
func (p *Proxy) reserved(target []byte) bool {
	at := p.router.Locate(target)
	return !at.Site && (admin.IsPage(at.Path) || isProbe(at.Path))
}
