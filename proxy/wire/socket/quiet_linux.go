package socket

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sinceLastData returns for how long nothing has arrived on a connection, as the kernel
// reports it. Known is false where it does not.
// Source: tcp(7), TCP_INFO.
func sinceLastData(conn net.Conn) (quiet time.Duration, known bool) {
	tcp, ok := conn.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, false
	}
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if known = err == nil; known {
			quiet = time.Duration(info.Last_data_recv) * time.Millisecond
		}
	})
	return quiet, known && err == nil
}
