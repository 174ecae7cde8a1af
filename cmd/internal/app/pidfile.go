package app

import (
	"os"
	"strconv"
	"strings"
)

// writePID puts our process ID in PID_FILE, in place of that of the last
// process. Without it the proxy serves all the same.
func (a *App) writePID() {
	path := a.cfg.PIDFile
	if path == "" || holdsPID(path) {
		return
	}
	temporary := path + ".new"
	err := os.WriteFile(temporary, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		a.log.Error("PID_FILE not written", "path", path, "error", err)
	}
}

// removePID removes PID_FILE unless it is a successor's by now.
func (a *App) removePID() {
	path := a.cfg.PIDFile
	if path == "" || !holdsPID(path) {
		return
	}
	if err := os.Remove(path); err != nil {
		a.log.Warn("PID_FILE not removed", "path", path, "error", err)
	}
}

// holdsPID reports whether the file holds our process ID.
func holdsPID(path string) bool {
	text, err := os.ReadFile(path)
	return err == nil && strings.TrimSpace(string(text)) == strconv.Itoa(os.Getpid())
}
