package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const (
	// barWidth is the number of characters of a progress bar.
	barWidth = 30
	// lineEvery is the minimum interval between two lines without a terminal.
	lineEvery = 5 * time.Second
)

// progress shows the progress of a command: as a bar on a terminal, otherwise as a
// line every few seconds if the text has changed.
type progress struct {
	w        io.Writer
	terminal bool
	now      func() time.Time
	shown    time.Time
	last     string
	open     bool // a bar is on the terminal's last line
}

func newProgress(w io.Writer, terminal, quiet bool) *progress {
	if quiet {
		w, terminal = io.Discard, false
	}
	return &progress{w: w, terminal: terminal, now: time.Now}
}

// show shows the progress of a warm-up.
func (p *progress) show(s *api.WarmState) {
	text := fmt.Sprintf("%d of %d answers, %s, %.1f s", s.Done, s.Keys, inBytes(s.Bytes), s.Seconds)
	if s.Failed > 0 {
		text += fmt.Sprintf(", %d failed", s.Failed)
	}
	p.bar(s.Done, s.Keys, text)
}

// bar shows the completed part of a total, and a text beside it.
func (p *progress) bar(done, all int, text string) {
	if !p.terminal {
		p.say("%s", text)
		return
	}
	full := barWidth * done / max(1, all)
	fmt.Fprintf(p.w, "\r[%s%s] %s\x1b[K", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), text)
	p.open = true
}

// say writes a line, unless it equals the last line or, without a terminal, the last
// line was written less than lineEvery ago.
func (p *progress) say(format string, args ...any) {
	text, now := fmt.Sprintf(format, args...), p.now()
	if text == p.last || !p.terminal && now.Sub(p.shown) < lineEvery {
		return
	}
	p.end()
	fmt.Fprintln(p.w, text)
	p.last, p.shown = text, now
}

// end removes the bar.
func (p *progress) end() {
	if p.open {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.open = false
	}
}

// inBytes writes a size for people.
func inBytes(n int64) string {
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
