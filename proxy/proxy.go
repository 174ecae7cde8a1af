// Package proxy answers HTTP requests for the read API: it finds the route of a request,
// checks its parameters and makes the key of the answer, takes the answer from the cache or
// fills it from an origin, and sends it in the form that the client prefers.
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
	"github.com/lewistv/xcri-proxy/proxy/budget"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/copies"
	"github.com/lewistv/xcri-proxy/proxy/cors"
	"github.com/lewistv/xcri-proxy/proxy/fault"
	"github.com/lewistv/xcri-proxy/proxy/files"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/front"
	"github.com/lewistv/xcri-proxy/proxy/generation"
	"github.com/lewistv/xcri-proxy/proxy/health"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/metrics"
	"github.com/lewistv/xcri-proxy/proxy/notice"
	"github.com/lewistv/xcri-proxy/proxy/origin"
	"github.com/lewistv/xcri-proxy/proxy/pass"
	"github.com/lewistv/xcri-proxy/proxy/reply"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/proxy/season"
	"github.com/lewistv/xcri-proxy/proxy/send"
	"github.com/lewistv/xcri-proxy/proxy/share"
	"github.com/lewistv/xcri-proxy/proxy/site"
	"github.com/lewistv/xcri-proxy/proxy/trace"
	"github.com/lewistv/xcri-proxy/proxy/verify"
	"github.com/lewistv/xcri-proxy/proxy/visitor"
	"github.com/lewistv/xcri-proxy/proxy/wire"
	"github.com/lewistv/xcri-proxy/store"
)

// Origin is the database, such as *store.Store.
type Origin interface {
	Run(context.Context, store.Query) (store.Answer, error)
	Generation(context.Context) (*store.Generation, error)
	ScopeRows(ctx context.Context, table string) (map[store.Scope]store.Rows, error)
	Ping(context.Context) error
	Stats() store.Stats
}

// Options configure a Proxy. Origin is required.
type Options struct {
	Origin Origin
	// Cache are the cache's options; New sets its functions except Shrink, and Logger.
	Cache cache.Options
	// Generations configures the polls and the warm set: Interval, Pages, Changes, and
	// OnPublish, which is also called after a purge. New sets the other fields.
	Generations generation.Options
	// Sources configures the sources of answers: Source, RouteSources, MaxErrors and
	// MaxSlowdown. New sets the other fields.
	Sources origin.Options
	Kept
	// Fleet configures this proxy as a member of a fleet.
	Fleet Fleet
	// BasePath is the path below which Apache shows the site, without a final
	// slash. The API is below BasePath + "/api", and at the root.
	BasePath string
	// Legacy is the old API, which gets requests outside of the read API; nil means no
	// old API.
	Legacy *legacy.Client
	// VerifySample is the share of loads from the store, from 0 to 1, that are
	// compared with the old API's answer.
	VerifySample float64
	// Site answers requests below BasePath that are not the API's; nil means no site.
	Site *site.Site
	Ahead
	// CORSOrigins may read answers from other sites; "*" allows all.
	CORSOrigins []string
	// Admin configures the pages below /cache and /metrics, and access to them.
	Admin admin.Settings
	// TrustedProxies are the proxies whose reports of the client's address are
	// accepted.
	TrustedProxies visitor.Trust
	// Reuse configures how long clients, and caches in front, may reuse the answers.
	Reuse reply.Reuse
	// Front configures the purges of caches in front: URLs and Request. New sets the other
	// fields. Without URLs there are no purges.
	Front front.Options
	Limits
	// Trace configures the reports of requests: Slow and Log. New sets the other fields.
	Trace trace.Options
	// Version of the program, for the stats.
	Version string
	// Logger receives events that are not reported to a client; nil discards them.
	Logger *slog.Logger
}

