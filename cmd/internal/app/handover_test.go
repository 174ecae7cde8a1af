package app

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/proxy"
)

// impatient returns a running App with more settings, whose successor is a script.
func impatient(t *testing.T, script string, patience time.Duration, more ...string) (r *running, flags map[string]string) {
	t.Helper()
	flags, _ = keptSettings(t, database(t))
	flags["PID_FILE"] = filepath.Join(t.TempDir(), "pid")
	flags["STATE_FILE"] = filepath.Join(t.TempDir(), "state")
	for i := 0; i < len(more); i += 2 {
		flags[more[i]] = more[i+1]
	}
	r = run(t, flags, func(a *App) {
		a.handOver.command, a.handOver.patience = []string{"/bin/sh", "-c", script}, patience
		a.listener.Supervised = false // the tests may run under systemd
	})
	r.awaitLog(t, "cache saved")
	return r, flags
}

// TestSuccessorHangs holds that a successor that is not ready in time is killed with
// its children, and that the App serves unchanged.
func TestSuccessorHangs(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone")
	r, flags := impatient(t, "sleep 1000; touch "+gone, 200*time.Millisecond)
	r.HandOver()
	r.awaitLog(t, "did not serve with a warm set in time")
	if status, _ := get(t, r.url("/teams/")); status != 200 {
		t.Errorf("afterwards: status %d", status)
	}
	if err := os.Remove(flags["CACHE_FILE"]); err != nil {
		t.Fatal(err)
	}
	if err := r.handOver.owning(keepState(flags["STATE_FILE"]))(proxy.State{}); err != nil {
		t.Errorf("state: %v", err)
	}
	r.finish(t)
	savedKeys(t, flags["CACHE_FILE"])
	if _, err := os.Stat(gone); err == nil {
		t.Error("the script went on")
	}
}

// TestSuccessorServes holds that after the hand-over the old process ends and does not
// change the files of the new process.
func TestSuccessorServes(t *testing.T) {
	dir := t.TempDir()
	started, ready := filepath.Join(dir, "started"), filepath.Join(dir, "ready")
	r, flags := impatient(t, "touch "+started+"; while [ ! -e "+ready+" ]; do sleep 0.01; done; echo $$ >$PID; echo ready >&4; exec sleep 1000", time.Minute)
	t.Setenv("PID", flags["PID_FILE"])
	r.HandOver()
	awaitFile(t, started)
	r.awaitLog(t, "another process takes over") // the cache is saved
	if err := r.handOver.owning(keepState(flags["STATE_FILE"]))(proxy.State{}); !errors.Is(err, errHandingOver) {
		t.Errorf("a change meanwhile: %v", err)
	}
	if err := os.Remove(flags["CACHE_FILE"]); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(flags["PID_FILE"]); string(text) != strconv.Itoa(os.Getpid())+"\n" {
		t.Errorf("PID file: %q", text)
	}
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := syscall.Kill(successorOf(t, flags), syscall.SIGKILL); err != nil {
		t.Errorf("the successor: %v", err)
	}
	if _, err := os.Stat(flags["CACHE_FILE"]); err == nil {
		t.Error("the cache was saved after the hand-over")
	}
}

// successorOf returns the process ID that a successor's script has written.
func successorOf(t *testing.T, flags map[string]string) int {
	t.Helper()
	text, err := os.ReadFile(flags["PID_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	successor, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || successor == os.Getpid() {
		t.Fatalf("PID file afterwards: %q", text)
	}
	return successor
}

// A stop waits for the successor. A successor that does not serve within
// SHUTDOWN_TIMEOUT is ended, too.
func TestStopDuringHandOver(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	r, flags := impatient(t, "touch "+started+"; sleep 1000", time.Minute)
	r.HandOver()
	awaitFile(t, started)
	r.finish(t)
	if _, err := os.Stat(flags["PID_FILE"]); err == nil {
		t.Error("the PID file is still there")
	}
}

// After a stop during a hand-over the successor serves.
func TestSuccessorOutlivesStop(t *testing.T) {
	dir := t.TempDir()
	started, ready := filepath.Join(dir, "started"), filepath.Join(dir, "ready")
	r, _ := impatient(t, "echo $$ >"+started+".new; mv "+started+".new "+started+"; while [ ! -e "+ready+" ]; do sleep 0.01; done; echo ready >&4; exec sleep 1000", time.Minute)
	r.HandOver()
	awaitFile(t, started)
	r.stop()
	r.awaitLog(t, "stopping once the successor serves")
	if status, _ := get(t, r.url("/teams/")); status != 200 {
		t.Errorf("meanwhile: status %d", status)
	}
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	text, err := os.ReadFile(started)
	if err != nil {
		t.Fatal(err)
	}
	successor, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(successor, syscall.SIGKILL); err != nil {
		t.Errorf("the successor: %v", err)
	}
}

// A generation that is published during a failed hand-over is saved afterwards.
func TestSavedAfterFailedHandOver(t *testing.T) {
	dir := t.TempDir()
	started, fail := filepath.Join(dir, "started"), filepath.Join(dir, "fail")
	r, flags := impatient(t, "touch "+started+"; while [ ! -e "+fail+" ]; do sleep 0.01; done; exit 1", time.Minute)
	r.HandOver()
	awaitFile(t, started)
	r.awaitLog(t, "another process takes over") // the cache is saved for it
	if err := os.Remove(flags["CACHE_FILE"]); err != nil {
		t.Fatal(err)
	}
	r.toSave() // as after a publish
	for len(r.published) > 0 {
		time.Sleep(time.Millisecond)
	}
	if err := os.WriteFile(fail, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.awaitLog(t, "hand-over failed")
	awaitFile(t, flags["CACHE_FILE"])
	r.finish(t)
}

// TestNoPIDFile holds that a PID file that can't be written is logged and does not
// stop the proxy.
func TestNoPIDFile(t *testing.T) {
	flags := settings(database(t))
	flags["PID_FILE"] = filepath.Join(t.TempDir(), "nowhere", "pid")
	r := run(t, flags)
	r.awaitLog(t, "PID_FILE not written")
	r.finish(t)
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s", path)
		}
	}
}
