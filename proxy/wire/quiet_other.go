//go:build !linux

package wire

import (
	"net"
	"time"
)

func sinceLastData(net.Conn) (time.Duration, bool) { return 0, false }
