// Package daemon runs a server program for a test: in a temporary folder and a process group
// of its own, until the test ends. A failed test shows the program's output and logs.
package daemon

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is the time within which a program must be ready, on a busy machine.
const patience = time.Minute

// Program describes a server program.
type Program struct {
	Path string
	Args []string
	// Logs are files whose ends a failed test shows.
	Logs []string
	// Ready reports whether the program serves.
	Ready func() bool
	// Orphaned is the signal that the program gets when the test process dies: SIGTERM if
	// zero, by which a server ends its children.
	Orphaned syscall.Signal
}

// Process is a program that runs, or did. Its methods are not safe for concurrent use.
type Process struct {
	t       testing.TB
	program Program
	cmd     *exec.Cmd
	done    chan struct{} // closed when the process has ended
	output  output
}

// Start runs a program until the test ends, and returns when it is ready.
func Start(t testing.TB, program Program) *Process {
	t.Helper()
	p := &Process{t: t, program: program}
	t.Cleanup(p.end)
	p.Run()
	return p
}

// Run starts the program again after Kill.
func (p *Process) Run() {
	p.t.Helper()
	cmd, done := exec.Command(p.program.Path, p.program.Args...), make(chan struct{})
	orphaned := p.program.Orphaned
	if orphaned == 0 {
		orphaned = syscall.SIGTERM
	}
	// The process group is killed with all children of the program.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: orphaned}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.cmd, p.done = cmd, done
	go func() { cmd.Wait(); close(done) }()
	p.Await("ready", p.program.Ready)
}

// Await waits until the program is in a state, and fails the test if it ends or takes too long.
func (p *Process) Await(state string, is func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !is(); {
		select {
		case <-p.done:
			p.t.Fatalf("%s has ended before it was %s", p.program.Path, state)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s is not %s within %v", p.program.Path, state, patience)
		}
	}
}

// Signal sends a signal to the program, not to its children.
func (p *Process) Signal(signal os.Signal) error { return p.cmd.Process.Signal(signal) }

// Kill ends the program and its children with SIGKILL, and waits for the end.
func (p *Process) Kill() {
	select {
	case <-p.done: // another process may have its number
	default:
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

// end kills the program, and shows its output and logs if the test has failed.
func (p *Process) end() {
	if p.cmd != nil {
		p.Kill()
	}
	if !p.t.Failed() {
		return
	}
	p.t.Logf("%s printed:\n%s", p.program.Path, last(p.output.String()))
	for _, name := range p.program.Logs {
		text, _ := os.ReadFile(name)
		p.t.Logf("%s ends:\n%s", filepath.Base(name), last(string(text)))
	}
}

// last returns the end of a text.
func last(text string) string { return text[max(0, len(text)-3000):] }

// output collects the output of a process that may still write.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Folder makes a folder that exists until the test ends. Its path is short, for a socket,
// and no folder above it is closed to the accounts that servers change to.
func Folder(t testing.TB, mode os.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "xcri-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Listens returns a condition: a server accepts connections at an address.
func Listens(network, address string) func() bool {
	return func() bool {
		conn, err := net.Dial(network, address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
}
