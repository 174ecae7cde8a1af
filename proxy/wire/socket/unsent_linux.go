package socket

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// mostUnsent limits the bytes of an answer that wait in the kernel until the client has
// room for them. Without a limit a client that reads nothing makes the kernel hold up
// to 4 MB of an answer. Bytes under way to a fast client do not count.
const mostUnsent = 64 << 10

// LimitUnsent makes writes to a connection wait while mostUnsent bytes are unsent.
func LimitUnsent(c net.Conn) {
	socket, ok := c.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(setUnsent)
}

func setUnsent(fd uintptr) {
	syscall.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, mostUnsent) // an error leaves the kernel's own limit
}
