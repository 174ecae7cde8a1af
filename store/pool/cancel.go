package pool

import (
	"context"
	"strconv"
	"time"
)

// killTimeout limits the time for which a cancelled read keeps its place while its
// statement is ended.
const killTimeout = time.Second

// kill ends, in the server, a connection that was closed because its read was cancelled:
// MySQL and MariaDB go on with a statement whose client has left. KILL QUERY would not do:
// the server forgets it if it comes before the statement has begun. The read keeps its place
// until the kill has ended, which limits the number of such statements. No other read of
// the pool can have the connection's ID: the connection is closed, and the server uses each ID
// once.
func (p *Pool) kill(dead *link) {
	cancelled := time.Now()
	p.discard(dead)
	if !p.begin() {
		p.gate.Leave(dead.urgent)
		return
	}
	go func() {
		defer p.work.Done()
		ctx, cancel := context.WithTimeout(context.Background(), p.killTimeout)
		defer cancel()
		l, err := p.take(ctx, false)
		if err != nil {
			p.gate.Leave(dead.urgent) // the server's own limit ends the statement
			return
		}
		l.urgent = dead.urgent
		defer p.release(l)
		// A restarted server uses the IDs again. A connection that was open at the
		// cancellation, or that has a later ID, belongs to the same run.
		sameRun := l.server == dead.server && (l.opened.Before(cancelled) || l.id > dead.id)
		if sameRun && dead.id != 0 {
			// An error means that the connection has ended by itself.
			_ = l.exec(ctx, "KILL CONNECTION "+strconv.FormatInt(dead.id, 10))
		}
	}()
}
