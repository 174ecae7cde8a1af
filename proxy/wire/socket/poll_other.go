//go:build !linux

package socket

import "net"

// HungUp returns false: this system has no check.
func HungUp(net.Conn) bool { return false }

// Waiting returns false: this system has no check.
func Waiting(net.Listener) bool { return false }

// Readable returns false: this system has no check.
func Readable(net.Conn) bool { return false }
