package handover

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"
)

var (
	errNotReady = errors.New("it did not serve with a warm set in time")
	errStopping = errors.New("this process stops")
)

// Successor is a started process that is to replace this process.
type Successor struct {
	cmd   *exec.Cmd
	line  *os.File      // carries readyLine and savedLine
	ended chan struct{} // closed after the process has ended
}

// Start runs command with copies of the sockets of the listeners, the public listener's
// first, and a line for its report. The command gets a process group of its own, so that
// Kill reaches all of it.
func Start(command []string, public net.Listener, admin ...net.Listener) (*Successor, error) {
	var sockets []*os.File
	defer func() {
		for _, s := range sockets {
			s.Close()
		}
	}()
	for _, ln := range append([]net.Listener{public}, admin...) {
		if s, ok := ln.(*Socket); ok {
			ln = s.Listener
		}
		socket, err := duplicate(ln)
		if err != nil {
			return nil, err
		}
		sockets = append(sockets, socket)
	}
	line, theirs, err := newLine()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), successorVar+"="+strconv.Itoa(len(sockets)))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = append([]*os.File{sockets[0], theirs}, sockets[1:]...) // socketFD, lineFD and adminFD
	setGroup(cmd)
	if err := cmd.Start(); err != nil {
		line.Close()
		return nil, err
	}
	s := &Successor{cmd: cmd, line: line, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		cmd.Wait() // its error is in cmd.ProcessState
	}()
	return s, nil
}

// PID returns the process ID of the successor.
func (s *Successor) PID() int { return s.cmd.Process.Pid }

// Saved reports to the successor, which waits for the report, that this process has
// written its files. Call it before Await.
func (s *Successor) Saved() { s.line.WriteString(savedLine) } // an error means that it has ended, which Await reports

// Await returns nil once the successor serves, and an error if the successor, patience
// or ctx ends before. Call it once.
func (s *Successor) Await(ctx context.Context, patience time.Duration) error {
	defer s.line.Close()
	serves := make(chan struct{})
	go func() {
		if line, _ := bufio.NewReader(s.line).ReadString('\n'); line == readyLine {
			close(serves)
		}
	}()
	select {
	case <-serves:
		return nil
	case <-s.ended:
		return fmt.Errorf("it ended with %v; its output is above", s.cmd.ProcessState)
	case <-time.After(patience):
		return fmt.Errorf("%w: %v", errNotReady, patience)
	case <-ctx.Done():
		return errStopping
	}
}

// Kill ends the successor and all processes of its group, which may hold the
// socket.
func (s *Successor) Kill() {
	killGroup(s.cmd)
	<-s.ended
}
