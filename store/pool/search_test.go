package pool

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
	"github.com/lewistv/xcri-proxy/store/pool/session"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// TestSearchesHaveALimitOfTheirOwn: the server ends the statements of a search at the limit
// of searches, and the same connection serves other reads with their own limit.
func TestSearchesHaveALimitOfTheirOwn(t *testing.T) {
	srv := shared(t)
	variable := mariadb.Variable(root(t, srv), session.MaxStatementTime, session.MaxExecutionTime)
	opts := optionsOf(srv)
	opts.MaxConns, opts.StatementTimeout, opts.SearchTimeout = 1, time.Hour, 100*time.Millisecond
	p := open(t, opts)
	usual := mustRead(t, p, "SELECT @@SESSION."+variable)
	connection := mustRead(t, p, "SELECT CONNECTION_ID()")
	for range 2 {
		if _, err := read(WithSearch(t.Context()), p, heavyJoin); !errors.Is(err, dberror.ErrTimeout) || dberror.Of(err).Class != dberror.ThisRead {
			t.Errorf("a search: %v", err)
		}
		if limit, err := read(WithSearch(t.Context()), p, "SELECT @@SESSION."+variable); err != nil || limit == usual {
			t.Errorf("the limit of a search is %s, %v", limit, err)
		}
		if got := mustRead(t, p, "SELECT @@SESSION."+variable); got != usual {
			t.Errorf("the limit after a search is %s, want %s", got, usual)
		}
	}
	if got := mustRead(t, p, "SELECT CONNECTION_ID()"); got != connection {
		t.Errorf("connection %s, want %s", got, connection)
	}
}

// TestLimitOfSearches: the lower limit counts, and without a limit of searches the limit of
// all statements.
func TestLimitOfSearches(t *testing.T) {
	for _, tt := range []struct{ statement, search, want time.Duration }{
		{10 * time.Second, 5 * time.Second, 5 * time.Second},
		{3 * time.Second, 5 * time.Second, 3 * time.Second},
		{0, 0, 10 * time.Second},
	} {
		p := &Pool{opts: Options{StatementTimeout: tt.statement, SearchTimeout: tt.search}.withDefaults()}
		if got := p.limitOf(WithSearch(t.Context())); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
		if got := p.limitOf(context.Background()); got != p.opts.StatementTimeout {
			t.Errorf("%+v, another read: %v", tt, got)
		}
	}
}

// TestServerWithoutLimits: a server that has neither limit is used without.
func TestServerWithoutLimits(t *testing.T) {
	conn := &fakeConn{refuse: map[string]uint16{session.MaxStatementTime: 1193, session.MaxExecutionTime: 1193}}
	s := session.New(time.Minute)
	l := &link{conn: conn, server: &host{session: s}, limit: time.Minute}
	if err := s.SetUp(t.Context(), l.exec); err != nil {
		t.Fatal(err)
	}
	before := len(conn.done)
	if err := l.limitTo(t.Context(), time.Second); err != nil || len(conn.done) != before {
		t.Errorf("%v, %v", err, conn.done[before:])
	}
}
