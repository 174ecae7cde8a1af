// Package console holds the streams of a command, and writes results, sizes and
// progress to them.
package console

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Streams are the standard streams of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Progress returns a Progress on stderr; a quiet Progress shows nothing.
func (s Streams) Progress(quiet bool) *Progress { return NewProgress(s.Err, IsTerminal(s.Err), quiet) }

// Warn writes a warning of the proxy that was called on stderr, unless it is empty.
func (s Streams) Warn(text string) {
	if text != "" {
		fmt.Fprintf(s.Err, "xcri-proxy: warning: %s\n", text)
	}
}

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// JSON writes v on a line of its own.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Bytes writes a size for people.
func Bytes(n int64) string {
	size, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, next
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}

// OrNone returns text, or "none" for an empty text.
func OrNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