// Kept holds the entries and the state of an earlier run, and saves state for the next.
type Kept struct {
	// Saved holds the entries of an earlier run. Fresh entries become hits, all others
	// are stale.
	Saved []cache.Saved
	// State is the saved state of an earlier run. OnState saves each change for the
	// next run, and its error is reported to the client that made the change; OnState
	// may be nil.
	State   State
	OnState func(State) error
}

// Limits limit the memory and the connections of clients.
type Limits struct {
	// Memory counts the memory files that hold large answers; nil means new Memory.
	Memory *memfile.Memory
	// Requests is the memory for the bodies and long heads of requests, for the old
	// API's answers to them, and for bodies that are inflated while they are sent; nil
	// has no limit.
	Requests *budget.Budget
	// MaxConns limits the connections of clients; zero means MostConns.
	MaxConns int
	// Clients limits the fills of one client that are queued or running.
	Clients share.Limits
}

// Proxy is an HTTP server for the read API. It is safe for concurrent use.
type Proxy struct {
	opts    Options
	router  *route.Router
	metrics *metrics.Metrics
	cache   *cache.Cache
	origins *origin.Origins
	followers
	verify      *verify.Verifier
	maintenance *maintenance.Mode
	admin       *admin.Admin
	state       stateKeeper // changes made by an operator
	shared
	serving
}

// shared is the state that the handlers of requests share.
type shared struct {
	outage     *cache.Outage
	headers    *reply.Headers
	cors       cors.Policy
	targets    content.Memo[target] // of recent hits
	sender     *send.Sender
	complaints fault.Complaints
	shares     *share.Shares // of clients in fills
	fleet      *fleet.Fleet  // nil without a shared level
	reports
	others
}

// others answer the requests that are not for the read API.
type others struct {
	files  *files.Files
	notice *notice.Handler
	pass   *pass.Handler
	health *health.Health
}

// serving holds the servers and the state that they read for each request.
type serving struct {
	server  *wire.Server
	private *wire.Server            // of the admin pages' own listener
	handler fasthttp.RequestHandler // handle
	copies  *copies.Copies          // in caches in front
	// stopping is set from the call of Drain or Shutdown on.
	stopping atomic.Bool
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxConns == 0 {
		o.MaxConns = MostConns
	}
	if o.Memory == nil {
		o.Memory = &memfile.Memory{}
	}
	if o.Lull == nil {
		o.Lull = &content.Lull{}
	}
	if o.OnState == nil {
		o.OnState = func(State) error { return nil }
	}
	if o.Generations.OnPublish == nil {
		o.Generations.OnPublish = func() {}
	}
	if o.Cache.DownAge == 0 {
		o.Cache.DownAge = o.Reuse.MaxAge
	}
	return o
}

// New returns a Proxy that does not serve yet.
func New(opts Options) (*Proxy, error) {
	if opts.Origin == nil {
		return nil, errors.New("proxy: Options.Origin is missing")
	}
	opts = opts.withDefaults()
	saved := opts.Saved
	opts.Saved = nil // otherwise replaced entries would stay in memory
	p := &Proxy{opts: opts, router: route.NewRouter(store.Endpoints(), opts.BasePath)}
	p.metrics = metrics.New(len(p.router.Routes()))
	p.state.State, p.state.keep = opts.State, opts.OnState
	p.shared = shared{
		outage: cache.NewOutage(opts.Logger), headers: reply.NewHeaders(opts.Reuse), cors: cors.New(opts.CORSOrigins),
		targets: content.NewMemo[target](max(knownTargets, int(opts.Cache.Bytes/bytesPerTarget))),
		sender:  send.New(p.metrics, opts.Requests), shares: share.New(opts.Clients),
	}
	p.reports = p.newReports()
	p.maintenance = maintenance.New(maintenance.Options{
		Period: opts.State.Maintenance, OnEnd: p.wake, Logger: opts.Logger,
		Keep: func(period *maintenance.Period) error {
			return p.state.change(func(s *State) { s.Maintenance = period })
		},
	})
	p.verify = verify.New(verify.Options{
		Store: opts.Origin, Legacy: opts.Legacy, Routes: p.router, Share: opts.VerifySample,
		OnPanic: func() { p.metrics.Panics.Add(1) }, Logger: opts.Logger,
	})
	var err error
	if p.copies, err = copies.New(copies.Options{Headers: p.headers, Routes: p.router, Front: opts.Front, Refills: opts.Legacy != nil, Events: p.events, Logger: opts.Logger}); err != nil {
		return nil, err
	}
	if p.origins, err = origin.New(p.originOptions()); err != nil {
		return nil, err
	}
	if p.fleet = p.newFleet(); p.fleet == nil {
		p.state.Fleet = nil // the state may change now without the fleet
	}
	if p.cache, err = cache.New(p.cacheOptions()); err != nil {
		return nil, err
	}
	p.copies.Follow(p.cache)
	p.generations = generation.New(p.generationOptions())
	p.season = season.New(p.seasonOptions())
	p.others = p.newOthers()
	p.admin = p.newAdmin()
	p.adopt(saved)
	p.handler, p.server, p.private = p.handle, wire.New(p.wireOptions()), wire.New(p.privateOptions())
	return p, nil
}

