package dberror

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

// finals holds the sentinels that exclude each other.
var finals = []error{ErrUnavailable, ErrTimeout, ErrSetup, ErrInterrupted, ErrExhausted}

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
		{"bad SQL", number(1064), nil}, {"disk full", number(1021), ErrExhausted},
		{"refused", refused, ErrUnavailable}, {"dialled until the deadline", late, ErrUnavailable},
		{"no such host", &net.DNSError{Err: "no such host", Name: "nowhere.invalid"}, ErrUnavailable},
		{"reset", &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, ErrUnavailable},
		{"bad connection", driver.ErrBadConn, ErrUnavailable}, {"invalid connection", mysql.ErrInvalidConn, ErrUnavailable},
		{"dial cancelled", &net.OpError{Op: "dial", Err: context.Canceled}, nil},
		{"no connection free", ErrBusy, ErrTimeout}, {"no connection free in time", fmt.Errorf("%w: %w", ErrBusy, context.DeadlineExceeded), ErrTimeout},
		{"nothing said", fmt.Errorf("%w: silent: %w", ErrUnavailable, context.DeadlineExceeded), ErrUnavailable},
		{"no TLS", &SetupError{NoTLS, mysql.ErrNoTLS}, ErrSetup}, {"TLS wanted", &SetupError{NeedsTLS, number(1045)}, ErrSetup},
		{"deadline", context.DeadlineExceeded, ErrTimeout}, {"cancelled", context.Canceled, nil},
		{"end of file", io.ErrUnexpectedEOF, nil}, {"other", errors.New("other"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, err := range []error{tt.err, fmt.Errorf("wrapped: %w", tt.err), errors.Join(errors.New("first"), tt.err)} {
				got := Wrap("op", err)
				for _, sentinel := range finals {
					if errors.Is(got, sentinel) != (sentinel == tt.want) {
						t.Errorf("%v is %v: %v", got, sentinel, sentinel != tt.want)
					}
				}
				if !errors.Is(got, tt.err) || !strings.HasPrefix(got.Error(), "op: ") || !strings.HasSuffix(got.Error(), err.Error()) {
					t.Errorf("%q does not contain %q", got, err)
				}
			}
		})
	}
	if err := Wrap("op", nil); err != nil {
		t.Errorf("nothing is %v", err)
	}
	for number, c := range conditions {
		if c.Err != nil && !slices.Contains(finals, c.Err) {
			t.Errorf("%d is %v, which is none of the package's", number, c.Err)
		}
	}
}

// meanings holds the numbers of the table, each with a part of MariaDB's message.
// Numbers without a text are specific to MySQL or to a proxy of its connections: MariaDB
// uses the number for another error, or not at all. perror takes the numbers below 1000 for
// the system's.
var meanings = []struct {
	number uint16
	class  Class
	reason Reason
	text   string
}{
	{1040, NoRoom, 0, "Too many connections"}, {1135, NoRoom, 0, "create a new thread"},
	{1203, NoRoom, 0, "max_user_connections"}, {1226, NoRoom, 0, "exceeded the"},

	{1047, Down, 0, "Unknown command"}, {1053, Down, 0, "shutdown in progress"}, {1079, Down, 0, "Shutdown complete"},
	{1129, Down, 0, "is blocked because of many connection errors"}, {3032, Down, 0, "offline mode"}, {3168, Down, 0, ""},

	{1152, TryAgain, 0, "Aborted connection"}, {1158, TryAgain, 0, "error reading"}, {1159, TryAgain, 0, "timeout reading"},
	{1160, TryAgain, 0, "error writing"}, {1161, TryAgain, 0, "timeout writing"}, {1184, TryAgain, 0, "Aborted connection"},
	{2002, Down, 0, ""}, {2003, Down, 0, ""}, {9001, Down, 0, ""}, {2006, TryAgain, 0, ""}, {2013, TryAgain, 0, ""},
	{1927, TryAgain, 0, "Connection was killed"}, {4031, TryAgain, 0, ""},
	{1020, TryAgain, 0, "Record has changed"}, {1213, TryAgain, 0, "Deadlock"}, {1412, TryAgain, 0, "definition has changed"},
	{1637, TryAgain, 0, "concurrent transactions"}, {1317, TryAgain, 0, "execution was interrupted"},

	{1205, ThisRead, 0, "Lock wait timeout"}, {1969, ThisRead, 0, "max_statement_time exceeded"}, {3024, ThisRead, 0, ""},
	{1, ThisRead, 0, ""}, {2, ThisRead, 0, ""}, {3, ThisRead, 0, ""}, {5, ThisRead, 0, ""}, {20, ThisRead, 0, ""}, {23, ThisRead, 0, ""},
	{1004, ThisRead, 0, "Can't create file"}, {1021, ThisRead, 0, "Disk full"}, {1026, ThisRead, 0, "Error writing file"},
	{1028, ThisRead, 0, "Sort aborted"}, {1030, ThisRead, 0, "from storage engine"}, {1037, ThisRead, 0, "Out of memory"},
	{1038, ThisRead, 0, "sort memory"}, {1041, ThisRead, 0, "Out of memory"}, {1114, ThisRead, 0, "is full"},
	{1206, ThisRead, 0, "exceeds"},

	{1044, Setup, NoDatabase, "Access denied for user '%s'@'%s' to database"}, {1045, Setup, Denied, "using password"},
	{1049, Setup, NoDatabase, "Unknown database"}, {1054, Setup, NoTable, "Unknown column"}, {1104, Setup, BadSetup, "MAX_JOIN_SIZE"},
	{1109, Setup, NoTable, "Unknown table"}, {1130, Setup, Denied, "not allowed to connect"}, {1142, Setup, NoTable, "denied to user"},
	{1143, Setup, NoTable, "for column"}, {1146, Setup, NoTable, "doesn't exist"}, {1227, Setup, BadSetup, "privilege(s)"},
	{1251, Setup, Denied, "authentication protocol"}, {1275, Setup, Denied, "old format"}, {1356, Setup, NoTable, "View"},
	{1370, Setup, NoTable, "for routine"}, {1524, Setup, Denied, "not loaded"}, {1698, Setup, Denied, "Access denied for user"},
	{1820, Setup, Blocked, "SET PASSWORD"}, {1862, Setup, Blocked, "password has expired"}, {3118, Setup, Blocked, ""},
	{3159, Setup, NeedsTLS, ""}, {3955, Setup, Blocked, ""}, {4150, Setup, Blocked, "too many credential errors"},
	{4151, Setup, Blocked, "account is locked"},
	{1033, Setup, NoTable, "Incorrect information in file"}, {1034, Setup, NoTable, "corrupt"}, {1194, Setup, NoTable, "marked as crashed"},
	{1195, Setup, NoTable, "marked as crashed and last"}, {1812, Setup, NoTable, "Tablespace is missing"},
	{1814, Setup, NoTable, "Tablespace has been discarded"}, {1932, Setup, NoTable, "doesn't exist in engine"},

	{1267, NoMatch, 0, "Illegal mix of collations (%s,%s) and"}, {1270, NoMatch, 0, "Illegal mix of collations"},
	{1271, NoMatch, 0, "Illegal mix of collations"}, {1300, NoMatch, 0, "character string"}, {1977, NoMatch, 0, "Cannot convert"},
	{3854, NoMatch, 0, ""}, {3988, NoMatch, 0, ""},
}

