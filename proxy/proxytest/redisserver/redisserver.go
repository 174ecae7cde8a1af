// Package redisserver starts a Redis for a test in a temporary folder, and stops it when
// the test ends.
package redisserver

import (
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

const patience = time.Minute

// Server is a Redis that runs, or did.
type Server struct {
	// URL is the address for SHARED_CACHE: a Unix socket.
	URL string
	// Addr is the address on the loopback interface; empty unless Start was asked for it.
	Addr string

	t    testing.TB
	bin  string
	dir  string
	args []string
	cmd  *exec.Cmd
	done chan struct{}
	out  strings.Builder
}

// Start runs a Redis that keeps nothing on disk, with further arguments. Without an
// installed Redis the test is skipped, or fails in CI.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, "", args)
}

// start runs a Redis with a configuration file; none if it is empty.
func start(t testing.TB, config string, args []string) *Server {
	t.Helper()
	bin := need.Program(t, "redis-server", "redis-server")
	dir, err := os.MkdirTemp("", "xcri-redis-") // a short path: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	s := &Server{URL: "unix://" + socket, t: t, bin: bin, dir: dir}
	if config != "" {
		file := filepath.Join(dir, "conf") // Sentinels and nodes of a cluster write to theirs
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		s.args = []string{file}
	}
	s.args = append(s.args, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir, "--daemonize", "no")
	s.args = append(s.args, args...)
	t.Cleanup(func() {
		s.Kill()
		os.RemoveAll(dir)
		if t.Failed() {
			t.Logf("redis-server: %s", s.out.String())
		}
	})
	s.Run()
	return s
}

// OnLoopback returns the arguments with which a Redis listens on a free port of the
// loopback interface, too, and the address.
func OnLoopback(t testing.TB) (args []string, addr string) {
	t.Helper()
	port := freePort(t)
	return []string{"--port", port, "--bind", "127.0.0.1"}, net.JoinHostPort("127.0.0.1", port)
}

// freePort returns a port that no other test gets meanwhile from the system, which gives
// higher ports to clients and to listeners without a port.
func freePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		if ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

// Run starts the Redis again, empty, after Kill.
func (s *Server) Run() {
	s.t.Helper()
	os.Remove(filepath.Join(s.dir, "s"))
	s.cmd, s.done = exec.Command(s.bin, s.args...), make(chan struct{})
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, done := s.cmd, s.done
	go func() { cmd.Wait(); close(done) }()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("unix", filepath.Join(s.dir, "s"))
		if err == nil {
			conn.Close()
			return
		}
		select {
		case <-done:
			s.t.Fatalf("redis-server ended: %s", s.out.String())
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("redis-server does not listen: %v", err)
		}
	}
}

// Kill ends the Redis with SIGKILL, and waits for its end.
func (s *Server) Kill() {
	s.cmd.Process.Signal(syscall.SIGCONT)
	s.cmd.Process.Kill()
	<-s.done
}

// Stop stops the Redis with SIGSTOP until Continue.
func (s *Server) Stop() { s.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue lets a stopped Redis continue.
func (s *Server) Continue() { s.cmd.Process.Signal(syscall.SIGCONT) }

// Do runs redis-cli with arguments and returns its output.
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("redis-cli", append([]string{"-s", filepath.Join(s.dir, "s")}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("redis-cli %s: %v %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}
