//go:build !linux

package socket

import "net"

func HungUp(net.Conn) bool { return false }

func Waiting(net.Listener) bool { return false }

func Readable(net.Conn) bool { return false }
