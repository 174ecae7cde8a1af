package logging

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// After a rename and Reopen the log goes on in a new file, through each descriptor of the
// old file, and no descriptor keeps the old file on the disk.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	open := func(path string) *os.File {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	stderr, other := open(path), open(filepath.Join(dir, "other"))
	fd, err := unix.Dup(int(stderr.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.NewFile(uintptr(fd), "stdout")
	defer stdout.Close()
	f := FileOf(stderr, stdout, other)
	for _, round := range []string{"1", "2"} {
		stderr.WriteString("before" + round)
		if err := os.Rename(path, path+"."+round); err != nil {
			t.Fatal(err)
		}
		if err := f.Reopen(); err != nil {
			t.Fatal(err)
		}
		stderr.WriteString("after")
		stdout.WriteString("wards")
		for name, want := range map[string]string{"log": "afterwards", "other": ""} {
			if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != want || err != nil {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		old, err := os.Stat(path + "." + round)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []*os.File{stderr, stdout} {
			if now, err := d.Stat(); err != nil || os.SameFile(now, old) {
				t.Errorf("%s: still the old file, %v", d.Name(), err)
			}
		}
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err == nil {
		t.Error("reopened in a folder that is gone")
	}
	if _, err := stderr.WriteString("on"); err != nil {
		t.Errorf("a reopening that failed: %v", err)
	}
}

// Pipes and terminals are not reopened.
func TestFileOfPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	if FileOf(w) != nil {
		t.Error("a pipe is a file")
	}
	w.Close()
	if FileOf(w) != nil {
		t.Error("a closed descriptor is a file")
	}
}
