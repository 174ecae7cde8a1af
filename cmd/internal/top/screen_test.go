//go:build unix

package top

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/gdamore/tcell/v3"
	"github.com/gdamore/tcell/v3/vt"

	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// counting is a proxy whose figures grow with each read.
type counting struct {
	fake
	reads atomic.Int64
}

func (c *counting) Stats(context.Context) (api.Stats, error) {
	return figures(int(c.reads.Add(1))), nil
}

const columns, rows = 110, 30

// terminal is an emulated terminal at the other end of a pseudoterminal.
type terminal struct {
	vt.MockTerm
	keyboard io.Writer
}

// newTerminal returns a terminal, and the path of its device for a program.
func newTerminal(t *testing.T) (term terminal, device string) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Setsize(master, &pty.Winsize{Rows: rows, Cols: columns}); err != nil {
		t.Fatal(err)
	}
	term = terminal{vt.NewMockTerm(vt.MockOptSize{X: columns, Y: rows}), master}
	if err := term.Start(); err != nil {
		t.Fatal(err)
	}
	go io.Copy(term, master) // the program's output
	go io.Copy(master, term) // the terminal's answers
	t.Cleanup(func() { slave.Close(); master.Close(); term.Close() })
	return term, slave.Name()
}

// text returns the screen's text.
func (term terminal) text() string {
	var b strings.Builder
	for y := range rows {
		for x := range columns {
			c := term.GetCell(vt.Coord{X: vt.Col(x), Y: vt.Row(y)})
			if c.C == "" {
				c.C = " "
			}
			b.WriteString(c.C)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// await waits for a text on the screen, or for its absence.
func (term terminal) await(t *testing.T, text string, there bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); strings.Contains(term.text(), text) != there; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("on the screen %q is %t:\n%s", text, !there, term.text())
		}
	}
}

func (term terminal) press(t *testing.T, key string) {
	t.Helper()
	if _, err := io.WriteString(term.keyboard, key); err != nil {
		t.Fatal(err)
	}
}

// screenOn starts a screen on the device of a terminal.
func screenOn(t *testing.T, device string) tcell.Screen {
	t.Helper()
	dev, err := tcell.NewDevTtyFromDev(device)
	if err != nil {
		t.Fatal(err)
	}
	screen, err := tcell.NewTerminfoScreenFromTty(dev)
	if err != nil {
		t.Fatal(err)
	}
	if err := screen.Init(); err != nil {
		t.Fatal(err)
	}
	return screen
}

// TestTerminal holds the screen on a pseudoterminal, and each key.
func TestTerminal(t *testing.T) {
	term, device := newTerminal(t)
	screen := screenOn(t, device)
	from := &counting{}
	v := newView("127.0.0.1:8000", Options{Interval: 10 * time.Millisecond, Sort: "rate", List: "keys"})
	v.add(read(t.Context(), from, nil))
	ended := make(chan error, 1)
	go func() { ended <- show(t.Context(), screen, from, v, 10*time.Millisecond) }()

	term.await(t, "xcri-proxy v1 at 127.0.0.1:8000", true)
	term.await(t, "/teams/?gender=M", true)
	term.await(t, "(by rate)", true)
	term.await(t, keysHelp, true)
	term.press(t, "s")
	term.await(t, "(by total)", true)
	term.press(t, "l")
	term.await(t, "route  (by total)", true)
	term.await(t, "/teams/?gender=M", false)
	term.press(t, "p")
	term.await(t, "PAUSED", true)
	term.press(t, "p")
	term.await(t, "PAUSED", false)
	before := from.reads.Load()
	for deadline := time.Now().Add(time.Minute); from.reads.Load() == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no read after the pause")
		}
	}
	term.press(t, "q")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestTerminalEnds holds that the screen ends with its context.
func TestTerminalEnds(t *testing.T) {
	_, device := newTerminal(t)
	screen := screenOn(t, device)
	from := &counting{}
	v := newView("here", Options{Interval: time.Hour})
	v.add(read(t.Context(), from, nil))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := show(ctx, screen, from, v, time.Hour); err != nil {
		t.Error(err)
	}
}
