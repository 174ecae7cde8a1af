//go:build unix

package handover

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// socketDir is a folder whose path leaves room for the name of a socket.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "xcri-socket-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// stale creates a socket at path on which no process accepts.
func stale(t *testing.T, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestBindUnix: a new socket replaces a stale socket but no other file, and has its
// mode from the start.
func TestBindUnix(t *testing.T) {
	dir := socketDir(t)
	for name, tt := range map[string]struct {
		before func(path string)
		why    string // of the refusal; empty for none
	}{
		"nothing there": {func(string) {}, ""},
		"stale":         {func(path string) { stale(t, path) }, ""},
		"in use": {func(path string) {
			ln, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { ln.Close() })
		}, "another process accepts connections there"},
		"datagrams": {func(path string) {
			conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
		}, "not certain"},
		"a file":       {func(path string) { os.WriteFile(path, []byte("precious"), 0o600) }, "not a socket"},
		"a folder":     {func(path string) { os.Mkdir(path, 0o700) }, "not a socket"},
		"a link":       {func(path string) { stale(t, path+"x"); os.Symlink(path+"x", path) }, "not a socket"},
		"a loose link": {func(path string) { os.Symlink("nowhere", path) }, "not a socket"},
		"a pipe":       {func(path string) { syscall.Mkfifo(path, 0o600) }, "not a socket"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			tt.before(path)
			before, _ := os.Lstat(path)
			ln, err := bindUnix(path, 0o640)
			if tt.why != "" {
				after, _ := os.Lstat(path)
				if err == nil || !strings.Contains(err.Error(), tt.why) || !os.SameFile(before, after) {
					t.Errorf("%v, want %q", err, tt.why)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			if file, err := os.Lstat(path); err != nil || file.Mode() != fs.ModeSocket|0o640 {
				t.Errorf("mode %v %v", file.Mode(), err)
			}
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	}
	mask := syscall.Umask(0o022)
	if syscall.Umask(mask); mask == 0o137 {
		t.Error("the mask of files is still the socket's")
	}
	if _, err := bindUnix(filepath.Join(dir, "missing", "x"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := bindUnix(filepath.Join(dir, strings.Repeat("x", 200)), 0o600); err == nil {
		t.Error("a path that is too long")
	}
}

// TestBindUnixConcurrently: of several processes that start concurrently on a stale socket
// exactly one listens, and its file stays.
func TestBindUnixConcurrently(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	for range 20 {
		os.Remove(path)
		stale(t, path)
		var all sync.WaitGroup
		bound := make(chan net.Listener, 8)
		for range cap(bound) {
			all.Go(func() {
				if ln, err := bindUnix(path, 0o600); err == nil {
					bound <- ln
				}
			})
		}
		all.Wait()
		if len(bound) != 1 {
			t.Fatalf("%d listen", len(bound))
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		(<-bound).Close()
	}
}

// TestRemove: a process removes its socket's file at its end, unless another process
// has replaced the file.
func TestRemove(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	want := Want{"LISTEN_ADDR", "unix:" + path, 0o600}
	open := func() *Socket {
		t.Helper()
		s, admin, err := Open(want, Want{})
		if err != nil || admin != nil || s.From != "" || s.Predecessor != nil {
			t.Fatalf("%+v %v %v", s, admin, err)
		}
		return s
	}
	first := open()
	if first.Close(); !exists(path) {
		t.Error("gone with Close, when a successor may serve it")
	}
	second := open()
	if first.Remove(); !exists(path) {
		t.Error("another's was removed")
	}
	second.Close()
	if second.Remove(); exists(path) {
		t.Error("still there")
	}
	second.Remove()
	(*Socket)(nil).Remove()
	tcp, _, err := Open(Want{"LISTEN_ADDR", "127.0.0.1:0", 0}, Want{})
	if err != nil {
		t.Fatal(err)
	}
	tcp.Close()
	tcp.Remove()
}

// TestOpenErrors: an error names the setting at fault, and no socket is left open.
func TestOpenErrors(t *testing.T) {
	dir := socketDir(t)
	good := Want{"LISTEN_ADDR", "unix:" + filepath.Join(dir, "good"), 0o600}
	for why, admin := range map[string]Want{
		`ADMIN_ADDR "unix:` + dir + `": a file that is not a socket`: {"ADMIN_ADDR", "unix:" + dir, 0o600},
		`ADMIN_ADDR "192.0.2.1:1": `:                                 {"ADMIN_ADDR", "192.0.2.1:1", 0o600},
	} {
		if _, _, err := Open(good, admin); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want %s", err, why)
		}
	}
	public, admin, err := Open(good, Want{"ADMIN_ADDR", "unix:" + filepath.Join(dir, "admin"), 0o600})
	if err != nil {
		t.Fatal(err)
	}
	defer public.Close()
	defer admin.Close()
	if public.Addr().String() != filepath.Join(dir, "good") || admin.Addr().String() != filepath.Join(dir, "admin") {
		t.Errorf("%v %v", public.Addr(), admin.Addr())
	}
}

// TestIsAt: an inherited socket is compared with the address in the settings.
func TestIsAt(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	for _, tt := range []struct {
		network, at string
		is          map[string]bool // PORT stands for the port in use
	}{
		{"unix", path, map[string]bool{"unix:" + path: true, "unix:" + path + "x": false, "127.0.0.1:1": false}},
		{"tcp", "127.0.0.1:0", map[string]bool{"127.0.0.1:PORT": true, "localhost:PORT": true, "127.0.0.1:0": true, "127.0.0.1:1": false,
			"127.0.0.2:PORT": false, ":PORT": false, "unix:" + path: false, "host.invalid:PORT": false, "127.0.0.1:PORT0": false}},
	} {
		ln, err := net.Listen(tt.network, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		for addr, want := range tt.is {
			if tcp, ok := ln.Addr().(*net.TCPAddr); ok {
				_, port, _ := net.SplitHostPort(tcp.String())
				addr = strings.ReplaceAll(addr, "PORT", port)
			}
			if got := (&Socket{Listener: ln}).isAt(addr); got != want {
				t.Errorf("%v at %s: %v", ln.Addr(), addr, got)
			}
		}
	}
}

// TestSuccessorHasBothSockets: the second socket follows the line to the predecessor.
func TestSuccessorHasBothSockets(t *testing.T) {
	dir := socketDir(t)
	public, admin, err := Open(Want{"", "unix:" + filepath.Join(dir, "p"), 0o600}, Want{"", "unix:" + filepath.Join(dir, "a"), 0o600})
	if err != nil {
		t.Fatal(err)
	}
	defer public.Close()
	defer admin.Close()
	s, err := Start([]string{"/bin/sh", "-c", `[ "$XCRI_PROXY_HANDOVER" = 2 ] && [ -S /dev/fd/3 ] && [ -S /dev/fd/4 ] && [ -S /dev/fd/5 ] && echo ready >&4; exec sleep 1000`}, public, admin)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Kill()
	if err := s.Await(t.Context(), 20e9); err != nil {
		t.Error(err)
	}
}
