package dberror

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

	"github.com/go-sql-driver/mysql"
)

// An error without a number of the server has the class of its cause: an interrupted
// connection is worth another try, a refused connection is an outage, and the end of the
// request's own time concerns the read alone.
func TestClassWithoutNumber(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want Class
	}{
		"no TLS":              {&SetupError{NoTLS, mysql.ErrNoTLS}, Setup},
		"silent server":       {fmt.Errorf("%w: silent: %w", ErrUnavailable, context.DeadlineExceeded), Down},
		"refused":             {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errors.New("refused"))}, Down},
		"dialled too long":    {&net.OpError{Op: "dial", Err: context.DeadlineExceeded}, Down},
		"reset":               {&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, TryAgain},
		"read until the end":  {&net.OpError{Op: "read", Err: context.DeadlineExceeded}, ThisRead},
		"broken":              {driver.ErrBadConn, TryAgain},
		"invalid":             {mysql.ErrInvalidConn, TryAgain},
		"no connection free":  {ErrBusy, NoRoom},
		"none free in time":   {fmt.Errorf("%w: %w", ErrBusy, context.DeadlineExceeded), NoRoom},
		"deadline":            {context.DeadlineExceeded, ThisRead},
		"client left":         {context.Canceled, ThisRead},
		"client left dialing": {&net.OpError{Op: "dial", Err: context.Canceled}, ThisRead},
		"other":               {io.ErrUnexpectedEOF, ThisRead},
	} {
		if got := Of(tt.err).Class; got != tt.want {
			t.Errorf("%s is %v, want %v", name, got, tt.want)
		}
	}
}

// An error that names its sentinel already is not wrapped in it again, and an error
// without a sentinel gets none.
func TestWrapNamesASentinelOnce(t *testing.T) {
	for _, err := range []error{
		fmt.Errorf("silent: %w", ErrUnavailable), fmt.Errorf("%w: all taken", ErrBusy), io.ErrUnexpectedEOF, context.DeadlineExceeded, &mysql.MySQLError{Number: 1146, Message: "no table"},
	} {
		got := Wrap("op", Wrap("read", err)).Error()
		for _, sentinel := range []error{ErrUnavailable, ErrBusy, ErrTimeout, ErrSetup} {
			if n := strings.Count(got, sentinel.Error()); n > 1 {
				t.Errorf("%q names %v %d times", got, sentinel, n)
			}
		}
		if strings.Contains(got, "%!") {
			t.Error(got)
		}
	}
}

// The texts that a server refuses as a date have two numbers.
func TestIsNoDate(t *testing.T) {
	for number, want := range map[uint16]bool{1292: true, 1525: true, 1291: false, 1293: false, 1524: false, 1526: false, 0: false} {
		if got := IsNoDate(fmt.Errorf("read: %w", &mysql.MySQLError{Number: number})); got != want {
			t.Errorf("%d: %t", number, got)
		}
	}
	if IsNoDate(io.EOF) || IsNoDate(nil) {
		t.Error("an error of no server is no date")
	}
}

// A set-up error has its cause's text and chain, but a reason of its own instead of the
// reason that the cause's number has.
func TestSetupError(t *testing.T) {
	cause := &mysql.MySQLError{Number: 1045, Message: "Access denied"}
	err := fmt.Errorf("connect: %w", &SetupError{NeedsTLS, cause})
	if got := ReasonOf(err); got != NeedsTLS || ReasonOf(cause) != Denied {
		t.Errorf("reason %d, and %d of the cause", got, ReasonOf(cause))
	}
	if !errors.Is(err, cause) || err.Error() != "connect: "+cause.Error() {
		t.Errorf("%q does not contain %q", err, cause)
	}
}
