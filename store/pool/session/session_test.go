package session

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// server records the statements of a connection and refuses some of them.
type server struct {
	refuse map[string]uint16 // parts of statements, and the error number
	done   []string
}

func (s *server) exec(_ context.Context, statement string) error {
	s.done = append(s.done, statement)
	for part, number := range s.refuse {
		if strings.Contains(statement, part) {
			return &mysql.MySQLError{Number: number, Message: "refused"}
		}
	}
	return nil
}

// TestSetUp: the first connection determines the server's variables; from the second
// on they are set in one statement.
func TestSetUp(t *testing.T) {
	for name, tt := range map[string]struct {
		refuse  map[string]uint16
		without []string // variables that are not set from the second connection on
		missing string
	}{
		"MariaDB":        {map[string]uint16{"max_execution_time": 1193}, []string{"max_execution_time"}, ""},
		"MySQL":          {map[string]uint16{"max_statement_time": 1193, "sql_big_selects": 1193}, []string{"max_statement_time", "sql_big_selects"}, "sql_big_selects"},
		"another number": {map[string]uint16{"max_execution_time": 1105}, []string{"max_execution_time"}, ""},
		"no privilege":   {map[string]uint16{"group_concat_max_len": 1227, "max_execution_time": 1193}, []string{"group_concat_max_len", "max_execution_time"}, "group_concat_max_len"},
		"no time limit":  {map[string]uint16{"max_execution_time": 1193, "max_statement_time": 1193}, []string{"max_execution_time", "max_statement_time"}, "max_statement_time"},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(300 * time.Millisecond)
			for n := range 2 {
				conn := &server{refuse: tt.refuse}
				if err := s.SetUp(t.Context(), conn.exec); err != nil {
					t.Fatal(err)
				}
				last := conn.done[len(conn.done)-1]
				if n == 0 {
					if len(conn.done) != 3+len(s.pins) {
						t.Errorf("the first connection is set up by %q", conn.done)
					}
					continue
				}
				if len(conn.done) != 3 {
					t.Errorf("the second connection is set up by %q", conn.done)
				}
				for _, p := range s.pins {
					if strings.Contains(last, "SESSION "+p.name+" = "+p.value) == slices.Contains(tt.without, p.name) {
						t.Errorf("%s: %s", p.name, last)
					}
				}
			}
			if err := s.Missing(); (err != nil) != (tt.missing != "") || err != nil && !strings.Contains(err.Error(), tt.missing) {
				t.Errorf("missing: %v, want %q", err, tt.missing)
			}
		})
	}
}

// TestSetUpErrors: an error of a statement that every server executes ends the setup, and
// so does a lost connection. A variable is only unset if the server refuses it.
func TestSetUpErrors(t *testing.T) {
	for part, number := range map[string]uint16{"SET NAMES": 1115, "ISOLATION": 1193, "autocommit": 1193, "sql_mode": 1927} {
		s, conn := New(time.Second), &server{refuse: map[string]uint16{part: number}}
		var refused *mysql.MySQLError
		if err := s.SetUp(t.Context(), conn.exec); !errors.As(err, &refused) || refused.Number != number {
			t.Errorf("%s is refused: %v", part, err)
		}
		if err := s.Missing(); err != nil {
			t.Errorf("%s is refused: missing %v", part, err)
		}
	}
}

// TestLimit: the limit of one connection is set by each server's name for it; a server with
// neither name gets no statement. An error is returned.
func TestLimit(t *testing.T) {
	all := map[string]uint16{MaxStatementTime: 1193, MaxExecutionTime: 1193}
	for want, refuse := range map[string]map[string]uint16{
		"SET SESSION max_statement_time = 1.500000": {MaxExecutionTime: 1193},
		"SET SESSION max_execution_time = 1500":     {MaxStatementTime: 1193},
		"":                                          all,
	} {
		s, conn := New(time.Minute), &server{refuse: refuse}
		if err := s.SetUp(t.Context(), conn.exec); err != nil {
			t.Fatal(err)
		}
		conn.done = nil
		err := s.Limit(t.Context(), conn.exec, 1500*time.Millisecond)
		if got := strings.Join(conn.done, "; "); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
		conn.refuse = all
		if err := s.Limit(t.Context(), conn.exec, time.Second); (err != nil) != (want != "") {
			t.Errorf("refused: %v", err)
		}
	}
}

// TestConcurrentSetUp: connections are set up concurrently.
func TestConcurrentSetUp(t *testing.T) {
	s, errs := New(time.Second), make(chan error)
	for range 8 {
		go func() {
			conn := &server{refuse: map[string]uint16{MaxExecutionTime: 1193}}
			errs <- errors.Join(s.SetUp(t.Context(), conn.exec), s.Limit(t.Context(), conn.exec, time.Minute), s.Missing())
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