// MariaDB's own messages confirm the meaning of each number in the table.
func TestErrorNumbers(t *testing.T) {
	perror := need.Program(t, "perror", "mariadb-client")
	listed := map[uint16]bool{}
	for _, m := range meanings {
		listed[m.number] = true
		err := &mysql.MySQLError{Number: m.number}
		if got := Of(err).Class; got != m.class || ReasonOf(err) != m.reason {
			t.Errorf("%d: %v, reason %d, want %v, reason %d", m.number, got, ReasonOf(err), m.class, m.reason)
		}
		if sentinel := Of(err).Err; (sentinel == nil) != (m.class == NoMatch) {
			t.Errorf("%d: sentinel %v", m.number, sentinel)
		}
		if m.text == "" {
			continue
		}
		out, failed := exec.Command(perror, strconv.Itoa(int(m.number))).CombinedOutput()
		if failed != nil || !strings.Contains(string(out), m.text) {
			t.Errorf("%d is not %q: %s", m.number, m.text, out)
		}
	}
	for number := range conditions {
		if !listed[number] {
			t.Errorf("%d has no meaning here", number)
		}
	}
}

// A read is repeated if its connection is lost or its server stops, and not if no connection
// can be made, or if the same statement would fail again.
func TestRepeatable(t *testing.T) {
	number := func(n uint16) error { return &mysql.MySQLError{Number: n} }
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{mysql.ErrInvalidConn, true}, {number(1927), true}, {number(2013), true}, {number(1412), true}, {number(1053), true}, {number(1047), true},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, false}, {number(1040), false}, {number(1021), false}, {number(1969), false},
		{number(1146), false}, {context.DeadlineExceeded, false}, {nil, false},
	} {
		if got := Repeatable(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}

// A text that matches no row is logged as an error of its read, if an answer shows it.
func TestNoMatchIsLoggedAsAnError(t *testing.T) {
	if c := NoMatch; c.String() != "no match" || c.RetryAfter() != ThisRead.RetryAfter() || c.Level() != slog.LevelError {
		t.Errorf("%v, %v, %v", c, c.RetryAfter(), c.Level())
	}
}

// The final error of a read determines Retry-After and the log level.
func TestClassOf(t *testing.T) {
	for _, tt := range []struct {
		err   error
		class Class
		name  string
		retry time.Duration
		level slog.Level
	}{
		{errors.New("other"), ThisRead, "this read", 5 * time.Second, slog.LevelError},
		{ErrTimeout, ThisRead, "this read", 5 * time.Second, slog.LevelError},
		{ErrExhausted, ThisRead, "this read", 5 * time.Second, slog.LevelError},
		{ErrInterrupted, TryAgain, "try again", time.Second, slog.LevelWarn},
		{ErrBusy, NoRoom, "no room", 2 * time.Second, slog.LevelWarn},
		{ErrUnavailable, Down, "down", 5 * time.Second, slog.LevelError},
		{ErrSetup, Setup, "set-up", 5 * time.Second, slog.LevelError},
	} {
		c := ClassOf(fmt.Errorf("wrapped: %w", tt.err))
		if c != tt.class || c.String() != tt.name || c.RetryAfter() != tt.retry || c.Level() != tt.level {
			t.Errorf("%v: %v, %v, %v", tt.err, c, c.RetryAfter(), c.Level())
		}
	}
}
