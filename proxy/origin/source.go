package origin

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lewistv/xcri-proxy/proxy/route"
)

// Source names the origin of a route's answers.
type Source uint8

// The sources.
const (
	FromStore  Source = iota // the database
	FromLegacy               // the old API
	FromAuto                 // the database, and the old API while the database fails
)

var sourceNames = [...]string{"store", "legacy", "auto"}

func (s Source) String() string { return sourceNames[s] }

// ParseSource is the inverse of String.
func ParseSource(text string) (Source, error) {
	for i, name := range sourceNames {
		if name == text {
			return Source(i), nil
		}
	}
	return 0, fmt.Errorf("source %q: want store, legacy or auto", text)
}

// allRoutes is the key of an override for all routes that are not named.
const allRoutes = ""

// assignment holds the source of each route. It is immutable.
type assignment struct {
	all    Source
	routes map[string]Source // by endpoint's path, of the routes that are named
}

// of returns the source of a route.
func (a *assignment) of(r *route.Route) Source {
	if r.Endpoint.Own {
		return FromStore
	}
	if s, ok := a.routes[r.Path()]; ok {
		return s
	}
	return a.all
}

// has reports whether a route has a source.
func (a *assignment) has(s Source) bool {
	for _, of := range a.routes {
		if of == s {
			return true
		}
	}
	return a.all == s
}

// differing returns the routes whose source differs from the default source.
func (a *assignment) differing() map[string]Source {
	routes := map[string]Source{}
	for path, s := range a.routes {
		if s != a.all {
			routes[path] = s
		}
	}
	return routes
}

// with returns a with overrides. An override for all routes also replaces the
// sources of named routes in a.
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

// SourceOf returns the source of a route.
func (o *Origins) SourceOf(r *route.Route) Source { return o.now.Load().of(r) }

// Override sets the source of routes, or of all routes if there are none, until
// Reset. It holds from the next load on, and returns the routes whose source has
// changed. The error wraps ErrNoLegacy or names the value at fault.
func (o *Origins) Override(source string, routes []string) (moved []*route.Route, err error) {
	s, err := ParseSource(source)
	if err != nil {
		return nil, err
	}
	if err := o.possible(s); err != nil {
		return nil, fmt.Errorf("source %s: %w", s, err)
	}
	o.changes.Lock()
	defer o.changes.Unlock()
	if len(routes) == 0 {
		return o.set(map[string]Source{allRoutes: s}), nil
	}
	overrides := map[string]Source{}
	maps.Copy(overrides, o.overrides)
	for _, name := range routes {
		r, err := o.routeWithSource(name)
		if err != nil {
			return nil, err
		}
		overrides[r.Path()] = s
	}
	return o.set(overrides), nil
}

// Reset returns to the configuration, and returns the routes whose source has
// changed.
func (o *Origins) Reset() (moved []*route.Route) {
	o.changes.Lock()
	defer o.changes.Unlock()
	return o.set(nil)
}

// Replace replaces all overrides, in the form of Options.Overrides, and returns the routes whose
// source has changed; nil if no override differs from before. The error names overrides that are
// not possible, which are left out.
func (o *Origins) Replace(names map[string]string) (moved []*route.Route, err error) {
	var wrong []error
	overrides := map[string]Source{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		path, source, err := o.override(name, names[name])
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		overrides[path] = source
	}
	o.changes.Lock()
	defer o.changes.Unlock()
	if !maps.Equal(overrides, o.overrides) {
		moved = append([]*route.Route{}, o.set(overrides)...)
	}
	return moved, errors.Join(wrong...)
}

// set replaces the overrides. The caller holds o.changes.
func (o *Origins) set(overrides map[string]Source) (moved []*route.Route) {
	before, after := o.now.Load(), o.configured.with(overrides)
	o.overrides = overrides
	o.now.Store(after)
	for _, r := range o.opts.Routes.Routes() {
		if before.of(r) != after.of(r) {
			moved = append(moved, r)
		}
	}
	if !after.has(FromAuto) {
		o.store.reset()
		o.legacy.reset()
	}
	return moved
}

// Overrides returns the overrides for Options.Overrides of the next run; nil for
// none.
func (o *Origins) Overrides() map[string]string {
	o.changes.Lock()
	defer o.changes.Unlock()
	return named(o.overrides)
}

// named returns overrides by the names of their sources; nil for none.
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
