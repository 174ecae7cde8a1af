//go:build !linux

package socket

import "net"

func LimitUnsent(net.Conn) {}
