//go:build unix

package port

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// held listens with a second socket that is bound to the same port and does not listen. The
// port belongs to both, and to the second socket alone once the listener is closed.
func held() (ln net.Listener, release func(), err error) {
	shared := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return errors.Join(err, failed)
	}}
	if ln, err = shared.Listen(context.Background(), "tcp4", "127.0.0.1:0"); err != nil {
		return nil, nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, errors.Join(err, ln.Close())
	}
	unix.CloseOnExec(fd)
	second := os.NewFile(uintptr(fd), "held port")
	at := &unix.SockaddrInet4{Port: ln.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	if err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1), unix.Bind(fd, at)); err != nil {
		return nil, nil, errors.Join(err, second.Close(), ln.Close())
	}
	return ln, func() { second.Close() }, nil
}
