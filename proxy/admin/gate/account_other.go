//go:build !linux

package gate

import (
	"errors"
	"net"
)

// Account returns errors.ErrUnsupported: this system has no lookup of the process at
// the other end of a connection.
func Account(net.Conn) (uid int, err error) { return 0, errors.ErrUnsupported }
