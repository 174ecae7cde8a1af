// Package pidfile keeps the ID of the serving process in a file, PID_FILE, which the
// successor of a hand-over takes over.
package pidfile

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/lewistv/xcri-proxy/cache/atomicfile"
)

// Write writes this process's ID to a file. A failure is logged only. Without a path Write
// does nothing.
func Write(path string, log *slog.Logger) {
	if path == "" || holds(path) {
		return
	}
	err := atomicfile.Replace(path, 0o644, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, os.Getpid())
		return err
	})
	if err != nil {
		log.Error("PID_FILE not written", "path", path, "error", err)
	}
}

// Remove removes the file unless it contains a successor's process ID.
func Remove(path string, log *slog.Logger) {
	if path == "" || !holds(path) {
		return
	}
	if err := os.Remove(path); err != nil {
		log.Warn("PID_FILE not removed", "path", path, "error", err)
	}
}

// holds reports whether the file contains this process's ID.
func holds(path string) bool {
	const longest = 100
	text, err := atomicfile.Read(path, longest)
	return err == nil && strings.TrimSpace(string(text)) == strconv.Itoa(os.Getpid())
}
