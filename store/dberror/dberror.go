// Package dberror classifies errors of the database: one table gives each error number a
// class, which decides whether a read is repeated, waits or fails, and a sentinel, by which
// callers know the failure.
package dberror

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"
)

// The ways in which the database can fail a read. An error wraps at most one of
// them, except ErrBusy, which is an ErrTimeout too.
var (
	// ErrUnavailable: the server can't be reached. Reads of other keys fail too.
	ErrUnavailable = errors.New("database unavailable")
	// ErrInterrupted: this read was lost although the server answers. Another
	// attempt may succeed.
	ErrInterrupted = errors.New("database read interrupted")
	// ErrTimeout: the read took longer than its limit.
	ErrTimeout = errors.New("database too slow")
	// ErrBusy: no connection became free within the caller's time. It says
	// nothing about the server.
	ErrBusy = fmt.Errorf("%w: all connections in use", ErrTimeout)
	// ErrExhausted: the server lacks the memory or disk space for this read. Reads that need
	// less may succeed.
	ErrExhausted = errors.New("database out of memory or disk space")
	// ErrSetup: the account, the database or its tables do not meet the requirements.
	// An operator must correct this.
	ErrSetup = errors.New("database not set up for the proxy")
)

// Class classifies an error by its extent and its remedy.
type Class uint8

const (
	// ThisRead: the same statement would fail again; other reads are not
	// concerned.
	ThisRead Class = iota
	// TryAgain: the connection or the snapshot is lost. The read is repeated
	// once, on a new connection.
	TryAgain
	// NoRoom: the server grants no further connection. The read waits for an existing
	// connection.
	NoRoom
	// Down: the server can't be reached or refuses all statements.
	Down
	// Setup: an operator must change the account, the database or a setting.
	Setup
	// NoMatch: the server can't compare the text with the column's characters,
	// so no row matches.
	NoMatch
)

// traits holds, for each Class, the facts that callers of a failed read need.
var traits = [...]struct {
	name  string
	retry time.Duration
	level slog.Level
}{
	ThisRead: {"this read", 5 * time.Second, slog.LevelError},
	TryAgain: {"try again", time.Second, slog.LevelWarn},
	NoRoom:   {"no room", 2 * time.Second, slog.LevelWarn},
	Down:     {"down", 5 * time.Second, slog.LevelError},
	Setup:    {"set-up", 5 * time.Second, slog.LevelError},
	NoMatch:  {"no match", 5 * time.Second, slog.LevelError},
}

func (c Class) String() string { return traits[c].name }

// RetryAfter returns the time that a client should wait before it repeats a request
// that failed with this class.
func (c Class) RetryAfter() time.Duration { return traits[c].retry }

// Level returns the level at which a failure of this class is logged.
func (c Class) Level() slog.Level { return traits[c].level }

// Condition is one row of the table: the meaning of a server error number.
type Condition struct {
	Class Class
	Err   error // sentinel of the read's final error; nil means no sentinel
}

