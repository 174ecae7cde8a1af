package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

var sentinels = []error{ErrUnavailable, ErrTimeout, ErrSetup}

func TestClassify(t *testing.T) {
	number := func(n uint16) error { return &mysql.MySQLError{Number: n, Message: "text"} }
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errors.New("connection refused"))}
	_, late := (&net.Dialer{Timeout: time.Nanosecond}).Dial("tcp", "127.0.0.1:1")
	if late == nil {
		t.Fatal("a connection within a nanosecond")
	}
	for _, tt := range []struct {
		name string
		err  error
		want error
	}{
		{"access to database denied", number(1044), ErrSetup}, {"wrong password", number(1045), ErrSetup},
		{"unknown database", number(1049), ErrSetup}, {"unknown column", number(1054), ErrSetup},
		{"unknown table", number(1109), ErrSetup}, {"host not allowed", number(1130), ErrSetup},
		{"no SELECT", number(1142), ErrSetup}, {"no SELECT on a column", number(1143), ErrSetup},
		{"no such table", number(1146), ErrSetup}, {"access denied", number(1698), ErrSetup},
		{"too many connections", number(1040), ErrUnavailable}, {"shutting down", number(1053), ErrUnavailable},
		{"too many of the user", number(1203), ErrUnavailable}, {"limit used up", number(1226), ErrUnavailable},
		{"killed", number(1927), ErrUnavailable},
		{"lock wait", number(1205), ErrTimeout}, {"interrupted", number(1317), ErrTimeout},
		{"max_statement_time", number(1969), ErrTimeout}, {"max_execution_time", number(3024), ErrTimeout},
		{"bad SQL", number(1064), nil}, {"disk full", number(1021), nil},
		{"refused", refused, ErrUnavailable}, {"dialled in vain", late, ErrUnavailable},
		{"no such host", &net.DNSError{Err: "no such host", Name: "nowhere.invalid"}, ErrUnavailable},
		{"reset", &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, ErrUnavailable},
		{"bad connection", driver.ErrBadConn, ErrUnavailable}, {"invalid connection", mysql.ErrInvalidConn, ErrUnavailable},
		{"deadline", context.DeadlineExceeded, ErrTimeout}, {"cancelled", context.Canceled, nil},
		{"end of file", io.ErrUnexpectedEOF, nil}, {"other", errors.New("other"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, err := range []error{tt.err, fmt.Errorf("wrapped: %w", tt.err), errors.Join(errors.New("first"), tt.err)} {
				got := classify("op", err)
				for _, sentinel := range sentinels {
					if errors.Is(got, sentinel) != (sentinel == tt.want) {
						t.Errorf("%v is %v: %v", got, sentinel, sentinel != tt.want)
					}
				}
				if !errors.Is(got, tt.err) || !strings.HasPrefix(got.Error(), "op: ") || !strings.HasSuffix(got.Error(), err.Error()) {
					t.Errorf("%q does not tell of %q", got, err)
				}
			}
		})
	}
	if err := classify("op", nil); err != nil {
		t.Errorf("nothing is %v", err)
	}
	for _, class := range errorClass {
		if class != ErrUnavailable && class != ErrTimeout && class != ErrSetup {
			t.Errorf("class %v is none of the package's", class)
		}
	}
}

// TestServerErrors meets the classes on the real server.
func TestServerErrors(t *testing.T) {
	opts := account(t)
	db := root(t, "")
	s := open(t, opts)
	for text, want := range map[string]error{
		"SELECT nothing FROM " + athleteTable: ErrSetup,
		"SELECT 1 FROM nowhere":               ErrSetup,
		"SELECT 1 FROM mysql.user":            ErrSetup,
		"SELECT (SELECT 1 UNION SELECT 2)":    nil,
		"nonsense":                            nil,
	} {
		_, err := s.Run(t.Context(), statement(text))
		if err == nil {
			t.Errorf("%s: no error", text)
		}
		for _, sentinel := range sentinels {
			if errors.Is(err, sentinel) != (sentinel == want) {
				t.Errorf("%s: %v, want %v", text, err, want)
			}
		}
	}
	execute(t, db, "ALTER USER "+opts.User+"@'%' WITH MAX_USER_CONNECTIONS 1")
	held := open(t, opts)
	fill(t, held, 1)
	s = open(t, opts)
	if _, err := s.Run(t.Context(), statement("SELECT 1")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("one connection too many: %v", err)
	}
}

// TestPasswordIsSecret: no failure tells the password, or that there is one.
func TestPasswordIsSecret(t *testing.T) {
	const password = "hunter2 & more"
	good := options(t)
	for name, change := range map[string]func(*Options){
		"wrong password": func(*Options) {},
		"no such user":   func(o *Options) { o.User = "nobody" },
		"nobody listens": func(o *Options) { o.Port = 1 },
		"no such host":   func(o *Options) { o.Host = "nowhere.invalid" },
		"no such socket": func(o *Options) { o.Socket = "/nowhere.sock" },
		"odd host":       func(o *Options) { o.Host = "a host\x00" },
		"odd port":       func(o *Options) { o.Port = 99999 },
	} {
		opts := good
		opts.Password = password
		change(&opts)
		s, err := Open(opts)
		if err == nil {
			defer s.Close()
			_, run := s.Run(t.Context(), query(t, "/health", nil))
			err = errors.Join(s.Check(t.Context()), s.Ping(t.Context()), run)
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
