package app

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/lewistv/xcri-proxy/cache/atomicfile"
)

// writePID writes this process's ID to PID_FILE. A failure is logged only.
func (a *App) writePID() {
	path := a.cfg.PIDFile
	if path == "" || holdsPID(path) {
		return
	}
	err := atomicfile.Replace(path, 0o644, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, os.Getpid())
		return err
	})
	if err != nil {
		a.log.Error("PID_FILE not written", "path", path, "error", err)
	}
}

// removePID removes PID_FILE unless it contains a successor's process ID.
func (a *App) removePID() {
	path := a.cfg.PIDFile
	if path == "" || !holdsPID(path) {
		return
	}
	if err := os.Remove(path); err != nil {
		a.log.Warn("PID_FILE not removed", "path", path, "error", err)
	}
}

// holdsPID reports whether the file contains this process's ID.
func holdsPID(path string) bool {
	const longest = 100
	text, err := atomicfile.Read(path, longest)
	return err == nil && strings.TrimSpace(string(text)) == strconv.Itoa(os.Getpid())
}
