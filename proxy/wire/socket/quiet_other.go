//go:build !linux

package socket

import (
	"net"
	"time"
)

func sinceLastData(net.Conn) (time.Duration, bool) { return 0, false }
