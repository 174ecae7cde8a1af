package accept

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is a listener whose Accept returns the errors of a script, and then
// connections.
type scripted struct {
	net.Listener
	errors []error
	calls  int
	closed bool
}

func (s *scripted) Accept() (net.Conn, error) {
	s.calls++
	if len(s.errors) == 0 {
		conn, _ := net.Pipe()
		return conn, nil
	}
	err := s.errors[0]
	s.errors = s.errors[1:]
	return nil, err
}

func (s *scripted) Close() error {
	s.closed = true
	return nil
}

func failure(errno syscall.Errno) error {
	return &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", errno)}
}

func repeat(err error, n int) (all []error) {
	for range n {
		all = append(all, err)
	}
	return all
}

// Accepting goes on after failures that pass, with pauses that double to a second,
// and one line in the log for all of a minute's failures.
func TestAcceptGoesOn(t *testing.T) {
	for _, errno := range passing {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			s := &scripted{errors: repeat(failure(errno), 20)}
			l := New(s, slog.New(slog.NewTextHandler(&log, nil)))
			begun := time.Now()
			conn, err := l.Accept()
			if err != nil || conn == nil {
				t.Fatalf("%v: %v", errno, err)
			}
			conn.Close()
			// 5 ms doubles 8 times to 1.28 s, which is cut to 1 s.
			if took, want := time.Since(begun), 1275*time.Millisecond+12*time.Second; took != want {
				t.Errorf("%v: %v, want %v", errno, took, want)
			}
			if lines := strings.Count(log.String(), "accepting connections pauses"); lines != 1 || l.Paused() != 20 {
				t.Errorf("%v: %d lines, %d pauses\n%s", errno, lines, l.Paused(), &log)
			}
			begun = time.Now()
			s.errors = repeat(failure(errno), 1)
			l.Accept()
			if took := time.Since(begun); took != firstPause {
				t.Errorf("the pause of a new failure is %v", took)
			}
		})
	}
}

// A listener that fails for good is an error.
func TestAcceptFails(t *testing.T) {
	for _, err := range []error{net.ErrClosed, failure(syscall.EBADF), failure(syscall.EINVAL), errors.New("unknown")} {
		l := New(&scripted{errors: []error{err}}, slog.New(slog.DiscardHandler))
		if _, got := l.Accept(); !errors.Is(got, err) || l.Paused() != 0 {
			t.Errorf("%v, want %v", got, err)
		}
	}
}

// Close ends a pause.
func TestCloseEndsPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{errors: repeat(failure(syscall.EMFILE), 1000)}
		l := New(s, slog.New(slog.DiscardHandler))
		ended := make(chan error)
		go func() {
			_, err := l.Accept()
			ended <- err
		}()
		time.Sleep(10 * time.Second)
		begun := time.Now()
		l.Close()
		l.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) || time.Since(begun) != 0 || !s.closed {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// TestSocket: the socket of a listener is reached through the Listener, so that the kernel
// can be asked about the queue.
func TestSocket(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	if raw, err := New(tcp, slog.Default()).SyscallConn(); raw == nil || err != nil {
		t.Errorf("%v, %v", raw, err)
	}
	if raw, err := New(&scripted{}, slog.Default()).SyscallConn(); raw != nil || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without a socket: %v, %v", raw, err)
	}
}
