package socket

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// HungUp reports whether the other end of a connection has closed it, or at least its
// own direction. Data that has arrived and was not read does not hide that.
// Source: poll(2), POLLRDHUP.
func HungUp(conn net.Conn) bool {
	return poll(conn, unix.POLLRDHUP)&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}

// Waiting reports whether a connection waits in the listener's queue for its Accept.
// Source: poll(2), POLLIN.
func Waiting(ln net.Listener) bool { return poll(ln, unix.POLLIN)&unix.POLLIN != 0 }

// Readable reports whether bytes, or the end of the stream, have arrived on a connection that
// were not read yet. It returns false for a connection without a socket.
// Source: poll(2), POLLIN.
func Readable(conn net.Conn) bool { return poll(conn, unix.POLLIN)&unix.POLLIN != 0 }

// poll returns the events that have happened on a socket, without waiting. It returns 0
// for a value without a socket.
func poll(of any, events int16) (happened int16) {
	system, ok := of.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := system.SyscallConn()
	if err != nil {
		return 0
	}
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
		if n, err := unix.Poll(fds, 0); err == nil && n > 0 {
			happened = fds[0].Revents
		}
	})
	if err != nil {
		return 0
	}
	return happened
}
