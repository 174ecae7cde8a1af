package handover

import (
	"os"
	"os/exec"
	"path/filepath"
)

// OwnPath returns the path that this program was started from, where its next version
// is expected. It does not resolve a symbolic link, which may point to another file by
// then.
func OwnPath() string {
	executable, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return executable
	}
	path, err = filepath.Abs(path)
	given, errGiven := os.Stat(path)
	running, errRunning := os.Stat(executable)
	if err != nil || errGiven != nil || errRunning != nil || !os.SameFile(given, running) {
		return executable
	}
	return path
}