func (p *Proxy) newOthers() others {
	return others{
		files:  files.New(p.opts.Site, p.hint, p.sender, p.metrics),
		notice: notice.New(p.maintenance, p.opts.Site != nil),
		pass:   &pass.Handler{Legacy: p.opts.Legacy, Traces: p.traces, Negotiator: p.sender.Negotiator, Metrics: p.metrics},
		health: health.New(health.Options{
			Ping: p.opts.Origin.Ping, Paused: p.maintenance.On, Tables: p.tables, Ready: p.Ready,
			Down: func() bool { _, outage := p.outage.Since(); return outage != nil },
		}),
	}
}

// wake requests an immediate poll of the database.
func (p *Proxy) wake() { p.generations.Wake() }

func (p *Proxy) originOptions() origin.Options {
	o := p.opts.Sources
	o.Store, o.Legacy, o.Routes, o.Outage, o.Logger = p.opts.Origin, p.opts.Legacy, p.router, p.outage, p.opts.Logger
	o.Overrides = p.opts.State.Sources
	o.Generation = func(s store.Scope) string { return p.generations.Seen(s) }
	o.OnLoad, o.OnDown, o.OnSwitch = p.loaded, p.wake, p.switched
	return o
}

func (p *Proxy) cacheOptions() cache.Options {
	o := p.opts.Cache
	o.Fill, o.FillsWhileDown, o.IsDown, o.Outage = p.fill, p.origins.FillsWhileDown, isDown, p.outage
	if p.fleet != nil {
		o.Shared, o.Strict = p.fleet, p.strict
	}
	o.Check, o.Absent, o.Recode = content.Check, content.Absent, content.Recoder(p.opts.Memory, p.opts.Lull)
	o.Season, o.OnPurge, o.Logger = p.opts.Season != nil, p.copies.OnPurge(p.purged), p.opts.Logger
	o.Lane = func(key string) (cache.Lane, string) { return origin.LaneOf(p.router, key) }
	return o
}

func (p *Proxy) generationOptions() generation.Options {
	o := p.opts.Generations
	o.Store, o.Cache, o.Outage, o.Routes = p.opts.Origin, p.cache, p.outage, p.router
	if p.fleet != nil {
		o.Ready, o.Rounds, o.Popular = p.fleet.Ready, p.fleet.Rounds(), p.fleet.Popular
		o.Store, o.Changes.OnUnstamped = p.fleet.Sums(p.opts.Origin, o.Changes.Saved.Stamps), func(table string) { go p.fleet.TableChanged(table) }
	}
	o.Paused, o.OnPublish, o.OnStale, o.Logger = p.maintenance.On, p.published(o.OnPublish), p.copies.Stale, p.opts.Logger
	return o
}

