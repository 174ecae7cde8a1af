package pool

// Room says that the server grants fewer connections than configured.
type Room struct {
	Wanted  int   // Options.MaxConns
	Granted int   // the limit from now on
	Cause   error // the server's refusal
}

// shrink lowers the limit after the server has refused a connection.
func (p *Pool) shrink(granted int, cause error) {
	if limit, shrunk := p.gate.shrink(granted); shrunk {
		p.opts.OnRoom(Room{Wanted: p.opts.MaxConns, Granted: limit, Cause: cause})
	}
}
