package logging

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/term"
)

// FormatOf returns the format for the destination of w: text for a terminal, JSON with
// priorities for systemd's journal, and JSON for all others.
func FormatOf(w io.Writer, getenv func(string) string) Format {
	f, ok := w.(*os.File)
	switch {
	case !ok:
		return JSON
	case term.IsTerminal(int(f.Fd())):
		return Text
	case isStream(f, getenv("JOURNAL_STREAM")):
		return Journal
	}
	return JSON
}

// isStream reports whether f is the file that systemd connected to the journal:
// stream is its device and inode. Source: systemd.exec(5), JOURNAL_STREAM.
func isStream(f *os.File, stream string) bool {
	if stream == "" {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && fmt.Sprintf("%d:%d", stat.Dev, stat.Ino) == stream
}
