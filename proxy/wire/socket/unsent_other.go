//go:build !linux

package socket

import "net"

// LimitUnsent does nothing: this system has no such limit.
func LimitUnsent(net.Conn) {}
