//go:build !linux

package wire

import "net"

func limitUnsent(net.Conn) {}
