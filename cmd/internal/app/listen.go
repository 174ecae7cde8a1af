package app

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// listen opens the socket to serve: the one that the last process hands over,
// or systemd holds, else a new one at addr.
func (a *App) listen(addr string) (net.Listener, error) {
	if os.Getenv(handOverVar) != "" {
		os.Unsetenv(handOverVar)
		a.handOver.last = inherited(handOverReady, "last process")
		a.handOver.release(true)
		return a.inherit(inherited(handOverSocket, "listener"), "the last process")
	}
	a.handOver.supervised = supervised() // before the variables are gone
	switch files := activation.Files(true); len(files) {
	case 0:
		return a.bind(addr)
	case 1:
		return a.inherit(files[0], "systemd")
	default:
		for _, f := range files {
			f.Close()
		}
		return nil, fmt.Errorf("LISTEN_FDS: systemd passed %d sockets instead of one; give the socket unit a single ListenStream", len(files))
	}
}

func (a *App) bind(addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("LISTEN_ADDR %q: %w", addr, err)
	}
	return ln, nil
}

// inherit makes a listener of a socket that another process opened.
func (a *App) inherit(socket *os.File, from string) (net.Listener, error) {
	defer socket.Close() // the listener has a copy
	ln, err := listenerOf(socket)
	if err != nil {
		return nil, fmt.Errorf("the socket passed by %s: %w", from, err)
	}
	a.log.Info("listening on a socket that was passed on, LISTEN_ADDR is not used", "address", ln.Addr().String(),
		"from", from, "listen_addr", a.cfg.ListenAddr)
	return ln, nil
}

// supervised reports whether systemd started this process. It would take the
// end of it for the end of the service, and end the successor too.
func supervised() bool {
	return os.Getenv("NOTIFY_SOCKET") != "" || isOwn("LISTEN_PID") || isOwn("SYSTEMD_EXEC_PID")
}

// isOwn reports whether a variable holds our process ID. Another's has leaked.
func isOwn(variable string) bool { return os.Getenv(variable) == strconv.Itoa(os.Getpid()) }

// notify tells systemd, if it wants to know, how the service stands.
func (a *App) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		a.log.Warn("systemd not told", "state", state, "error", err)
	}
}
