// Package exit maps the errors of the commands to exit statuses.
package exit

import (
	"errors"
	"fmt"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
)

// Exit statuses.
const (
	Runtime     = 1 // any other failure at run time, which may be temporary
	Usage       = 2 // an invalid command line or configuration
	NothingNew  = 3 // warm: nothing to publish
	Partly      = 4 // warm, verify, load: some answers failed
	Unreachable = 5 // no proxy answers, or for load no API
	NoDatabase  = 6 // warm: the proxy can't reach the database
	Different   = 7 // verify: answers differ
	TooSlow     = 8 // load: over --max-p99
)

// failure is an error that is not the fault of the command line or the
// configuration.
type failure struct {
	error
	status   int
	reported bool // the command prints no message for it
}

func (f failure) Unwrap() error { return f.error }

// Wrap returns err with an exit status for the command that fails with err.
func Wrap(status int, err error) error { return failure{error: err, status: status} }

// Errorf returns a formatted error with an exit status.
func Errorf(status int, format string, args ...any) error {
	return failure{error: fmt.Errorf(format, args...), status: status}
}

// Silent ends a command whose failure needs no message: the log contains it, or the
// caller requested --quiet.
var Silent error = failure{error: errors.New("failed"), status: Runtime, reported: true}

// Status returns the exit status for an error.
func Status(err error) int {
	var atRuntime failure
	var call *adminclient.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &atRuntime):
		return atRuntime.status
	case !errors.As(err, &call) || call.Kind == adminclient.Rejected:
		return Usage
	case call.Kind == adminclient.Unreachable:
		return Unreachable
	}
	return Runtime
}

// Reported returns err as an error for which the command prints no message, unless it
// is a mistake in the command line.
func Reported(err error) error {
	if status := Status(err); status != 0 && status != Usage {
		return failure{error: err, status: status, reported: true}
	}
	return err
}

// IsReported reports whether err needs no message.
func IsReported(err error) bool {
	var f failure
	return errors.As(err, &f) && f.reported
}
