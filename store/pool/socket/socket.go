// Package socket examines the socket below a connection to the database, which the driver
// does not show.
package socket

import (
	"context"
	"net"
	"syscall"
)

// Socket is the socket of one connection. The zero Socket is unknown. Its methods may be
// called concurrently with each other and with the use of the connection, once the
// connection is open.
type Socket struct{ conn syscall.Conn }

type key struct{}

// Record returns a context with which Dial sets s.
func (s *Socket) Record(ctx context.Context) context.Context {
	return context.WithValue(ctx, key{}, s)
}

// Dial connects to an address, as net.Dialer does, and sets the Socket that ctx records. It
// is a mysql.Config's DialFunc.
func Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if s, _ := ctx.Value(key{}).(*Socket); s != nil && err == nil {
		s.conn, _ = conn.(syscall.Conn)
	}
	return conn, err
}

// Unread reports whether bytes, or the end of the connection, have arrived that the process
// has not read yet. It returns false if it cannot know: after the connection was closed, and
// on systems without MSG_PEEK.
func (s *Socket) Unread() (unread bool) {
	if s.conn == nil {
		return false
	}
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) { unread = peek(fd) })
	return unread && err == nil
}
