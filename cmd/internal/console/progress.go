package console

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	// barWidth is the number of characters of a progress bar.
	barWidth = 30
	// lineEvery is the minimum interval between two lines without a terminal.
	lineEvery = 5 * time.Second
)

// Progress shows the progress of a command: as a bar on a terminal, otherwise as a
// line every few seconds if the text has changed. It is not safe for concurrent use.
type Progress struct {
	w        io.Writer
	terminal bool
	now      func() time.Time
	shown    time.Time
	last     string
	open     bool // a bar is on the terminal's last line
}

// NewProgress returns a Progress that writes to w; a quiet Progress shows nothing.
func NewProgress(w io.Writer, terminal, quiet bool) *Progress {
	if quiet {
		w, terminal = io.Discard, false
	}
	return &Progress{w: w, terminal: terminal, now: time.Now}
}

// Bar shows the completed part of a total, and a text beside it.
func (p *Progress) Bar(done, all int, text string) {
	if !p.terminal {
		p.Say("%s", text)
		return
	}
	full := barWidth * done / max(1, all)
	fmt.Fprintf(p.w, "\r[%s%s] %s\x1b[K", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), text)
	p.open = true
}

// Say writes a line, unless it equals the last line or, without a terminal, the last
// line was written less than lineEvery ago.
func (p *Progress) Say(format string, args ...any) {
	text, now := fmt.Sprintf(format, args...), p.now()
	if text == p.last || !p.terminal && now.Sub(p.shown) < lineEvery {
		return
	}
	p.End()
	fmt.Fprintln(p.w, text)
	p.last, p.shown = text, now
}

// End removes the bar.
func (p *Progress) End() {
	if p.open {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.open = false
	}
}
