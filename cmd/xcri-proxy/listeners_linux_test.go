package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
)

// sockets configures a service with both listeners on Unix sockets.
func (s *service) sockets(t *testing.T) (public, admin string) {
	t.Helper()
	public, admin = filepath.Join(s.dir, "public.sock"), filepath.Join(s.dir, "admin.sock")
	text, err := os.ReadFile(s.envFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.ReplaceAll(string(text), "LISTEN_ADDR="+s.addr, "LISTEN_ADDR=unix:"+public)
	s.configure(t, lines+"LISTEN_SOCKET_MODE=0660", "ADMIN_ADDR=unix:"+admin)
	return public, admin
}

// statusAt returns the status of an answer over a Unix socket; 0 means no answer.
func statusAt(path, target string) int {
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) },
	}}
	resp, err := client.Get("http://localhost" + target)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func awaitStatus(t *testing.T, path, target string, want int) {
	t.Helper()
	await(t, fmt.Sprintf("%d from %s at %s", want, target, path), func() bool { return statusAt(path, target) == want })
}

// expectDoors checks that each socket answers only its own pages.
func expectDoors(t *testing.T, public, admin string) {
	t.Helper()
	for _, tt := range []struct {
		path, target string
		want         int
	}{{public, "/teams/", 200}, {public, "/cache/stats", 404}, {public, "/metrics", 404}, {admin, "/cache/stats", 200}, {admin, "/metrics", 200}, {admin, "/livez", 200}, {admin, "/teams/", 404}} {
		if got := statusAt(tt.path, tt.target); got != tt.want {
			t.Errorf("%s at %s: %d, want %d", tt.target, tt.path, got, tt.want)
		}
	}
}

// testListeners holds that commands, hand-over, kill and stop work for a proxy on two
// Unix sockets.
func testListeners(t *testing.T, s *service) {
	adoptOrphans(t)
	public, admin := s.sockets(t)
	s.start(t, `exec "$0" "$@"`, nil)
	awaitStatus(t, public, "/readyz", 200)
	expectDoors(t, public, admin)
	for path, mode := range map[string]fs.FileMode{public: 0o660, admin: 0o600} {
		if file, err := os.Lstat(path); err != nil || file.Mode() != fs.ModeSocket|mode {
			t.Errorf("%s: %v, %v", path, file.Mode(), err)
		}
	}
	for _, command := range []string{"health", "source", "maintenance", "explain /teams/"} {
		cmd := exec.Command(s.program, append(strings.Fields(command), "--env-file", s.envFile)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	out, err := exec.Command(s.program, "source", "--env-file", s.envFile, "--admin-addr", "unix:"+admin+"x").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "unix:"+admin+"x: ") {
		t.Errorf("nothing there: %v\n%s", err, out)
	}

	before, err := os.Lstat(public)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "a PID file", func() bool { return s.pid() == s.process.Pid })
	for range 2 {
		s.handOver(t)
		expectDoors(t, public, admin)
	}
	if after, err := os.Lstat(public); err != nil || !os.SameFile(before, after) {
		t.Errorf("the socket was replaced: %v", err)
	}

	other := exec.Command(s.program, "serve", "--env-file", s.envFile)
	if out, err := other.CombinedOutput(); err == nil || !strings.Contains(string(out), "another process accepts connections there") {
		t.Errorf("a second process on the same socket: %v\n%s", err, out)
	}
	expectDoors(t, public, admin)

	s.process.Signal(syscall.SIGKILL)
	s.process.Wait()
	if statusAt(public, "/livez") != 0 {
		t.Error("it answers after its death")
	}
	if _, err := os.Lstat(public); err != nil {
		t.Errorf("no stale socket to replace: %v", err)
	}
	s.start(t, `exec "$0" "$@"`, nil)
	awaitStatus(t, public, "/readyz", 200)
	expectDoors(t, public, admin)
	s.moveAdmin(t, public, admin)
}

// moveAdmin checks that a successor listens at the changed address of the admin
// listener, and that the old socket's file is removed.
func (s *service) moveAdmin(t *testing.T, public, admin string) {
	t.Helper()
	good, err := os.ReadFile(s.envFile)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "a PID file", func() bool { return s.pid() == s.process.Pid })
	s.configure(t, strings.ReplaceAll(string(good), admin, admin+"2"))
	s.handOver(t)
	expectDoors(t, public, admin+"2")
	s.configure(t, strings.ReplaceAll(string(good), "ADMIN_ADDR", "#"))
	s.handOver(t)
	if got := statusAt(public, "/cache/stats"); got != 200 {
		t.Errorf("without ADMIN_ADDR: %d", got)
	}
	s.configure(t, string(good))
	s.handOver(t)
	expectDoors(t, public, admin)
	s.stop(t)
	if left, _ := filepath.Glob(filepath.Join(s.dir, "*.sock*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// testActivatedListeners holds that systemd can pass both sockets, distinguished by
// their names, and that they outlive the process.
func testActivatedListeners(t *testing.T, s *service) {
	public, admin := s.sockets(t)
	var files []*os.File
	for _, path := range []string{public, admin} {
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		file, err := ln.File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files = append(files, file)
	}
	for _, names := range []string{"xcri-proxy.socket:xcri-proxy-admin.socket", "xcri-proxy.socket:admin"} {
		s.start(t, `LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=`+names+` exec "$0" "$@"`, nil, files...)
		awaitStatus(t, public, "/readyz", 200)
		expectDoors(t, public, admin)
		s.stop(t)
	}
	for _, path := range []string{public, admin} {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("systemd's socket is gone: %v", err)
		}
	}
	text, err := os.ReadFile(s.envFile)
	if err != nil {
		t.Fatal(err)
	}
	s.configure(t, strings.ReplaceAll(string(text), "ADMIN_ADDR", "#"))
	s.start(t, `LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=x:admin exec "$0" "$@"`, nil, files...)
	if state, err := s.process.Wait(); err != nil || state.ExitCode() != exit.Runtime || !strings.Contains(s.log(t), "systemd passed an admin socket, but ADMIN_ADDR is not set") {
		t.Errorf("an unwanted admin socket: %v %v", state, err)
	}
	s.process = nil
}
