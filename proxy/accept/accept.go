// Package accept accepts connections from a listener, and pauses while the system has no
// free descriptors or memory instead of failing.
package accept

import (
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The pause after a failure doubles from the first of these to the second.
const firstPause, longestPause = 5 * time.Millisecond, time.Second

// logEvery is the shortest time between two log records of failures.
const logEvery = time.Minute

// Listener accepts connections, also after temporary failures. All methods but Accept are
// safe for concurrent use.
type Listener struct {
	net.Listener
	log    *slog.Logger
	closed chan struct{}
	once   sync.Once
	paused atomic.Int64 // failures that led to a pause
	logged time.Time    // time of the last record; only Accept uses it
}

// New returns a Listener that accepts from ln and logs failures.
func New(ln net.Listener, log *slog.Logger) *Listener {
	return &Listener{Listener: ln, log: log, closed: make(chan struct{})}
}

// Accept waits for the next connection. It returns an error once the listener is
// closed, or can't accept connections any more. One goroutine may call it at a time.
func (l *Listener) Accept() (net.Conn, error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		conn, err := l.Listener.Accept()
		if err == nil || !passes(err) {
			return conn, err
		}
		l.paused.Add(1)
		if now := time.Now(); l.logged.IsZero() || now.Sub(l.logged) >= logEvery {
			l.logged = now
			l.log.Error("accepting connections pauses; new clients wait", "error", err, "pauses", l.paused.Load())
		}
		select {
		case <-time.After(pause):
		case <-l.closed:
			return nil, net.ErrClosed
		}
	}
}

// Close closes the listener and ends a pause.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// SyscallConn returns the socket of the listener, if the listener has a socket.
func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	if system, ok := l.Listener.(syscall.Conn); ok {
		return system.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// Paused returns the number of pauses since the start.
func (l *Listener) Paused() int64 { return l.paused.Load() }

// passing are the errors of accept that say nothing about the listener: the system
// is short of something, or the one connection is broken. Source: accept(2).
var passing = []syscall.Errno{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
	syscall.EAGAIN, syscall.EINTR, syscall.ECONNABORTED, syscall.EPERM, syscall.EPROTO,
	syscall.ENETDOWN, syscall.ENOPROTOOPT, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.EOPNOTSUPP, syscall.ENETUNREACH,
}

func passes(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && slices.Contains(passing, errno)
}
