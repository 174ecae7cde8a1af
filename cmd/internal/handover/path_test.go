package handover

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestOwnPath: a symbolic link to the running program is its path; another file of the
// same name is not.
func TestOwnPath(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, args := t.TempDir(), os.Args
	defer func() { os.Args = args }()
	link, other := filepath.Join(dir, "link"), filepath.Join(dir, "other")
	if err := errors.Join(os.Symlink(executable, link), os.WriteFile(other, []byte("#!/bin/sh\n"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]string{link: link, other: executable, filepath.Join(dir, "nowhere"): executable, executable: executable} {
		os.Args = []string{arg}
		if got := OwnPath(); got != want {
			t.Errorf("%s: %s, want %s", arg, got, want)
		}
	}
}
