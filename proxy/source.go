package proxy

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// Source says where the answers of a route come from.
type Source uint8

// The sources.
const (
	FromStore  Source = iota // the database
	FromLegacy               // the old API
	FromAuto                 // the database, and the old API while that fails
)

var sourceNames = [...]string{"store", "legacy", "auto"}

func (s Source) String() string { return sourceNames[s] }

// ParseSource reads what String writes.
func ParseSource(text string) (Source, error) {
	for i, name := range sourceNames {
		if name == text {
			return Source(i), nil
		}
	}
	return 0, fmt.Errorf("source %q: want store, legacy or auto", text)
}

// errNoLegacy is why a source can't be had.
var errNoLegacy = errors.New("LEGACY_URL is not set, so there is no old API to get answers from")

// allRoutes stands for all routes that are not named.
const allRoutes = ""

// assignment says where the answers of each route come from. It is immutable.
type assignment struct {
	all    Source
	routes map[string]Source // of those with one of their own, by endpoint's path
}

// of returns the source of a route. The counts of the tables are the proxy's own
// part of /health, which the old API can't tell.
func (a *assignment) of(path string) Source {
	if path == route.HealthPath {
		return FromStore
	}
	if s, ok := a.routes[path]; ok {
		return s
	}
	return a.all
}

// has reports whether some route has a source.
func (a *assignment) has(s Source) bool {
	for _, of := range a.routes {
		if of == s {
			return true
		}
	}
	return a.all == s
}

// differing returns the routes whose source is not that of all.
func (a *assignment) differing() map[string]string {
	routes := map[string]string{}
	for path, s := range a.routes {
		if s != a.all {
			routes[path] = s.String()
		}
	}
	return routes
}

// with returns what holds when overrides were set while running: the one for
// all routes also stands above those that a has for some.
func (a *assignment) with(overrides map[string]Source) *assignment {
	next := &assignment{a.all, maps.Clone(a.routes)}
	if all, ok := overrides[allRoutes]; ok {
		next.all, next.routes = all, nil
	}
	if next.routes == nil {
		next.routes = map[string]Source{}
	}
	for path, s := range overrides {
		if path != allRoutes {
			next.routes[path] = s
		}
	}
	return next
}

// sources is where answers come from, and how that fares.
type sources struct {
	configured    *assignment
	now           atomic.Pointer[assignment]
	store, legacy *breaker

	mu        sync.Mutex        // held by a change
	overrides map[string]Source // set while running
	// complained is when the old API's failure was last logged, in Unix
	// nanoseconds.
	complained atomic.Int64
}

// newSources checks what is configured, and takes over what was set in an
// earlier run as far as that is possible.
func (p *Proxy) newSources() error {
	s := &p.sources
	s.configured = &assignment{p.opts.Source, map[string]Source{}}
	if err := p.possible(p.opts.Source); err != nil {
		return fmt.Errorf("SOURCE=%s: %w", p.opts.Source, err)
	}
	for name, source := range p.opts.RouteSources {
		r, err := p.routeWithSource(name)
		if err == nil {
			err = p.possible(source)
		}
		if err != nil {
			return fmt.Errorf("SOURCE_ROUTES: %s=%s: %w", name, source, err)
		}
		s.configured.routes[r.Path()] = source
	}
	s.overrides = p.keptSources()
	s.now.Store(s.configured.with(s.overrides))
	s.store = &breaker{name: "the store", limits: limits{p.opts.MaxErrors, p.opts.MaxSlowdown}, switched: p.storeSwitched, usual: map[string]*pastLoads{}}
	// Behind the old API there is nothing: it is left only when most of what it
	// is asked for fails, and never because it is slow.
	s.legacy = &breaker{name: "the old API", limits: limits{errors: max(p.opts.MaxErrors, 0.5)}, switched: p.legacySwitched, usual: map[string]*pastLoads{}}
	return nil
}

// keptSources reads what was set in an earlier run. What can't be any more is
// left out.
func (p *Proxy) keptSources() map[string]Source {
	overrides := map[string]Source{}
	for name, text := range p.opts.State.Sources {
		source, err := ParseSource(text)
		path := allRoutes
		if name != allRoutes && err == nil {
			var r *route.Route
			if r, err = p.routeWithSource(name); err == nil {
				path = r.Path()
			}
		}
		if err == nil {
			err = p.possible(source)
		}
		if err != nil {
			p.opts.Logger.Warn("a source that was set in an earlier run is ignored", "route", name, "source", text, "error", err)
			continue
		}
		overrides[path] = source
	}
	if len(overrides) > 0 {
		p.opts.Logger.Warn("answers come from where an earlier run was told, not from where SOURCE says", "sources", named(overrides))
	}
	return overrides
}

// named is what a State keeps of overrides.
func named(overrides map[string]Source) map[string]string {
	if len(overrides) == 0 {
		return nil
	}
	names := map[string]string{}
	for path, s := range overrides {
		names[path] = s.String()
	}
	return names
}

// possible says why answers can't come from a source.
func (p *Proxy) possible(s Source) error {
	if s != FromStore && p.opts.Legacy == nil {
		return errNoLegacy
	}
	return nil
}

// routeWithSource finds a route that may have a source of its own.
func (p *Proxy) routeWithSource(name string) (*route.Route, error) {
	r, err := p.router.Named(name)
	if err == nil && r.Path() == route.HealthPath {
		err = fmt.Errorf("route %q: it tells of this proxy and its database, and has no other source", name)
	}
	return r, err
}

// setSources makes overrides hold from the next fill on; fills under way end.
// Entries of routes whose source is another now become stale, also those whose
// fill has yet to end: each is served while it is refreshed, at the first request
// for it, and in the warm set at once. It returns how many there were, and why
// the change can't be kept for the next run. p.sources.mu is held.
func (p *Proxy) setSources(overrides map[string]Source) (purged int, unkept error) {
	s := &p.sources
	before, after := s.now.Load(), s.configured.with(overrides)
	s.overrides = overrides
	s.now.Store(after)
	moved := map[*route.Route]bool{}
	for _, r := range p.router.Routes() {
		if before.of(r.Path()) != after.of(r.Path()) {
			moved[r] = true
		}
	}
	if !after.has(FromAuto) {
		s.store.reset()
		s.legacy.reset()
	}
	if len(moved) > 0 {
		purged = p.cache.Purge(func(e *cache.Entry) bool { return moved[p.router.Of(e.Key)] }, false)
		p.generations.Refill()
	}
	return purged, p.state.change(func(st *State) { st.Sources = named(overrides) })
}

// fillsWhileDown tells the cache which keys the old API can fill while the
// database is down.
func (p *Proxy) fillsWhileDown(key string) bool {
	a := p.sources.now.Load()
	if a.all == FromStore && len(a.routes) == 0 {
		return false
	}
	r := p.router.Of(key)
	if r == nil {
		return false
	}
	switch a.of(r.Path()) {
	case FromLegacy:
		return true
	case FromAuto:
		return p.sources.legacy.usable(time.Now())
	}
	return false
}
