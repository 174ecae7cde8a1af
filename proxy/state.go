package proxy

import (
	"sync"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/proxy/fleet"
	"github.com/lewistv/xcri-proxy/proxy/maintenance"
	"github.com/lewistv/xcri-proxy/proxy/route"
)

// State is the part of the configuration that was changed while running and
// should survive a restart.
type State struct {
	Maintenance *maintenance.Period `json:"maintenance,omitempty"` // nil while it is off
	// Sources holds the sources set while running; the empty route stands for all
	// routes that are not listed.
	Sources map[string]string `json:"sources,omitempty"`
	// Fleet is the work that this member of a fleet continues; nil outside of a fleet.
	Fleet *fleet.Kept `json:"fleet,omitempty"`
}

// stateKeeper holds the state and saves each change.
type stateKeeper struct {
	keep func(State) error // Options.OnState

	mu sync.Mutex
	State
}

// change changes the state and saves it for the next run. The error reports a failed
// save; the change applies until the process ends.
func (k *stateKeeper) change(change func(*State)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.State)
	return k.keep(k.State)
}

// Maintenance returns the present period of maintenance mode, or nil while it is
// off.
func (p *Proxy) Maintenance() *maintenance.Period { return p.maintenance.Period() }

// moved applies a change of sources: it makes the entries of the routes stale, including
// the results of running fills, requests a refill of the warm set, and saves the
// overrides for the next run. It returns the number of entries, and the error of a failed
// save.
func (p *Proxy) moved(routes []*route.Route) (purged int, unkept error) {
	if len(routes) > 0 {
		of := map[*route.Route]bool{}
		for _, r := range routes {
			of[r] = true
		}
		purged = p.cache.Purge(func(e *cache.Entry) bool { return of[p.router.Of(e.Key)] }, false)
		p.copies.Moved(routes)
		p.generations.Refill()
	}
	return purged, p.state.change(func(s *State) { s.Sources = p.origins.Overrides() })
}
