// Package handover replaces a running process by its successor on the same
// listening sockets: it opens the sockets or takes them over, starts the
// successor, and carries the successor's report that it serves.
package handover

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

const (
	// successorVar marks a process as a successor and holds the number of its
	// listening sockets. The first socket, the line to the predecessor and the second
	// socket have the file descriptors below.
	successorVar = "XCRI_PROXY_HANDOVER"
	socketFD     = 3
	lineFD       = 4
	adminFD      = 5
)

// adminNames are the names that systemd may give to the admin socket: by
// FileDescriptorName=, or after the socket unit that is shipped.
var adminNames = []string{"admin", "xcri-proxy-admin.socket"}

// Want describes a socket to open.
type Want struct {
	Setting string      // names the address in errors
	Addr    string      // host:port or unix:/path; empty for no socket
	Mode    fs.FileMode // of a Unix socket
}

// Socket is a listening socket of the process, with the process that opened it.
type Socket struct {
	net.Listener
	From        string       // the process that passed the socket on; empty if Open made it
	Predecessor *Predecessor // waits for this process to serve; nil means no predecessor
	Supervised  bool         // systemd started the process

	path string // of a Unix socket that this process removes at its end; empty for none
}

// Open returns the public and the admin socket: the sockets that the predecessor or
// systemd passed on, or else new sockets. The admin socket is nil if none is wanted. The
// public socket holds the Predecessor. Open removes the variables that announce sockets
// from the environment, so call it only once.
func Open(public, admin Want) (*Socket, *Socket, error) {
	passed, err := takePassed()
	if err != nil {
		return nil, nil, err
	}
	if passed.admin != nil && passed.admin.From != fromSystemd && (admin.Addr == "" || !passed.admin.isAt(admin.Addr)) {
		passed.admin.Close() // the settings have changed
		passed.admin.Remove()
		passed.admin = nil
	}
	if passed.admin != nil && admin.Addr == "" {
		err = fmt.Errorf("systemd passed an admin socket, but %s is not set; set it to the same address", admin.Setting)
	}
	if err == nil && passed.public == nil {
		passed.public, err = bind(public)
	}
	if err == nil && passed.admin == nil && admin.Addr != "" {
		passed.admin, err = bind(admin)
	}
	if err != nil {
		passed.close()
		return nil, nil, err
	}
	passed.public.Predecessor, passed.public.Supervised = passed.last, passed.supervised
	return passed.public, passed.admin, nil
}

// passedOn holds the sockets that another process opened.
type passedOn struct {
	public, admin *Socket // nil for none
	last          *Predecessor
	supervised    bool
}

const fromSystemd, fromLast = "systemd", "the last process"

// takePassed takes over the sockets that the environment announces.
func takePassed() (p passedOn, err error) {
	count := os.Getenv(successorVar)
	if count == "" {
		p.supervised = supervised() // activation.Files removes the variables
		return p, p.activate(activation.Files(true))
	}
	os.Unsetenv(successorVar)
	p.last = newPredecessor(inheritedLine())
	if p.public, err = take(inherited(socketFD, "listener"), fromLast); err == nil && count == "2" {
		p.admin, err = take(inherited(adminFD, "admin listener"), fromLast)
	}
	if err != nil {
		p.close()
	}
	return p, err
}

// activate takes over the sockets that systemd holds.
func (p *passedOn) activate(files []*os.File) (err error) {
	var public []*os.File
	for _, f := range files {
		switch isAdmin := slices.Contains(adminNames, f.Name()); {
		case !isAdmin:
			public = append(public, f)
		case err == nil && p.admin == nil:
			p.admin, err = take(f, fromSystemd)
		default:
			f.Close()
		}
	}
	switch {
	case len(public) > 1:
		for _, f := range public {
			f.Close()
		}
		err = errors.Join(err, fmt.Errorf("LISTEN_FDS: systemd passed %d sockets instead of one; give the socket unit a single ListenStream", len(public)))
	case len(public) == 1:
		var failed error
		p.public, failed = take(public[0], fromSystemd)
		err = errors.Join(err, failed)
	}
	if err != nil {
		p.close()
	}
	return err
}

func (p *passedOn) close() {
	for _, s := range []*Socket{p.public, p.admin} {
		if s != nil {
			s.Close()
		}
	}
	if p.last != nil {
		p.last.line.Close()
	}
}

const unixScheme = "unix:"

func bind(want Want) (*Socket, error) {
	s := &Socket{}
	var err error
	if path, ok := strings.CutPrefix(want.Addr, unixScheme); ok {
		s.path = path
		s.Listener, err = bindUnix(path, want.Mode)
	} else {
		s.Listener, err = net.Listen("tcp", want.Addr)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %q: %w", want.Setting, want.Addr, err)
	}
	return s, nil
}

// take makes a listener of a socket that another process opened.
func take(socket *os.File, from string) (*Socket, error) {
	defer socket.Close() // the listener has a copy
	ln, err := listenerOf(socket)
	if err != nil {
		return nil, fmt.Errorf("the socket passed by %s: %w", from, err)
	}
	s := &Socket{Listener: ln, From: from}
	if unix, ok := ln.(*net.UnixListener); ok && from == fromLast {
		s.path = unix.Addr().String()
	}
	return s, nil
}

// isAt reports whether the socket has the address of a setting.
func (s *Socket) isAt(addr string) bool {
	if path, ok := strings.CutPrefix(addr, unixScheme); ok {
		return s.Addr().Network() == "unix" && s.Addr().String() == path
	}
	want, err := net.ResolveTCPAddr("tcp", addr)
	is, ok := s.Addr().(*net.TCPAddr)
	if err != nil || !ok {
		return false
	}
	anywhere := len(want.IP) == 0 && is.IP.IsUnspecified()
	return (want.Port == 0 || want.Port == is.Port) && (anywhere || want.IP.Equal(is.IP))
}

// Remove removes the file of a Unix socket that this process opened, or took over
// from its predecessor, unless another process accepts connections there. Call it
// after Close.
func (s *Socket) Remove() {
	if s != nil && s.path != "" {
		removeUnix(s.path) // after an error the next start removes it
	}
}

// supervised reports whether systemd started this process. For systemd the end of this
// process is the end of the service, and it would end a successor too.
func supervised() bool {
	return os.Getenv("NOTIFY_SOCKET") != "" || isOwn("LISTEN_PID") || isOwn("SYSTEMD_EXEC_PID")
}

// isOwn reports whether a variable holds this process's ID. With another process ID
// the variable was inherited and does not concern this process.
func isOwn(variable string) bool { return os.Getenv(variable) == strconv.Itoa(os.Getpid()) }
