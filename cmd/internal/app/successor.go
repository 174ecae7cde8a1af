package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

const (
	// handOverVar tells a process that it is a successor. Its listening socket
	// and the pipe on which it says that it serves have these numbers then.
	handOverVar    = "XCRI_PROXY_HANDOVER"
	handOverSocket = 3
	handOverReady  = 4
	readyLine      = "ready\n"
)

var (
	errNotReady = errors.New("it did not serve with a warm set in time")
	errStopping = errors.New("this process stops")
)

// successor is a process that is to take over.
type successor struct {
	cmd   *exec.Cmd
	said  *os.File      // what it says once it serves
	ended chan struct{} // closed after its end
}

// start runs command with ln and a pipe to say on that it serves. It has a
// process group of its own, so that all of it can be killed.
func start(command []string, ln net.Listener) (*successor, error) {
	socket, err := duplicate(ln)
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	said, say, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer say.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), handOverVar+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{socket, say} // handOverSocket and handOverReady
	setGroup(cmd)
	if err := cmd.Start(); err != nil {
		said.Close()
		return nil, err
	}
	s := &successor{cmd: cmd, said: said, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		cmd.Wait() // its error is in cmd.ProcessState
	}()
	return s, nil
}

// await returns nil once the successor serves.
func (s *successor) await(ctx context.Context, patience time.Duration) error {
	defer s.said.Close()
	serves := make(chan struct{})
	go func() {
		if line, _ := bufio.NewReader(s.said).ReadString('\n'); line == readyLine {
			close(serves)
		}
	}()
	select {
	case <-serves:
		return nil
	case <-s.ended:
		return fmt.Errorf("it ended with %v; what it said is above", s.cmd.ProcessState)
	case <-time.After(patience):
		return fmt.Errorf("%w: %v", errNotReady, patience)
	case <-ctx.Done():
		return errStopping
	}
}

// kill ends the successor with all that it started, which may hold the socket.
func (s *successor) kill() {
	killGroup(s.cmd)
	<-s.ended
}
