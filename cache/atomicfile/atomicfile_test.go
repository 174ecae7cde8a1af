package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v, want %q", path, got, err, want)
	}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		all = append(all, f.Name())
	}
	return all
}

// Replace makes or replaces a file with the given permissions, and leaves no other
// file in its folder.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, mode := range []fs.FileMode{0o600, 0o644} {
		if err := Check(path); err != nil {
			t.Error(err)
		}
		if err := Replace(path, mode, text(mode.String())); err != nil {
			t.Fatal(err)
		}
		expect(t, path, mode.String())
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	}
	if all := names(t, dir); len(all) != 1 {
		t.Errorf("the folder holds %q", all)
	}
	if got, err := Read(path, 100); err != nil || string(got) != fs.FileMode(0o644).String() {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Read(path, 5); err == nil {
		t.Error("more was read than the limit")
	}
}

// A write that fails leaves the old file, and no part of the new file.
func TestReplaceFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	put(t, path, "old")
	full := errors.New("the disk is full")
	err := Replace(path, 0o600, func(w io.Writer) error { return errors.Join(text("half")(w), full) })
	if !errors.Is(err, full) {
		t.Error(err)
	}
	expect(t, path, "old")
	if all := names(t, dir); len(all) != 1 {
		t.Errorf("the folder holds %q", all)
	}
	if err := Replace(filepath.Join(dir, "none", "file"), 0o600, text("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// The target of a symbolic link is replaced, or created if it does not exist, and the
// link stays.
func TestReplaceLinks(t *testing.T) {
	for name, link := range map[string]func(dir string) string{
		"absolute": func(dir string) string { return filepath.Join(dir, "to", "file") },
		"relative": func(string) string { return "to/file" },
		"chain":    func(string) string { return "second" },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(os.Mkdir(filepath.Join(dir, "to"), 0o755), os.Symlink("to/file", filepath.Join(dir, "second")),
				os.Symlink(link(dir), filepath.Join(dir, "link"))); err != nil {
				t.Fatal(err)
			}
			for _, content := range []string{"first", "second"} {
				path := filepath.Join(dir, "link")
				if err := errors.Join(Check(path), Replace(path, 0o600, text(content))); err != nil {
					t.Fatal(err)
				}
				expect(t, filepath.Join(dir, "to", "file"), content)
				if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSymlink {
					t.Errorf("the link is %v, %v", info.Mode(), err)
				}
				if got, err := Read(path, 100); err != nil || string(got) != content {
					t.Errorf("%q, %v", got, err)
				}
			}
			if all := names(t, filepath.Join(dir, "to")); len(all) != 1 {
				t.Errorf("the target's folder holds %q", all)
			}
		})
	}
}

// A file that is not regular is neither replaced nor read, also through a link, and
// the error names its kind. A named pipe blocks no call.
func TestNotRegular(t *testing.T) {
	dir := t.TempDir()
	pipe, socket, loop := filepath.Join(dir, "pipe"), filepath.Join(dir, "socket"), filepath.Join(dir, "loop")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Symlink("loop", loop)); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for path, want := range map[string]string{
		"/dev/null": "a device", pipe: "a named pipe", socket: "a socket", dir: "a folder", loop: "too many levels of symbolic links",
	} {
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, link} {
			for name, err := range map[string]error{"Check": Check(path), "Replace": Replace(path, 0o600, text("x"))} {
				if err == nil || !strings.Contains(err.Error(), want) || want[0] == 'a' && !errors.Is(err, ErrNotRegular) {
					t.Errorf("%s of %s: %v, want %s", name, path, err, want)
				}
			}
			if _, err := Read(path, 100); err == nil {
				t.Errorf("%s was read", path)
			}
		}
		after, err := os.Lstat(path)
		if err != nil || !os.SameFile(before, after) {
			t.Errorf("%s was replaced: %v", path, err)
		}
	}
}

// A path in a missing folder is refused.
func TestCheckFolder(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "file"), "")
	for _, path := range []string{filepath.Join(dir, "none", "file"), filepath.Join(dir, "file", "file")} {
		if err := Check(path); err == nil {
			t.Errorf("%s is taken", path)
		}
	}
}

// Temporary files of a process that is gone are removed; young temporary files and all
// other files stay.
func TestLeftBehind(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-2 * leftBehind)
	for _, name := range []string{"file.1" + temporary, "file.2" + temporary, "other.1" + temporary, "file.txt"} {
		put(t, filepath.Join(dir, name), "")
		if name != "file.2"+temporary {
			if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := Replace(filepath.Join(dir, "file"), 0o600, text("new")); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(names(t, dir), " "), "file file.2"+temporary+" file.txt other.1"+temporary; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
