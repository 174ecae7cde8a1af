package pool

import (
	"context"
	"strconv"
	"time"
)

// killTimeout limits how long the place of a cancelled read stays taken while
// its statement is being ended.
const killTimeout = time.Second

// kill ends in the server the statement of a connection that was closed because
// its read was cancelled: MySQL and MariaDB go on with a statement whose client
// has left. The place of the read is kept until then, which bounds the number of
// these. The connection's ID can't be that of another read of ours: the
// connection is closed, and the server gives each ID once.
func (p *Pool) kill(dead *link) {
	cancelled := time.Now()
	p.discard(dead)
	if !p.begin() {
		p.gate.Leave(dead.urgent)
		return
	}
	go func() {
		defer p.work.Done()
		ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
		defer cancel()
		l, err := p.take(ctx, false)
		if err != nil {
			p.gate.Leave(dead.urgent) // the server's own limit ends the statement
			return
		}
		l.urgent = dead.urgent
		defer p.release(l)
		// A server that was restarted gives the IDs again. A connection that was
		// open at the cancellation, or has a later ID, is of the same run.
		sameRun := l.server == dead.server && (l.opened.Before(cancelled) || l.id > dead.id)
		if sameRun && dead.id != 0 {
			// An error means that the statement has ended by itself.
			_ = l.exec(ctx, "KILL QUERY "+strconv.FormatInt(dead.id, 10))
		}
	}()
}
