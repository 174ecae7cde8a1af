package proxy

import (
	"sync"

	"github.com/lewistv/xcri-proxy/proxy/maintenance"
)

// State is the part of the configuration that was changed while running and
// should survive a restart.
type State struct {
	Maintenance *maintenance.Period `json:"maintenance,omitempty"` // nil while it is off
	// Sources were set while running; the empty route stands for all that are
	// not named.
	Sources map[string]string `json:"sources,omitempty"`
}

// stateKeeper holds the state and stores each change of it.
type stateKeeper struct {
	keep func(State) error // Options.OnState

	mu sync.Mutex
	State
}

// change changes the state and keeps it for the next run. The error reports why
// that failed; the change holds until the process ends.
func (k *stateKeeper) change(change func(*State)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.State)
	return k.keep(k.State)
}

// Maintenance returns the present period of maintenance mode, or nil while it is
// off.
func (p *Proxy) Maintenance() *maintenance.Period { return p.maintenance.Period() }
