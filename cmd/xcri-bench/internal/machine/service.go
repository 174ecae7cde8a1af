package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// The compared servers run on one core and the load generators on the other, so that
// they do not compete.
const (
	ServerCore = "0"
	LoadCore   = "1"
)

// Service is a server process that was started here.
type Service struct {
	Name, Addr string
	cmd        *exec.Cmd
	out        bytes.Buffer // output; read only after the process has ended
	ended      chan struct{}
}

// Program is a server to start.
type Program struct {
	Name, Addr string
	Core       string   // empty means all cores
	Group      *Group   // nil means the control group of this process
	Env        []string // NAME=VALUE, beside this process's environment
	Args       []string // command line
}

// Launch starts a server and returns once it accepts connections. The server ends with
// this process.
func Launch(ctx context.Context, p Program) (*Service, error) {
	args := p.Args
	if p.Core != "" {
		args = append([]string{"taskset", "-c", p.Core}, args...)
	}
	if p.Group != nil {
		args = p.Group.enter(args)
	}
	s := &Service{Name: p.Name, Addr: p.Addr, cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), p.Env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.cmd.Wait()
		close(s.ended)
	}()
	if err := s.Await(ctx, func() bool { return accepts(p.Addr) }); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start %s: %w", p.Name, err)
	}
	return s, nil
}

// Await polls until a condition holds. It returns an error if the service ends.
func (s *Service) Await(ctx context.Context, ok func() bool) error {
	for deadline := time.Now().Add(time.Minute); ; {
		if ok() {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("it has ended: %s", s.out.String())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.New("it is not ready after a minute")
		}
	}
}

func accepts(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Stop ends the service and waits for its end.
func (s *Service) Stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		s.cmd.Process.Kill()
		<-s.ended
	}
}

// Command runs a program to its end and returns its output.
func Command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", name, err, errs.String())
	}
	return out.String(), nil
}
