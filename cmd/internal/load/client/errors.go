package client

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
)

// The errors of an answer.
var (
	errClosed    = errors.New("the connection was closed before an answer")
	errTruncated = errors.New("the answer ended early")
	errMalformed = errors.New("not an HTTP answer")
	errBody      = errors.New("the body is wrong")
)

// dialError reports a failure to open a connection.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// statusError reports an unexpected status.
type statusError int

func (e statusError) Error() string {
	return fmt.Sprintf("got %d %s", int(e), http.StatusText(int(e)))
}

// WrongStatus returns the error for an unexpected status.
func WrongStatus(status int) error { return statusError(status) }

// IsWhole reports whether the answer is complete although err may concern its status
// or its body.
func IsWhole(err error) bool {
	var wrong statusError
	return err == nil || errors.As(err, &wrong) || errors.Is(err, errBody)
}

// NoConnection is the Kind of a failure to connect.
const NoConnection = "no connection"

// Kind returns the kind of an error, by which a report counts errors.
func Kind(err error) string {
	var (
		dial   dialError
		status statusError
	)
	switch {
	case errors.As(err, &dial):
		return NoConnection
	case isTimeout(err):
		return "timeout"
	case errors.Is(err, errTruncated):
		return "truncated"
	case errors.Is(err, errMalformed):
		return "malformed"
	case errors.Is(err, errBody):
		return "body"
	case errors.As(err, &status):
		return "status " + strconv.Itoa(int(status))
	}
	return "closed"
}

func malformed(what string, text []byte) error {
	return fmt.Errorf("%w: %s %.60q", errMalformed, what, text)
}

// broken reports whether err means that the connection has ended.
func broken(err error) bool {
	return err != nil && !isTimeout(err) && !errors.Is(err, errMalformed)
}

// early converts the end of the connection into the error of an incomplete answer.
func early(err error) error {
	if broken(err) {
		return errTruncated
	}
	return err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
