package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// finals are the sentinels that exclude each other.
var finals = []error{ErrUnavailable, ErrTimeout, ErrSetup, ErrInterrupted}

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
				for _, sentinel := range finals {
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
	for number, c := range conditions {
		if c.err != nil && !slices.Contains(finals, c.err) {
			t.Errorf("%d is %v, which is none of the package's", number, c.err)
		}
	}
}
