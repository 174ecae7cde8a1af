package pool

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/limit"
)

// hedgeAfter is the time that a poll waits on a pooled connection before it also uses a new
// connection. A pooled connection that a firewall or a failed host has forgotten hangs
// until a timeout.
const hedgeAfter = 400 * time.Millisecond

// patrolEvery is the time without a poll after which the pool itself looks for connections
// that hang. During a publish there is no poll: the next poll follows its fills, which may
// wait for such a connection.
const patrolEvery = 3 * time.Second

// recheckAfter is the pause before each query for the server's threads.
const recheckAfter = 20 * time.Millisecond

// polled is the result of one attempt of a poll.
type polled[T any] struct {
	value T
	err   error
}

// Poll calls do with a connection for a small, frequent query. It takes precedence
// over reads that wait for a connection. If the answer is slow, do is called
// concurrently with a new connection, and the first answer counts. Poll also ends reads
// that wait on a connection which the server lists as idle, so that they are repeated.
func Poll[T any](ctx context.Context, p *Pool, op string, do func(*Conn) (T, error)) (value T, err error) {
	if !p.begin() {
		return value, fmt.Errorf("%s: %w", op, errClosed)
	}
	defer p.work.Done()
	p.preferFirst()
	r := poll(ctx, p, false, do)
	if dberror.Repeatable(r.err) && ctx.Err() == nil {
		r = poll(ctx, p, true, do)
	}
	return r.value, p.judge(ctx, op, r.err)
}

// poll is one attempt of Poll.
func poll[T any](parent context.Context, p *Pool, fresh bool, do func(*Conn) (T, error)) polled[T] {
	l, err := p.acquire(parent, true, fresh)
	if err != nil {
		return polled[T]{err: err}
	}
	ctx, cancel := context.WithCancel(parent)
	defer cancel() // ends the other attempt
	start := func(run func() polled[T]) <-chan polled[T] {
		result := make(chan polled[T], 1)
		p.work.Go(func() { result <- run() })
		return result
	}
	pooled := start(func() (r polled[T]) {
		r.err = p.use(ctx, l, func(c *Conn) (err error) {
			if r.value, err = do(c); err == nil {
				p.dropForgotten(ctx, c.link)
			}
			return err
		})
		return r
	})
	select {
	case r := <-pooled:
		return r
	case <-time.After(hedgeAfter):
	}
	own := start(func() (r polled[T]) {
		l, err := p.dialer.open(ctx)
		if err != nil {
			return polled[T]{err: err}
		}
		defer l.conn.Close()
		if r.value, r.err = do(&Conn{link: l, ctx: ctx}); r.err == nil {
			p.dropForgotten(ctx, l)
		}
		return r
	})
	select {
	case r := <-own:
		if r.err == nil {
			return r
		}
		return <-pooled
	case r := <-pooled:
		if r.err == nil || !dberror.Repeatable(r.err) {
			return r
		}
		return <-own
	}
}

// dropForgotten ends the reads that wait for a statement while the server, queried
// through l, lists their connection as idle. It queries twice, since a statement may
// still be on the network. It ignores connections whose result has arrived, which a process
// that itself waits for a processor reads late, and connections that are missing from the
// list: a proxy may stand between the pool and several servers.
func (p *Pool) dropForgotten(ctx context.Context, l *link) {
	p.looked.Set(time.Now())
	suspects := p.late()
	maps.DeleteFunc(suspects, func(other *link, _ time.Time) bool { return other.server != l.server || other == l })
	for range 2 {
		if len(suspects) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(recheckAfter):
		}
		idle := map[int64]bool{}
		err := l.threads(ctx, func(id int64, _, command string) { idle[id] = command == "Sleep" })
		if err != nil {
			return
		}
		maps.DeleteFunc(suspects, func(l *link, at time.Time) bool { return !idle[l.id] || l.socket.Unread() || l.awaits.Get() != at })
	}
	for l := range suspects {
		if drop := l.drop.Load(); drop != nil {
			(*drop)()
		}
	}
	if len(suspects) > 0 {
		p.dialer.retire()
		p.opts.Logger.Warn("connections to the database hang, their reads are repeated", "connections", len(suspects))
	}
}

// late returns the connections that have waited for the result of a statement for
// hedgeAfter, with the time of the statement.
func (p *Pool) late() map[*link]time.Time {
	late, sent := map[*link]time.Time{}, time.Now().Add(-hedgeAfter)
	for _, l := range p.stock.all() {
		if at := l.awaits.Get(); !at.IsZero() && at.Before(sent) {
			late[l] = at
		}
	}
	return late
}

// patrol drops forgotten connections while no poll does so, until Close. It opens a
// connection for this only while a read waits for its statement.
func (p *Pool) patrol() {
	tick := time.NewTicker(patrolEvery)
	defer tick.Stop()
	for {
		looked := p.looked.Get()
		select {
		case <-p.ctx.Done():
			return
		case <-tick.C:
		}
		if p.looked.Get() != looked || len(p.late()) == 0 {
			continue
		}
		ctx, cancel := limit.Within(p.ctx, probeTimeout)
		if l, err := p.dialer.open(ctx); err == nil {
			p.dropForgotten(ctx, l)
			l.conn.Close()
		}
		cancel()
	}
}

// preferFirst returns to a host that comes before the host in use, once it answers
// again.
func (p *Pool) preferFirst() {
	h := p.dialer.preferred()
	if h == nil {
		return
	}
	p.dialer.failed(h) // until the next attempt
	p.work.Go(func() {
		if l, err := h.open(p.ctx); err == nil {
			l.conn.Close()
			p.dialer.use(h, nil)
		}
	})
}
