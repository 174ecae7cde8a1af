package proxy

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// newFile returns a file in memory that holds b, or nil if there is none to be
// had.
func newFile(b []byte) *os.File {
	fd, err := unix.MemfdCreate("answer", unix.MFD_CLOEXEC)
	if err != nil {
		return nil
	}
	file := os.NewFile(uintptr(fd), "answer")
	if _, err := file.Write(b); err != nil {
		file.Close()
		return nil
	}
	return file
}

// sender sends from files to a socket: the kernel then passes on the pages that
// it has, where it copies each byte of what is written.
type sender struct {
	raw  syscall.RawConn // nil before the first use
	step func(fd uintptr) (done bool)

	head         []byte // goes first
	file         *os.File
	offset, size int64
	sent         int64
	err          error
}

// send sends head and then size bytes, which are all that is in the file. It
// returns how many bytes of both it sent. Where the connection is none that can, ok
// is false and nothing happened.
func (s *sender) send(to any, head []byte, file *os.File, size int64) (sent int64, ok bool, err error) {
	if s.raw == nil {
		conn, can := to.(syscall.Conn)
		if !can {
			return 0, false, nil
		}
		if s.raw, err = conn.SyscallConn(); err != nil {
			return 0, true, err
		}
		s.step = s.sendMore
	}
	s.head, s.file, s.offset, s.size, s.sent, s.err = head, file, 0, size, 0, nil
	err = s.raw.Write(s.step)
	s.head, s.file = nil, nil
	if err == nil {
		err = s.err
	}
	return s.sent, true, err
}

// sendMore sends until all is sent, or the socket takes no more just now.
func (s *sender) sendMore(socket uintptr) (done bool) {
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

func (s *sender) sendSome(socket int) (n int, err error) {
	if len(s.head) > 0 {
		n, err = unix.SendmsgN(socket, s.head, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
		s.head = s.head[max(0, n):]
		return max(0, n), err
	}
	n, err = unix.Sendfile(socket, int(s.file.Fd()), &s.offset, int(s.size-s.offset))
	if n == 0 && err == nil {
		err = io.ErrUnexpectedEOF // the file is shorter than it should be
	}
	return max(0, n), err
}
