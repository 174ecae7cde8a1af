package proxy

import "time"

// State is what was changed while running and should survive a restart.
type State struct {
	Maintenance *Maintenance `json:"maintenance,omitempty"` // nil while it is off
	// Sources are those that were set while running; the empty route stands
	// for all that are not named.
	Sources map[string]string `json:"sources,omitempty"`
}

// Maintenance is what people are told while it is on.
type Maintenance struct {
	Since   time.Time  `json:"since"`
	Until   *time.Time `json:"until,omitempty"`
	Message string     `json:"message,omitempty"`
}

// changeState changes the state and has it kept. The error says why it could
// not be; the change holds until the end of the process all the same.
func (p *Proxy) changeState(change func(*State)) error {
	p.state.mu.Lock()
	defer p.state.mu.Unlock()
	change(&p.state.State)
	return p.opts.OnState(p.state.State)
}
