package pool

import (
	"context"
	"time"
)

type searchKey struct{}

// WithSearch returns a context whose Read is a search: each of its statements may take
// Options.SearchTimeout. A search can take as long as a statement may, a client can
// request any number of different searches, and a web server between the client and the
// proxy may not report that the client has left.
func WithSearch(ctx context.Context) context.Context {
	return context.WithValue(ctx, searchKey{}, true)
}

// limitOf returns the limit of the statements of a read.
func (p *Pool) limitOf(ctx context.Context) time.Duration {
	if search, _ := ctx.Value(searchKey{}).(bool); search && p.opts.SearchTimeout > 0 {
		return min(p.opts.SearchTimeout, p.opts.StatementTimeout)
	}
	return p.opts.StatementTimeout
}

// limitTo sets the session's limit of statements, if the server has a limit.
func (l *link) limitTo(ctx context.Context, limit time.Duration) error {
	if l.limit == limit {
		return nil
	}
	if err := l.server.session.Limit(ctx, l.exec, limit); err != nil {
		return err
	}
	l.limit = limit
	return nil
}
