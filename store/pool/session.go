package pool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
)

// collation is the collation of the texts that we send. Columns keep their own.
const collation = "utf8mb4_general_ci"

// unlimited is a limit on rows that no statement reaches.
const unlimited = "9223372036854775807"

// pin is a session variable whose global value must not change an answer.
type pin struct {
	name, value string
	optional    bool // the server may not have it, or may not let us set it
}

// pins are set on every connection. time_zone is not among them: a TIMESTAMP is read in the
// server's time zone, as other clients read it.
func pins(statement time.Duration) []pin {
	return append([]pin{
		{"autocommit", "1", false}, // with 0 each read would stay in the first read's snapshot
		{"sql_mode", "'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'", true},
		{"sql_select_limit", unlimited, true},
		{"max_join_size", unlimited, true},
		{"sql_big_selects", "1", true},
		{"group_concat_max_len", "1048576", true},
		{statsExpiry, "0", true},
	}, limits(statement)...)
}

// limits limit the server's work on a statement. The limit has a different name in each
// server, and each server refuses the other's name.
func limits(statement time.Duration) []pin {
	return []pin{
		{maxStatementTime, fmt.Sprintf("%f", statement.Seconds()), true},
		{maxExecutionTime, fmt.Sprint(statement.Milliseconds()), true},
	}
}

const (
	maxStatementTime = "max_statement_time" // MariaDB
	maxExecutionTime = "max_execution_time" // MySQL

	// statsExpiry is the time for which MySQL may cache a table's last change. MariaDB
	// always returns the current one.
	statsExpiry = "information_schema_stats_expiry"
)

// isRefusal reports whether the server has refused to set a variable. Servers have many
// error numbers for this: unknown, read-only or global variable, missing privilege, wrong
// value.
func isRefusal(err error) bool {
	c := dberror.Of(err)
	return dberror.NumberOf(err) != 0 && (c.Class == dberror.ThisRead && c.Err == nil || c.Class == dberror.Setup)
}

// session sets up connections to one server and remembers which variables that
// server refuses. It is safe for concurrent use.
type session struct {
	limit time.Duration // of a statement
	pins  []pin

	mu      sync.Mutex
	refused map[string]error // nil until the first connection
}

// setUp pins the session of a new connection. The first connection determines which
// variables the server has. The server's version text is no substitute, since proxies
// and forks name themselves freely.
func (s *session) setUp(ctx context.Context, l *link) error {
	if err := l.exec(ctx, "SET NAMES utf8mb4 COLLATE "+collation); err != nil {
		return err
	}
	if err := l.exec(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
		return err
	}
	err := l.exec(ctx, s.statement())
	if err == nil || !isRefusal(err) {
		return err
	}
	return s.probe(ctx, l)
}

// statement sets all variables that the server is not known to refuse.
func (s *session) statement() string { return s.set(s.pins) }

// set returns the statement that sets variables, except for the variables that the
// server is known to refuse; empty if it refuses all.
func (s *session) set(pins []pin) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var set []string
	for _, p := range pins {
		if s.refused[p.name] == nil {
			set = append(set, "SESSION "+p.name+" = "+p.value)
		}
	}
	if len(set) == 0 {
		return ""
	}
	return "SET " + strings.Join(set, ", ")
}

// probe sets each variable in a statement of its own and remembers the refusals.
func (s *session) probe(ctx context.Context, l *link) error {
	refused := map[string]error{}
	for _, p := range s.pins {
		err := l.exec(ctx, "SET SESSION "+p.name+" = "+p.value)
		switch {
		case err == nil:
		case p.optional && isRefusal(err):
			refused[p.name] = err
		default:
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = refused
	return nil
}

// Unset returns the refusals that matter of the host in use: see session.missing. It is
// nil before the first connection.
func (p *Pool) Unset() error {
	p.dialer.mu.Lock()
	h := p.dialer.hosts[p.dialer.now]
	p.dialer.mu.Unlock()
	return h.session.missing()
}

// missing returns the refusals that matter: variables that keep the server's value,
// and a time limit if the server has neither of the two.
func (s *session) missing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for _, p := range s.pins {
		switch err := s.refused[p.name]; {
		case err == nil, p.name == statsExpiry:
		case p.name == maxStatementTime && s.refused[maxExecutionTime] == nil:
		case p.name == maxExecutionTime && s.refused[maxStatementTime] == nil:
		default:
			all = append(all, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	return errors.Join(all...)
}
