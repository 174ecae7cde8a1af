// Package handover replaces a running process by its successor on the same
// listening socket: it opens the socket or takes it over, starts the successor,
// and carries the successor's report that it serves.
package handover

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/coreos/go-systemd/v22/activation"
)

const (
	// successorVar marks a process as a successor. Its listening socket and the
	// pipe to its predecessor then have the file descriptors below.
	successorVar = "XCRI_PROXY_HANDOVER"
	socketFD     = 3
	reportFD     = 4
)

// Socket is the listening socket of the process and where it came from.
type Socket struct {
	net.Listener
	From        string       // the process that passed the socket on; empty if Open made it
	Predecessor *Predecessor // waits for this process to serve; nil means no predecessor
	Supervised  bool         // systemd started the process
}

// Open returns the socket that the predecessor or systemd passed on, else a new
// one at addr. It removes the variables that announce the socket from the
// environment, so call it only once.
func Open(addr string) (*Socket, error) {
	if os.Getenv(successorVar) != "" {
		os.Unsetenv(successorVar)
		last := &Predecessor{inherited(reportFD, "predecessor")}
		s, err := take(inherited(socketFD, "listener"), "the last process")
		if err != nil {
			last.pipe.Close()
			return nil, err
		}
		s.Predecessor = last
		return s, nil
	}
	supervised := supervised() // activation.Files removes the variables
	var s *Socket
	var err error
	switch files := activation.Files(true); len(files) {
	case 0:
		s, err = bind(addr)
	case 1:
		s, err = take(files[0], "systemd")
	default:
		for _, f := range files {
			f.Close()
		}
		err = fmt.Errorf("LISTEN_FDS: systemd passed %d sockets instead of one; give the socket unit a single ListenStream", len(files))
	}
	if err != nil {
		return nil, err
	}
	s.Supervised = supervised
	return s, nil
}

func bind(addr string) (*Socket, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("LISTEN_ADDR %q: %w", addr, err)
	}
	return &Socket{Listener: ln}, nil
}

// take makes a listener of a socket that another process opened.
func take(socket *os.File, from string) (*Socket, error) {
	defer socket.Close() // the listener has a copy
	ln, err := listenerOf(socket)
	if err != nil {
		return nil, fmt.Errorf("the socket passed by %s: %w", from, err)
	}
	return &Socket{Listener: ln, From: from}, nil
}

// supervised reports whether systemd started this process. systemd takes the end
// of this process for the end of the service, and would end a successor too.
func supervised() bool {
	return os.Getenv("NOTIFY_SOCKET") != "" || isOwn("LISTEN_PID") || isOwn("SYSTEMD_EXEC_PID")
}

// isOwn reports whether a variable holds our process ID. With another process ID
// the variable was inherited and says nothing of this process.
func isOwn(variable string) bool { return os.Getenv(variable) == strconv.Itoa(os.Getpid()) }
