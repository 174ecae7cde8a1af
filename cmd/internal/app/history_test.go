package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/logging"
)

// TestHistoryIsKept holds that samples and events survive a restart, and that a damaged
// file is reported and replaced.
func TestHistoryIsKept(t *testing.T) {
	flags := settings(database(t))
	flags["HISTORY_FILE"] = filepath.Join(t.TempDir(), "history")
	r := run(t, flags)
	r.awaitLog(t, "no history file yet")
	r.awaitLog(t, "generation published")
	for range 3 {
		time.Sleep(2 * time.Millisecond) // a sample has a time of its own, in milliseconds
		r.proxy.Admin().Sample(time.Now())
	}
	first := r.proxy.Admin().Record().Between("1h", 0).Samples
	r.finish(t)

	r = run(t, flags)
	r.awaitLog(t, "generation published")
	if again := r.proxy.Admin().Record().Between("1h", 0).Samples; len(first) < 2 || len(again) < len(first) || again[0].At != first[0].At {
		t.Errorf("%d samples before the restart, %d after", len(first), len(again))
	}
	kinds := map[string]int{}
	for _, e := range r.proxy.Stats().Events {
		kinds[e.Kind]++
	}
	if kinds["start"] != 2 || kinds["publish"] != 2 {
		t.Errorf("events: %v", kinds)
	}
	r.finish(t)

	if err := os.WriteFile(flags["HISTORY_FILE"], []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = run(t, flags)
	r.awaitLog(t, "history file ignored")
	r.finish(t)
	if text, err := os.ReadFile(flags["HISTORY_FILE"]); err != nil || string(text) == "damaged" {
		t.Errorf("%.20q, %v", text, err)
	}
}

// TestFilesThatFail holds that a file which can't be written is a condition with its path
// and reason, and that the log has the first failure in a row only.
func TestFilesThatFail(t *testing.T) {
	flags, _ := keptSettings(t, database(t))
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	flags["CACHE_FILE"], flags["HISTORY_FILE"] = filepath.Join(folder, "cache"), filepath.Join(folder, "history")
	r := run(t, flags)
	r.awaitLog(t, "cache saved")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.save("of the test")
		r.saveHistory()
	}
	file := func() string {
		for _, c := range r.proxy.Stats().Conditions {
			if c.Code == "file" {
				return c.Cause
			}
		}
		return ""
	}
	if cause := file(); !strings.Contains(cause, "CACHE_FILE "+flags["CACHE_FILE"]) || !strings.Contains(cause, "no such file") {
		t.Errorf("%q", cause)
	}
	r.awaitLog(t, "history not saved")
	if n := strings.Count(r.log.String(), "history not saved"); n != 1 {
		t.Errorf("%d lines", n)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	r.save("of the test")
	r.saveHistory()
	if cause := file(); cause != "" {
		t.Errorf("afterwards: %q", cause)
	}
	r.finish(t)
}

// TestHistoryOfASuccessor holds that a successor gets the history, and that it is not
// written once the successor owns it.
func TestHistoryOfASuccessor(t *testing.T) {
	history := filepath.Join(t.TempDir(), "history")
	r, flags := impatient(t, "while [ ! -s "+history+" ]; do sleep 0.01; done; echo $$ >$PID; echo ready >&4; exec sleep 1000", time.Minute, "HISTORY_FILE", history)
	t.Setenv("PID", flags["PID_FILE"])
	r.HandOver()
	r.awaitLog(t, "handed over")
	if err := os.Remove(history); err != nil {
		t.Fatal(err)
	}
	if err := r.wait(t); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := syscall.Kill(successorOf(t, flags), syscall.SIGKILL); err != nil {
		t.Errorf("the successor: %v", err)
	}
	if _, err := os.Stat(flags["HISTORY_FILE"]); err == nil {
		t.Error("written after the hand-over")
	}
}

// TestLostLines holds that the lines which the log drops reach the conditions.
func TestLostLines(t *testing.T) {
	log := logging.New(os.Stderr, logging.Options{Level: slog.LevelError + 1})
	defer log.Close(time.Second)
	if lost := lostLines(log.Logger); lost == nil || lost() != 0 {
		t.Error("the log does not count its lost lines")
	}
	if lostLines(slog.New(slog.DiscardHandler)) != nil {
		t.Error("a log without a queue counts them")
	}
}