// conditions are the server's error numbers, of MySQL and MariaDB alike unless
// a row names one of them. A number that is missing is ThisRead without a
// sentinel.
// Source: the two manuals' error references; sql/share/errmsg-utf8.txt.
var conditions = map[uint16]Condition{
	1040: {NoRoom, ErrUnavailable}, // too many connections
	1135: {NoRoom, ErrUnavailable}, // no thread for a new connection
	1203: {NoRoom, ErrUnavailable}, // too many connections of this user
	1226: {NoRoom, ErrUnavailable}, // one of the account's limits is used up

	1047: {Down, ErrUnavailable}, // Galera: node not ready for statements
	1053: {Down, ErrUnavailable}, // server shutting down
	1079: {Down, ErrUnavailable}, // shutdown complete
	1129: {Down, ErrUnavailable}, // this host is blocked after connection errors
	3032: {Down, ErrUnavailable}, // MySQL: offline mode
	3168: {Down, ErrUnavailable}, // MySQL: server is not available
	2002: {Down, ErrUnavailable}, // a proxy of MySQL connections: no connection to its server
	2003: {Down, ErrUnavailable}, // the same
	9001: {Down, ErrUnavailable}, // ProxySQL: no connection to any of its servers in time

	1152: {TryAgain, ErrUnavailable}, // connection aborted
	1158: {TryAgain, ErrUnavailable}, // error reading packets
	1159: {TryAgain, ErrUnavailable}, // timeout reading packets
	1160: {TryAgain, ErrUnavailable}, // error writing packets
	1161: {TryAgain, ErrUnavailable}, // timeout writing packets
	1184: {TryAgain, ErrUnavailable}, // connection aborted
	1927: {TryAgain, ErrUnavailable}, // MariaDB: connection was killed
	4031: {TryAgain, ErrUnavailable}, // MySQL: disconnected for inactivity
	2006: {TryAgain, ErrUnavailable}, // a proxy of MySQL connections: its server has gone
	2013: {TryAgain, ErrUnavailable}, // the same, during a statement

	1020: {TryAgain, ErrInterrupted}, // MariaDB: row changed since the snapshot
	1213: {TryAgain, ErrInterrupted}, // deadlock
	1412: {TryAgain, ErrInterrupted}, // table redefined since the snapshot
	1637: {TryAgain, ErrInterrupted}, // too many transactions
	1317: {TryAgain, ErrTimeout},     // statement killed
	1205: {ThisRead, ErrTimeout},     // lock wait
	1969: {ThisRead, ErrTimeout},     // MariaDB: max_statement_time
	3024: {ThisRead, ErrTimeout},     // MySQL: max_execution_time

	1:    {ThisRead, ErrExhausted}, // a file can't be created
	2:    {ThisRead, ErrExhausted}, // a file can't be read
	3:    {ThisRead, ErrExhausted}, // a file can't be written: disk full
	5:    {ThisRead, ErrExhausted}, // out of memory
	20:   {ThisRead, ErrExhausted}, // disk full
	23:   {ThisRead, ErrExhausted}, // too many open files
	1004: {ThisRead, ErrExhausted}, // a file can't be created
	1021: {ThisRead, ErrExhausted}, // disk full
	1026: {ThisRead, ErrExhausted}, // a file can't be written
	1028: {ThisRead, ErrExhausted}, // sort aborted
	1030: {ThisRead, ErrExhausted}, // error of the storage engine
	1037: {ThisRead, ErrExhausted}, // out of memory
	1038: {ThisRead, ErrExhausted}, // out of memory for sorting
	1041: {ThisRead, ErrExhausted}, // out of memory
	1114: {ThisRead, ErrExhausted}, // temporary table full
	1206: {ThisRead, ErrExhausted}, // too many locks

	1044: {Setup, ErrSetup}, // access to the database denied
	1045: {Setup, ErrSetup}, // wrong user or password
	1049: {Setup, ErrSetup}, // unknown database
	1054: {Setup, ErrSetup}, // unknown column
	1104: {Setup, ErrSetup}, // max_join_size
	1109: {Setup, ErrSetup}, // unknown table, in a schema of views
	1130: {Setup, ErrSetup}, // host not allowed to connect
	1142: {Setup, ErrSetup}, // no SELECT on a table
	1143: {Setup, ErrSetup}, // no SELECT on a column
	1146: {Setup, ErrSetup}, // no such table
	1033: {Setup, ErrSetup}, // the table's definition is damaged
	1034: {Setup, ErrSetup}, // an index is damaged
	1194: {Setup, ErrSetup}, // the table is damaged
	1195: {Setup, ErrSetup}, // the table is damaged, and its repair failed
	1812: {Setup, ErrSetup}, // the table's file is missing
	1814: {Setup, ErrSetup}, // the table's file is discarded
	1932: {Setup, ErrSetup}, // the table is missing in the engine
	1227: {Setup, ErrSetup}, // a privilege is missing
	1251: {Setup, ErrSetup}, // authentication protocol not supported
	1275: {Setup, ErrSetup}, // password of an old format
	1356: {Setup, ErrSetup}, // view of missing tables
	1370: {Setup, ErrSetup}, // no EXECUTE on a routine of a view
	1524: {Setup, ErrSetup}, // authentication plugin not loaded
	1698: {Setup, ErrSetup}, // access denied, MariaDB without a password
	1820: {Setup, ErrSetup}, // password must be changed
	1862: {Setup, ErrSetup}, // password has expired
	3118: {Setup, ErrSetup}, // MySQL: account locked
	3159: {Setup, ErrSetup}, // MySQL: TLS required by the server
	3955: {Setup, ErrSetup}, // MySQL: account blocked after wrong passwords
	4150: {Setup, ErrSetup}, // MariaDB: account blocked after wrong passwords
	4151: {Setup, ErrSetup}, // MariaDB: account locked

	1267: {NoMatch, nil}, // collations of column and text can't be mixed
	1270: {NoMatch, nil}, // the same, of three values
	1271: {NoMatch, nil}, // the same, of more values
	1300: {NoMatch, nil}, // invalid character string
	1977: {NoMatch, nil}, // MariaDB: a character can't be converted
	3854: {NoMatch, nil}, // MySQL: text can't be converted to the column's characters
	3988: {NoMatch, nil}, // MySQL: conversion of collations is impossible
}

