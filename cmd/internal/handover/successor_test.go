//go:build unix

package handover

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startScript starts a shell script as the successor of a process that listens.
func startScript(t *testing.T, script string) *Successor {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	s, err := Start([]string{"/bin/sh", "-c", script}, &Socket{Listener: ln})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

// TestAwaitReports holds that only the whole line on the pipe counts as ready, and
// that each other result has its own error.
func TestAwaitReports(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name, script string
		ctx          context.Context
		patience     time.Duration
		want         string // part of the error; empty for none
	}{
		{"ready", "echo ready >&4; exec sleep 1000", t.Context(), time.Minute, ""},
		{"ends", "exit 3", t.Context(), time.Minute, "it ended with exit status 3"},
		{"reports another line", "echo wrong >&4; exec sleep 1000", t.Context(), time.Millisecond, errNotReady.Error()},
		{"reports nothing", "exec sleep 1000", t.Context(), time.Millisecond, errNotReady.Error()},
		{"this process stops", "exec sleep 1000", canceled, time.Minute, errStopping.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := startScript(t, tt.script).Await(tt.ctx, tt.patience)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestSuccessorHasTheSocket holds that the successor is marked as one and that
// its descriptor 3 is the predecessor's socket.
func TestSuccessorHasTheSocket(t *testing.T) {
	s := startScript(t, `[ "$XCRI_PROXY_HANDOVER" = 1 ] && [ -S /dev/fd/3 ] && echo ready >&4; exec sleep 1000`)
	if err := s.Await(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
}

// TestKillReachesTheGroup holds that processes of the successor end with it.
func TestKillReachesTheGroup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	s := startScript(t, "sleep 1000 & echo $! >"+file+"; echo ready >&4; wait")
	if err := s.Await(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := syscall.Kill(-s.PID(), 0); err == nil {
		// A killed child may still be a zombie of the group until init reaps it.
		stat, _ := os.ReadFile(filepath.Join("/proc", readTrimmed(t, file), "stat"))
		if _, state, _ := strings.Cut(string(stat), ") "); state != "" && !strings.HasPrefix(state, "Z") {
			t.Errorf("the child of the successor goes on: %s", stat)
		}
	}
}

func readTrimmed(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// TestStartFails holds that a command that cannot run is an error, and a listener
// without a socket too.
func TestStartFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := Start([]string{filepath.Join(t.TempDir(), "missing")}, ln); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing program: %v", err)
	}
	if _, err := Start([]string{"/bin/true"}, struct{ net.Listener }{ln}); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("no socket: %v", err)
	}
}
