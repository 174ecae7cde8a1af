package main

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
	serverCore = "0"
	loadCore   = "1"
)

// service is a server process that was started here.
type service struct {
	name, addr string
	cmd        *exec.Cmd
	out        bytes.Buffer // output; read only after the process has ended
	ended      chan struct{}
}

// launch starts a server and returns once it accepts connections. The server runs on
// the given core, or on all cores if none is given, and ends with this process.
func launch(ctx context.Context, name, addr, core string, env []string, args ...string) (*service, error) {
	if core != "" {
		args = append([]string{"taskset", "-c", core}, args...)
	}
	s := &service{name: name, addr: addr, cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.cmd.Wait()
		close(s.ended)
	}()
	if err := s.await(ctx, func() bool { return accepts(addr) }); err != nil {
		s.stop()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return s, nil
}

// await polls until a condition holds. It returns an error if the service ends.
func (s *service) await(ctx context.Context, ok func() bool) error {
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

// stop ends the service and waits for its end.
func (s *service) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		s.cmd.Process.Kill()
		<-s.ended
	}
}

// command runs a program to its end and returns its output.
func command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s", name, err, errs.String())
	}
	return out.String(), nil
}
