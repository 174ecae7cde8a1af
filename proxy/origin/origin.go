// Package origin loads answers from the source of their route: the database, the
// old API, or automatically the old API while the database fails.
package origin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/legacy"
	"github.com/lewistv/xcri-proxy/proxy/route"
	"github.com/lewistv/xcri-proxy/store"
)

const (
	// defaultMaxErrors is the share of failed loads that opens the breaker of the
	// database.
	defaultMaxErrors = 0.05
	// legacyMaxErrors is the least such share for the old API: there is no other fallback.
	legacyMaxErrors = 0.5
)

// Store is the database, as far as this package needs it.
type Store interface {
	Run(context.Context, store.Query) (store.Answer, error)
}

// Options configure Origins. Store, Routes and Outage are required.
type Options struct {
	Store  Store
	Legacy *legacy.Client // nil if there is no old API
	Routes *route.Router
	// Outage records the database's outages that loads detect.
	Outage *cache.Outage
	// Source is the source of all routes that RouteSources does not name by their
	// endpoint's path. All but FromStore need Legacy.
	Source       Source
	RouteSources map[string]Source
	// Overrides were set in an earlier run, as Overrides returned them. Overrides that
	// are no longer possible are logged and ignored.
	Overrides map[string]string
	// MaxErrors is the share of failed loads, from 0 to 1, and MaxSlowdown the
	// multiple of the usual time of loads, that open a source's breaker; zero
	// means 0.05 and never.
	MaxErrors, MaxSlowdown float64
	// Generation returns the generation of a scope that the database returned
	// last; empty for none.
	Generation func(store.Scope) string
	// OnLoad is called after each load. It must not block. May be nil.
	OnLoad func(Load)
	// OnDown is called when a load has found an outage. It must not block. May be
	// nil.
	OnDown func()
	// OnSwitch is called after a circuit breaker opened or closed, with a description.
	// It must not block. May be nil.
	OnSwitch func(text string)
	// Logger receives switches between the sources; nil discards them.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxErrors == 0 {
		o.MaxErrors = defaultMaxErrors
	}
	if o.Generation == nil {
		o.Generation = func(store.Scope) string { return "" }
	}
	if o.OnLoad == nil {
		o.OnLoad = func(Load) {}
	}
	if o.OnDown == nil {
		o.OnDown = func() {}
	}
	if o.OnSwitch == nil {
		o.OnSwitch = func(string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Origins loads answers. It is safe for concurrent use.
type Origins struct {
	opts       Options
	configured *assignment
	now        atomic.Pointer[assignment]
	store      *breaker
	legacy     *breaker

	changes   sync.Mutex        // held by Override
	overrides map[string]Source // set while running
}

// New returns Origins. The error names a source that is not possible.
func New(opts Options) (*Origins, error) {
	o := &Origins{opts: opts.withDefaults()}
	o.configured = &assignment{opts.Source, map[string]Source{}}
	if err := o.possible(opts.Source); err != nil {
		return nil, fmt.Errorf("SOURCE=%s: %w", opts.Source, err)
	}
	for name, source := range opts.RouteSources {
		r, err := o.routeWithSource(name)
		if err == nil {
			err = o.possible(source)
		}
		if err != nil {
			return nil, fmt.Errorf("SOURCE_ROUTES: %s=%s: %w", name, source, err)
		}
		o.configured.routes[r.Path()] = source
	}
	o.overrides = o.kept(opts.Overrides)
	o.now.Store(o.configured.with(o.overrides))
	o.store = newBreaker("the store", limits{o.opts.MaxErrors, opts.MaxSlowdown}, o.storeSwitched)
	// The old API is never too slow: there is no other fallback.
	o.legacy = newBreaker("the old API", limits{errors: max(o.opts.MaxErrors, legacyMaxErrors)}, o.legacySwitched)
	return o, nil
}

// kept returns the overrides of an earlier run that are possible.
func (o *Origins) kept(names map[string]string) map[string]Source {
	overrides := map[string]Source{}
	for name, text := range names {
		path, source, err := o.override(name, text)
		if err != nil {
			o.opts.Logger.Warn("a source that was set in an earlier run is ignored", "route", name, "source", text, "error", err)
			continue
		}
		overrides[path] = source
	}
	if len(overrides) > 0 {
		o.opts.Logger.Warn("source override restored from the state file, SOURCE is not in effect for these routes", "sources", named(overrides))
	}
	return overrides
}

// override checks one override of an earlier run.
func (o *Origins) override(name, text string) (path string, source Source, err error) {
	if source, err = ParseSource(text); err != nil {
		return "", 0, err
	}
	path = allRoutes
	if name != allRoutes {
		r, err := o.routeWithSource(name)
		if err != nil {
			return "", 0, err
		}
		path = r.Path()
	}
	return path, source, o.possible(source)
}

// FillsWhileDown reports whether the old API can fill a key during an outage of
// the database.
func (o *Origins) FillsWhileDown(key string) bool {
	a := o.now.Load()
	if a.all == FromStore && len(a.routes) == 0 {
		return false
	}
	r := o.opts.Routes.Of(key)
	if r == nil {
		return false
	}
	switch a.of(r) {
	case FromLegacy:
		return true
	case FromAuto:
		return o.legacy.usable(time.Now())
	}
	return false
}

// Stats describes the sources.
type Stats struct {
	Default    Source
	Routes     map[string]Source // of the routes with another source
	Changed    bool              // the configuration does not hold
	Configured struct {
		Default Source
		Routes  map[string]Source
	}
	Store, Legacy BreakerStats
}

// Stats returns the present sources.
func (o *Origins) Stats() (s Stats) {
	_, outage := o.opts.Outage.Since()
	o.judge(outage)
	o.changes.Lock()
	s.Changed = len(o.overrides) > 0
	a := o.now.Load()
	o.changes.Unlock()
	s.Default, s.Routes = a.all, a.differing()
	s.Configured.Default, s.Configured.Routes = o.configured.all, o.configured.differing()
	now := time.Now()
	s.Store, s.Legacy = o.store.stats(now), o.legacy.stats(now)
	return s
}

// judge opens breakers whose source fails, if the source of a route is FromAuto.
func (o *Origins) judge(outage error) {
	if !o.now.Load().has(FromAuto) {
		return
	}
	now := time.Now()
	if outage != nil {
		o.store.trip(now, "the database is down: "+outage.Error())
	} else {
		o.store.judge(now)
	}
	o.legacy.judge(now)
}

func (o *Origins) storeSwitched(open bool, reason string) {
	if open {
		o.switched(slog.LevelWarn, "auto: "+reason+"; answers come from the old API")
		return
	}
	o.switched(slog.LevelInfo, "auto: "+reason+"; answers come from the store again")
}

func (o *Origins) legacySwitched(open bool, reason string) {
	if open {
		o.switched(slog.LevelWarn, "auto: "+reason+"; it gets probes only")
		return
	}
	o.switched(slog.LevelInfo, "auto: "+reason+"; the old API answers again")
}

// switched reports that a breaker opened or closed.
func (o *Origins) switched(level slog.Level, text string) {
	o.opts.Logger.Log(context.Background(), level, text)
	o.opts.OnSwitch(text)
}

// ErrNoLegacy is the error of a source that needs the old API.
var ErrNoLegacy = errors.New("LEGACY_URL is not set, so there is no old API to get answers from")

// possible returns why a source can't be used.
func (o *Origins) possible(s Source) error {
	if s != FromStore && o.opts.Legacy == nil {
		return ErrNoLegacy
	}
	return nil
}

// routeWithSource returns a route that may have a source of its own.
func (o *Origins) routeWithSource(name string) (*route.Route, error) {
	r, err := o.opts.Routes.Named(name)
	if err == nil && r.Endpoint.Own {
		err = fmt.Errorf("route %q: its answer describes this proxy and its database, or the old API does not have it, so it has no other source", name)
	}
	return r, err
}
