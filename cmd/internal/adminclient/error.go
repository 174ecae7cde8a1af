package adminclient

import (
	"errors"
	"net"
)

// Kind classifies an Error by its remedy.
type Kind uint8

const (
	// Failed is any other error, such as a refused token.
	Failed Kind = iota
	// Unreachable means that no proxy answered, or that it was too busy: the same
	// call may succeed later.
	Unreachable
	// Rejected means that the proxy rejected the request's parameters.
	Rejected
)

// Error is the error of a call.
type Error struct {
	Kind   Kind
	base   string
	detail string
	cause  error // of the connection; nil if the proxy answered
}

// Error describes the error. It names the URL, but for a rejected request, which
// fails anywhere.
func (e *Error) Error() string {
	if e.Kind == Rejected {
		return e.detail
	}
	return e.base + ": " + e.detail
}

// Unwrap returns the error of the connection.
func (e *Error) Unwrap() error { return e.cause }

// IsUnreachable reports whether err is an Error whose kind is Unreachable.
func IsUnreachable(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == Unreachable
}

// NothingListens reports whether err is an Error because no connection could be
// made.
func NothingListens(err error) bool {
	var e *Error
	var op *net.OpError
	return errors.As(err, &e) && errors.As(e.cause, &op) && op.Op == "dial"
}

func (c *Client) fail(kind Kind, detail string) error { return &Error{kind, c.name, detail, nil} }

// Gone returns an Error of the kind Unreachable.
func (c *Client) Gone(detail string) error { return c.fail(Unreachable, detail) }

// NotOurs returns an Error for an answer that no xcri-proxy gives.
func (c *Client) NotOurs() error { return c.fail(Failed, "got an answer that is not xcri-proxy's") }
