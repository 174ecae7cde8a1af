//go:build unix

package handover

import (
	"context"
	"errors"
	"io"
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

// TestAwaitReports: only the complete line counts as ready, and each other result has
// its own error.
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

// TestSuccessorHasTheSocket: the successor is marked as a successor, and its
// descriptor 3 is the predecessor's socket.
func TestSuccessorHasTheSocket(t *testing.T) {
	s := startScript(t, `[ "$XCRI_PROXY_HANDOVER" = 1 ] && [ -S /dev/fd/3 ] && echo ready >&4; exec sleep 1000`)
	if err := s.Await(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
}

// TestKillReachesTheGroup: the successor's child processes end with it.
func TestKillReachesTheGroup(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	s := startScript(t, "sleep 1000 >"+fifo+" & wait")
	reader, err := os.Open(fifo) // returns once the child has opened it for writing
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	s.Kill()
	if _, err := io.ReadAll(reader); err != nil { // returns once the child has ended
		t.Error(err)
	}
}

// TestStartFails: a command that cannot run is an error, and so is a listener without
// a socket.
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

// The predecessor's reports and its end reach the successor. The line of an earlier
// version, which can't be read, is accepted too.
func TestPredecessorReports(t *testing.T) {
	ended := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		case <-time.After(time.Minute):
			return false
		}
	}
	ours, theirs, err := newLine()
	if err != nil {
		t.Fatal(err)
	}
	p := newPredecessor(theirs)
	(&Successor{line: ours}).Saved()
	p.AwaitSaved(time.Hour)
	select {
	case <-p.Gone():
		t.Error("it is gone while it serves")
	default:
	}
	ours.Close()
	if !ended(p.Gone()) {
		t.Error("its end is not noticed")
	}
	if err := p.Ready(); err == nil {
		t.Error("it listens after its end")
	}

	// Killed before it has saved.
	ours, theirs, err = newLine()
	if err != nil {
		t.Fatal(err)
	}
	p = newPredecessor(theirs)
	ours.Close()
	p.AwaitSaved(time.Hour)
	if !ended(p.Gone()) {
		t.Error("its end is not noticed")
	}

	// An earlier version passes the writing end of a pipe.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p = newPredecessor(w)
	p.AwaitSaved(time.Hour)
	if err := p.Ready(); err != nil {
		t.Error(err)
	}
	if text, err := io.ReadAll(r); string(text) != readyLine || err != nil {
		t.Errorf("reported %q, %v", text, err)
	}
	select {
	case <-p.Gone():
		t.Error("an earlier version counts as gone")
	default:
	}
}
