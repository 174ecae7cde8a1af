package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"

	"github.com/go-sql-driver/mysql"
)

// The ways in which the database can fail a question. Errors of this package
// wrap one of them where they can.
var (
	// ErrUnavailable: no connection, or it was lost. It may be back soon.
	ErrUnavailable = errors.New("database unavailable")
	// ErrTimeout: the question took longer than it may.
	ErrTimeout = errors.New("database too slow")
	// ErrSetup: the account, the database or its tables are not as needed.
	// Nothing but a person can mend that.
	ErrSetup = errors.New("database not set up for the proxy")
)

// Server error numbers, of MySQL and MariaDB alike unless one is named.
// Source: the two manuals' error references.
var errorClass = map[uint16]error{
	1044: ErrSetup, // access to the database denied
	1045: ErrSetup, // wrong user or password
	1049: ErrSetup, // unknown database
	1054: ErrSetup, // unknown column
	1109: ErrSetup, // unknown table, in a schema of views
	1130: ErrSetup, // host not allowed to connect
	1142: ErrSetup, // no SELECT on a table
	1143: ErrSetup, // no SELECT on a column
	1146: ErrSetup, // no such table
	1698: ErrSetup, // access denied, MariaDB without a password

	1040: ErrUnavailable, // too many connections
	1053: ErrUnavailable, // server shutting down
	1203: ErrUnavailable, // too many connections of this user
	1226: ErrUnavailable, // the account's limit is used up
	1927: ErrUnavailable, // MariaDB: connection was killed

	1205: ErrTimeout, // lock wait
	1317: ErrTimeout, // query interrupted
	1969: ErrTimeout, // MariaDB: max_statement_time
	3024: ErrTimeout, // MySQL: max_execution_time
}

// classify wraps err, met while doing what op says, in the sentinel it stands
// for.
func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	var class error
	var fromServer *mysql.MySQLError
	var fromNet net.Error
	var dial *net.OpError
	switch {
	case errors.As(err, &fromServer):
		class = errorClass[fromServer.Number]
	case errors.As(err, &dial) && dial.Op == "dial":
		class = ErrUnavailable // also when the time for it was up
	case errors.Is(err, context.DeadlineExceeded):
		class = ErrTimeout
	case isLost(err), errors.As(err, &fromNet):
		class = ErrUnavailable
	}
	if class == nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return fmt.Errorf("%s: %w: %w", op, class, err)
}

// isLost tells a connection that went away from one that could not be made.
func isLost(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn)
}