func (p *Proxy) newAdmin() *admin.Admin {
	opts := p.opts
	return admin.New(admin.Options{
		Settings: opts.Admin, Trust: opts.TrustedProxies,
		Sources: admin.Sources{
			Store: opts.Origin, Legacy: opts.Legacy, Origins: p.origins, Verify: p.verify, Season: p.season, OnSourceChange: p.moved,
		},
		Resources: admin.Resources{Memory: opts.Memory, Requests: opts.Requests, Fronts: p.copies.Purger(), Connections: func() wire.Stats { return p.server.Stats() }},
		Site:      opts.Site, Preload: opts.Preload, Routes: p.router, Cache: p.cache, Outage: p.outage, Metrics: p.metrics, Shares: p.shares,
		Generations: p.generations, Maintenance: p.maintenance, Fleet: p.fleet, Events: p.events, Slowest: p.slowest, Log: p.opts.Trace.Log, Tail: p.tail, Version: opts.Version, Logger: opts.Logger,
	})
}

// Run does the background work until ctx ends.
func (p *Proxy) Run(ctx context.Context) {
	p.admin.Sample(time.Now()) // counts from before are not part of the history
	var workers sync.WaitGroup
	workers.Go(func() { p.generations.Run(ctx) })
	workers.Go(func() { p.season.Run(ctx) })
	workers.Go(func() { p.verify.Run(ctx) })
	workers.Go(func() { p.copies.Purger().Run(ctx) })
	workers.Go(func() { p.admin.Run(ctx) })
	if p.fleet != nil {
		workers.Go(func() { p.fleet.Run(ctx) })
	}
	workers.Wait()
}

// Serve answers the connections of ln until Drain or Shutdown, which close it.
// It may be called once.
func (p *Proxy) Serve(ln net.Listener) error {
	return p.server.Serve(accept.New(ln, p.opts.Logger))
}

// Drain stops accepting connections and closes the open connections without losing a
// request: each answer from now on closes its connection, and a connection on which
// nothing has arrived for quiet is closed. It returns when no connection is left, or ctx
// ends. The listeners are closed, not shut down, so that another process that holds them
// too goes on accepting.
func (p *Proxy) Drain(ctx context.Context, quiet time.Duration) {
	p.stopping.Store(true)
	p.verify.Close()
	p.tail.Close()
	var servers sync.WaitGroup
	for _, s := range []*wire.Server{p.server, p.private} {
		servers.Go(func() { s.Drain(ctx, quiet) })
	}
	servers.Wait()
}

// Shutdown stops accepting connections, closes idle connections, and waits for the
// answers under way until ctx ends, and then for the fills. Call Drain first so that
// no client loses a request.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.Drain(ctx, 0)
	err := errors.Join(p.server.Shutdown(ctx), p.private.Shutdown(ctx))
	p.cache.Close()
	return err
}

// A site has a few thousand pages that visitors request repeatedly. A larger cache
// memoizes more targets: one for each bytesPerTarget.
const (
	knownTargets   = 16 << 10
	bytesPerTarget = 4 << 10
)

// serverName is the value of the header Server.
const serverName = "xcri-proxy"

// MostConns is the default limit of client connections.
const MostConns = 4000

// poolBuffers is the largest body buffer, in bytes, that is kept for reuse: stored bodies
// are sent without a buffer. The limit is a global of fasthttp.
const poolBuffers = 64 << 10

func (p *Proxy) wireOptions() wire.Options {
	fasthttp.SetBodySizePoolLimit(poolBuffers, poolBuffers)
	return wire.Options{
		Handler: func(ctx *fasthttp.RequestCtx) { p.handler(ctx) }, Sent: p.traces.Sent, Answer: newFastPath(p).answer,
		OnPanic:   func(target string, cause any) { p.panicked(target, "", cause) },
		OnRefuse:  p.metrics.Statuses.Add,
		TakesBody: p.takesBody, Bodies: p.opts.Requests,
		Name: serverName, MaxConns: p.opts.MaxConns, Reserved: p.reserved, Logger: p.opts.Logger,
	}
}
