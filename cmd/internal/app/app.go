// Package app assembles the proxy: it creates the parts in order, and handles start,
// stop and hand-over.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/cgroup"
	"github.com/lewistv/xcri-proxy/cmd/internal/handover"
	"github.com/lewistv/xcri-proxy/cmd/internal/pidfile"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy"
	"github.com/lewistv/xcri-proxy/proxy/budget"
	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/fleet/redis"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/site"
	"github.com/lewistv/xcri-proxy/store"
)

// sharedTimeout bounds a connection attempt to the shared level, and the answers of a level
// that hangs. Requests do not wait for either.
const sharedTimeout = time.Second

// App is a proxy with all its parts. Run may be called once, and HandOver and Addr at any
// time.
type App struct {
	cfg config.Config
	log *slog.Logger
	servers
	proxy     *proxy.Proxy
	maker     string        // maker of the entries: see makerOf
	saved     int           // entries of an earlier run
	unsaved   atomic.Bool   // the last save of the cache failed
	published chan struct{} // capacity 1: holds an element after a publish until the save
	sockets
	handOver *handOver
	alive    func(context.Context) error // see proxy.Alive
}

// servers are the servers that the App is a client of.
type servers struct {
	store  *store.Store
	legacy *legacy.Client // nil means no old API
	shared *redis.Engine  // nil means no shared level
}

// sockets are the sockets of an App. admin is nil if the admin pages are on the listener.
type sockets struct{ listener, admin *handover.Socket }

// New creates an App, loads the saved files of an earlier run, and binds its address
// or uses the socket that the process inherited. It does not connect to the database.
func New(cfg config.Config, program Program, log *slog.Logger) (*App, error) {
	if err := checkFiles(cfg, log); err != nil {
		return nil, err
	}
	cfg = withinGroup(cfg, cgroup.MemoryLimit(os.DirFS("/")), log)
	origin, err := OpenStore(cfg.Database, log)
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, log: log, servers: servers{store: origin}, published: make(chan struct{}, 1), handOver: newHandOver()}
	if err := a.build(program); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// build creates the parts that need the store. After an error, close closes the parts
// that exist.
func (a *App) build(program Program) (err error) {
	// Open the sockets first: a predecessor writes its files before they are read here.
	if err := a.open(); err != nil {
		return err
	}
	if last := a.listener.Predecessor; last != nil {
		last.AwaitSaved(savePatience)
	}
	requests := budget.New(a.cfg.MemoryLimit / requestShare)
	opts, err := a.options(program, requests)
	if err != nil {
		return err
	}
	if opts.Legacy, err = a.openLegacy(requests); err != nil {
		return err
	}
	if err := a.openShared(&opts); err != nil {
		return err
	}
	if dir := a.cfg.StaticDir; dir != "" {
		if opts.Site, err = site.New(site.Options{Dir: dir, Variants: content.OfFile, Logger: a.log}); err != nil {
			return fmt.Errorf("STATIC_DIR: %w", err)
		}
	}
	if a.proxy, err = proxy.New(opts); err != nil {
		return err
	}
	a.alive = a.proxy.Alive
	a.loadHistory()
	return nil
}

// lostLines returns a function that counts the lines that a log has dropped; nil if the
// log does not count them.
func lostLines(log *slog.Logger) func() int64 {
	if handler, ok := log.Handler().(interface{ Dropped() int64 }); ok {
		return handler.Dropped
	}
	return nil
}

// openLegacy returns the client of the old API, or nil without one.
func (a *App) openLegacy(requests *budget.Budget) (client *legacy.Client, err error) {
	cfg := a.cfg.Legacy
	if cfg.URL == "" {
		return nil, nil
	}
	if a.legacy, err = legacy.New(legacy.Options{
		URL: cfg.URL, Timeout: cfg.Timeout, MaxConns: cfg.MaxConns, TrustedProxies: a.cfg.TrustedProxies, Room: requests, Fetched: budget.New(a.cfg.MemoryLimit / fetchShare), Logger: a.log,
	}); err != nil {
		return nil, fmt.Errorf("LEGACY_URL: %w", err)
	}
	return a.legacy, nil
}

// openShared opens the level that several proxies share, if there is one. It does not
// connect.
func (a *App) openShared(opts *proxy.Options) (err error) {
	if a.cfg.Cache.Shared == "" {
		return nil
	}
	if a.shared, err = redis.New(redis.Options{URL: string(a.cfg.Cache.Shared), Timeout: sharedTimeout, Logger: a.log}); err != nil {
		return fmt.Errorf("SHARED_CACHE: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	opts.Fleet = proxy.Fleet{
		Name:    host + " " + a.listener.Addr().String(),
		Options: fleet.Options{Engine: a.shared, Maker: a.maker + " " + a.cfg.Database.Name},
	}
	return nil
}

// close closes the existing parts in the reverse order of their creation.
func (a *App) close() error {
	a.closeSockets()
	if a.handOver.access != nil {
		a.handOver.access.Close()
	}
	if a.legacy != nil {
		a.legacy.Close()
	}
	if a.shared != nil {
		a.shared.Close()
	}
	return a.store.Close()
}

// Addr returns the address on which the App listens.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// Run serves until ctx ends or a successor serves, and then drains. It returns an
// error if the drain timed out, or if the first check of the database finds a failure
// that only an operator can correct.
func (a *App) Run(ctx context.Context) error {
	defer a.close()
	// The proxy keeps running during the drain: answers under way may need fills.
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { a.proxy.Run(working) })
	background.Go(func() { a.keepSaved(working) })
	err := a.serve(ctx)
	stop()
	background.Wait()
	a.save("the proxy stops")
	a.saveHistory()
	pidfile.Remove(a.cfg.PIDFile, a.log)
	a.log.Info("stopped")
	return err
}
