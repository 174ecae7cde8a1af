package socket

import (
	"fmt"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lewistv/xcri-proxy/cache/memfile"
)

// Sender sends memory files to a socket with sendfile: the kernel passes on the file's
// pages, while a write would copy each byte.
type Sender struct {
	raw  syscall.RawConn // nil before the first use
	step func(socket uintptr) (done bool)
	some func(file uintptr)

	head         []byte // sent before the file
	file         *memfile.File
	offset, size int64
	sent         int64
	socket, n    int
	err          error
}

// Send sends head and then the file. It returns how many bytes of both it sent. The
// caller holds the file. A connection without a socket gets a copy.
func (s *Sender) Send(to net.Conn, head []byte, file *memfile.File) (sent int64, err error) {
	if s.raw == nil {
		conn, can := to.(syscall.Conn)
		if !can {
			return copyTo(to, head, file)
		}
		if s.raw, err = conn.SyscallConn(); err != nil {
			return 0, err
		}
		s.step, s.some = s.sendMore, s.sendFile
	}
	s.head, s.file, s.offset, s.size, s.sent, s.err = head, file, 0, int64(file.Size()), 0, nil
	err = s.raw.Write(s.step)
	s.head, s.file = nil, nil
	if err == nil {
		err = s.err
	}
	return s.sent, err
}

// sendMore sends until everything is sent or the socket's buffer is full.
func (s *Sender) sendMore(socket uintptr) (done bool) {
	for s.offset < s.size {
		n, err := s.sendSome(int(socket))
		switch err {
		case nil:
			s.sent += int64(n)
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			s.err = fmt.Errorf("send: %w", err)
			return true
		}
	}
	return true
}

func (s *Sender) sendSome(socket int) (n int, err error) {
	if len(s.head) > 0 {
		n, err = unix.SendmsgN(socket, s.head, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
		s.head = s.head[max(0, n):]
		return max(0, n), err
	}
	s.socket = socket
	if err := s.file.Control(s.some); err != nil {
		return 0, err
	}
	n, err = s.n, s.err
	s.err = nil
	if n == 0 && err == nil {
		err = io.ErrUnexpectedEOF // the file is shorter than it should be
	}
	return max(0, n), err
}

// sendFile sends a part of the file.
func (s *Sender) sendFile(file uintptr) {
	s.n, s.err = unix.Sendfile(s.socket, int(file), &s.offset, int(s.size-s.offset))
}
