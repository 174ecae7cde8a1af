// Package redisserver starts a Redis for a test in a temporary folder, and stops it when
// the test ends.
package redisserver

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/daemon"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// Server is a Redis that runs, or did.
type Server struct {
	// URL is the address for SHARED_CACHE: a Unix socket.
	URL string
	// Addr is the address on the loopback interface, of the servers of a Watched or a
	// Cluster; empty for others.
	Addr string

	t       testing.TB
	socket  string
	process *daemon.Process
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
	dir := daemon.Folder(t, 0o700)
	socket := filepath.Join(dir, "s")
	all := []string{"--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir, "--daemonize", "no"}
	if config != "" {
		file := filepath.Join(dir, "conf") // Sentinels and nodes of a cluster write to theirs
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append([]string{file}, all...)
	}
	process := daemon.Start(t, daemon.Program{
		Path: bin, Args: append(all, args...), Ready: daemon.Listens("unix", socket),
		Orphaned: syscall.SIGKILL, // also while it is stopped
	})
	return &Server{URL: "unix://" + socket, t: t, socket: socket, process: process}
}

// OnLoopback returns the arguments with which a Redis listens on a free port of the
// loopback interface, too, and the address.
func OnLoopback(t testing.TB) (args []string, addr string) {
	t.Helper()
	addr = port.Address(t)
	_, number, _ := net.SplitHostPort(addr)
	return []string{"--port", number, "--bind", "127.0.0.1"}, addr
}

// Run starts the Redis again, empty, after Kill.
func (s *Server) Run() {
	s.t.Helper()
	os.Remove(s.socket)
	s.process.Run()
}

// Kill ends the Redis with SIGKILL, and waits for its end.
func (s *Server) Kill() { s.process.Kill() }

// Stop stops the Redis with SIGSTOP until Continue.
func (s *Server) Stop() { s.process.Signal(syscall.SIGSTOP) }

// Continue lets a stopped Redis continue.
func (s *Server) Continue() { s.process.Signal(syscall.SIGCONT) }

// Do runs redis-cli with arguments and returns its output.
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.t.Fatalf("redis-cli %s: %v %s", args, err, out)
	}
	return out
}

func (s *Server) try(args ...string) (out string, err error) {
	text, err := exec.Command("redis-cli", append([]string{"-s", s.socket}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(text)), err
}

// IsPrimary reports whether the Redis is a primary. A Sentinel ends all connections to a Redis
// that becomes one, also of redis-cli.
func (s *Server) IsPrimary() bool {
	role, err := s.try("ROLE")
	return err == nil && strings.Contains(role, "master")
}
