package pidfile

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestPIDFile holds that the file has this process's ID until it is removed, that the file of
// another process stays, and that failures are logged.
func TestPIDFile(t *testing.T) {
	var lines bytes.Buffer
	log := slog.New(slog.NewTextHandler(&lines, nil))
	path := filepath.Join(t.TempDir(), "pid")
	Write("", log)
	Remove("", log)
	Remove(path, log) // there is none yet
	for range 2 {
		Write(path, log)
		if text, err := os.ReadFile(path); err != nil || string(text) != strconv.Itoa(os.Getpid())+"\n" {
			t.Errorf("%q, %v", text, err)
		}
	}
	if err := os.WriteFile(path, []byte("1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	Remove(path, log)
	if text, err := os.ReadFile(path); err != nil || string(text) != "1\n" {
		t.Errorf("a successor's file: %q, %v", text, err)
	}
	Write(path, log)
	Remove(path, log)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it is not removed: %v", err)
	}
	if lines.Len() > 0 {
		t.Errorf("log: %s", &lines)
	}
	if Write(filepath.Join(path, "pid"), log); !strings.Contains(lines.String(), "PID_FILE not written") {
		t.Errorf("log: %s", &lines)
	}
}
