//go:build !linux

package socket

import "net"

func HungUp(net.Conn) bool { return false }
