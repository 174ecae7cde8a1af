//go:build !linux

package proxy

import (
	"net"
	"time"
)

func sinceLastData(net.Conn) (time.Duration, bool) { return 0, false }
