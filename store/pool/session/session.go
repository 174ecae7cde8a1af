// Package session sets up the sessions of connections to a MySQL or MariaDB server, so that
// no global value of the server changes an answer.
package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/lewistv/xcri-proxy/store/dberror"
)

// Collation is the collation of the texts that we send. Columns keep their own.
const Collation = "utf8mb4_general_ci"

// Unlimited is a limit on rows that no statement reaches.
const Unlimited = "9223372036854775807"

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
		{"sql_select_limit", Unlimited, true},
		{"max_join_size", Unlimited, true},
		{"sql_big_selects", "1", true},
		{"group_concat_max_len", "1048576", true},
		{StatsExpiry, "0", true},
	}, limits(statement)...)
}

// limits limit the server's work on a statement. The limit has a different name in each
// server, and each server refuses the other's name.
func limits(statement time.Duration) []pin {
	return []pin{
		{MaxStatementTime, fmt.Sprintf("%f", statement.Seconds()), true},
		{MaxExecutionTime, fmt.Sprint(statement.Milliseconds()), true},
	}
}

// Variables that not every server has.
const (
	MaxStatementTime = "max_statement_time" // MariaDB
	MaxExecutionTime = "max_execution_time" // MySQL

	// StatsExpiry is the time for which MySQL may cache a table's last change. MariaDB
	// always returns the current one.
	StatsExpiry = "information_schema_stats_expiry"
)

// isRefusal reports whether the server has refused to set a variable. Servers have many
// error numbers for this: unknown, read-only or global variable, missing privilege, wrong
// value.
func isRefusal(err error) bool {
	c := dberror.Of(err)
	return dberror.NumberOf(err) != 0 && (c.Class == dberror.ThisRead && c.Err == nil || c.Class == dberror.Setup)
}

// Session sets up connections to one server and remembers which variables that
// server refuses. It is safe for concurrent use.
type Session struct {
	pins []pin

	mu      sync.Mutex
	refused map[string]error // nil until the first connection
}

// New returns a Session whose statements may take as long as limit.
func New(limit time.Duration) *Session { return &Session{pins: pins(limit)} }

// Exec executes a statement on a connection. An error of the server is a
// *mysql.MySQLError, wrapped or not.
type Exec func(ctx context.Context, statement string) error

// SetUp pins the session of a new connection. The first connection determines which
// variables the server has. The server's version text is no substitute, since proxies
// and forks name themselves freely.
func (s *Session) SetUp(ctx context.Context, exec Exec) error {
	if err := exec(ctx, "SET NAMES utf8mb4 COLLATE "+Collation); err != nil {
		return err
	}
	if err := exec(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
		return err
	}
	err := exec(ctx, s.set(s.pins))
	if err == nil || !isRefusal(err) {
		return err
	}
	return s.probe(ctx, exec)
}

// Limit sets the limit of the statements of one connection, if the server has a limit.
func (s *Session) Limit(ctx context.Context, exec Exec, limit time.Duration) error {
	if set := s.set(limits(limit)); set != "" {
		return exec(ctx, set)
	}
	return nil
}

// set returns the statement that sets variables, except for the variables that the
// server is known to refuse; empty if it refuses all.
func (s *Session) set(pins []pin) string {
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
func (s *Session) probe(ctx context.Context, exec Exec) error {
	refused := map[string]error{}
	for _, p := range s.pins {
		err := exec(ctx, "SET SESSION "+p.name+" = "+p.value)
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

// Missing returns the refusals that matter: variables that keep the server's value,
// and a time limit if the server has neither of the two. It is nil before the first
// connection.
func (s *Session) Missing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []error
	for _, p := range s.pins {
		switch err := s.refused[p.name]; {
		case err == nil, p.name == StatsExpiry:
		case p.name == MaxStatementTime && s.refused[MaxExecutionTime] == nil:
		case p.name == MaxExecutionTime && s.refused[MaxStatementTime] == nil:
		default:
			all = append(all, fmt.Errorf("%s: %w", p.name, err))
		}
	}
	return errors.Join(all...)
}