// sentinels in the order in which ClassOf tries them, and the class of an error
// that carries no number.
var sentinels = []struct {
	err   error
	class Class
}{
	{ErrUnavailable, Down}, {ErrInterrupted, TryAgain}, {ErrBusy, NoRoom}, {ErrTimeout, ThisRead},
	{ErrExhausted, ThisRead}, {ErrSetup, Setup},
}

// Repeatable reports whether a read that failed with err may succeed on another
// connection: its connection or snapshot was lost, or its server ends statements because it
// stops. Another server may answer then.
func Repeatable(err error) bool {
	class := Of(err).Class
	return class == TryAgain || class == Down && NumberOf(err) != 0
}

// ClassOf returns the class of the final error of a read, after the pool has repeated
// the read or waited.
func ClassOf(err error) Class {
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.class
		}
	}
	return ThisRead
}

// NumberOf returns the server's error number, or zero.
func NumberOf(err error) uint16 {
	var server *mysql.MySQLError
	if errors.As(err, &server) {
		return server.Number
	}
	return 0
}

// IsNoDate reports whether the server has refused a text as a date. MySQL refuses some
// texts of which MariaDB makes NULL.
func IsNoDate(err error) bool {
	n := NumberOf(err)
	return n == 1292 || n == 1525 // truncated incorrect value, incorrect value
}

// Of returns the condition of an error of the driver.
func Of(err error) Condition {
	var network net.Error
	var dial *net.OpError
	var reason *SetupError
	switch n := NumberOf(err); {
	case errors.As(err, &reason):
		return Condition{Setup, ErrSetup}
	case n != 0:
		return conditions[n]
	case errors.Is(err, context.Canceled):
		return Condition{} // an ended context, also while dialling
	case errors.Is(err, ErrUnavailable):
		return Condition{Down, ErrUnavailable}
	case errors.As(err, &dial) && dial.Op == "dial":
		return Condition{Down, ErrUnavailable} // also after a timeout
	case errors.Is(err, ErrBusy):
		return Condition{NoRoom, nil} // wraps its sentinel already
	case errors.Is(err, context.DeadlineExceeded):
		return Condition{ThisRead, ErrTimeout}
	case IsLost(err), errors.As(err, &network):
		return Condition{TryAgain, ErrUnavailable}
	}
	return Condition{}
}

// Wrap wraps err, met while doing op, in the sentinel of its condition.
func Wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	if sentinel := Of(err).Err; sentinel != nil && !errors.Is(err, sentinel) {
		err = fmt.Errorf("%w: %w", sentinel, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// IsLost reports whether an established connection broke, rather than that no
// connection could be made.
func IsLost(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn)
}

// Reason classifies set-up errors, so that a caller can name the setting to correct.
type Reason uint8

const (
	// BadSetup: no finer reason is known.
	BadSetup Reason = iota
	// Denied: the server has no account for this user, password and client address, or
	// accepts no connection from this address.
	Denied
	// Blocked: the account is locked, or its password has expired.
	Blocked
	// NeedsTLS: the server or the account accepts encrypted connections only.
	NeedsTLS
	// NoTLS: TLS is required, and the server offers none.
	NoTLS
	// BadCertificate: the server's certificate can't be verified, or it refuses
	// ours.
	BadCertificate
	// NoDatabase: there is no such database, or the account may not use it.
	NoDatabase
	// NoTable: a table or column is missing, or the account may not read it.
	NoTable
)

// reasons are the finer reasons of server error numbers.
var reasons = map[uint16]Reason{
	1045: Denied, 1130: Denied, 1698: Denied, 1251: Denied, 1275: Denied, 1524: Denied,
	1820: Blocked, 1862: Blocked, 3118: Blocked, 3955: Blocked, 4150: Blocked, 4151: Blocked,
	3159: NeedsTLS, 1044: NoDatabase, 1049: NoDatabase,
	1054: NoTable, 1109: NoTable, 1142: NoTable, 1143: NoTable, 1146: NoTable, 1356: NoTable, 1370: NoTable,
	1033: NoTable, 1034: NoTable, 1194: NoTable, 1195: NoTable, 1812: NoTable, 1814: NoTable, 1932: NoTable,
}

// SetupError is an ErrSetup whose reason does not follow from the server's error
// number alone.
type SetupError struct {
	Reason Reason
	Err    error
}

func (e *SetupError) Error() string { return e.Err.Error() }
func (e *SetupError) Unwrap() error { return e.Err }

// ReasonOf returns the reason of an ErrSetup.
func ReasonOf(err error) Reason {
	var setup *SetupError
	if errors.As(err, &setup) {
		return setup.Reason
	}
	return reasons[NumberOf(err)]
}
