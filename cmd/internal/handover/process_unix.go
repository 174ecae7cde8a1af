//go:build unix

package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
)

// inherited returns a file that the process was started with.
func inherited(fd int, name string) *os.File {
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name)
}

// inheritedLine returns the line to the predecessor.
func inheritedLine() *os.File {
	syscall.SetNonblock(lineFD, true) // so that Close ends a Read; without it the Read goes on
	return inherited(lineFD, "predecessor")
}

// newLine returns both ends of a connection between this process and a successor.
func newLine() (ours, theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range ends {
		syscall.CloseOnExec(fd)
	}
	syscall.SetNonblock(ends[0], true) // see inheritedLine
	return os.NewFile(uintptr(ends[0]), "successor"), os.NewFile(uintptr(ends[1]), "successor's end"), nil
}

// isReset reports whether the other end of a line ended with bytes unread.
func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

// setGroup makes a command that has not started yet run in a new process group.
func setGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends a command and its process group.
func killGroup(cmd *exec.Cmd) {
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // an error means that no process is left
}

// listenerOf makes a listener of a socket that listens.
func listenerOf(socket *os.File) (net.Listener, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	var listens int
	var unfit error
	if err := raw.Control(func(fd uintptr) {
		listens, unfit = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	}); err != nil {
		return nil, err
	}
	if unfit != nil {
		return nil, fmt.Errorf("not a socket: %w", unfit)
	}
	if listens == 0 {
		return nil, errors.New("it does not listen; it must be a ListenStream with Accept=no")
	}
	return net.FileListener(socket)
}

// duplicate returns a copy of the socket of ln. The Fd method of ln's own File
// would make accept block in every process that holds the socket.
func duplicate(ln net.Listener) (*os.File, error) {
	socket, ok := ln.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a %T has no socket to hand over", ln)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	var copied int
	var failed error
	if err := raw.Control(func(fd uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if copied, failed = syscall.Dup(int(fd)); failed == nil {
			syscall.CloseOnExec(copied)
		}
	}); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, fmt.Errorf("dup: %w", failed)
	}
	return os.NewFile(uintptr(copied), "listener"), nil
}
