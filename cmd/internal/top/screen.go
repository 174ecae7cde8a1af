package top

import (
	"context"
	"time"

	"github.com/gdamore/tcell/v3"
	"github.com/gdamore/tcell/v3/color"
)

// looks are the styles of the looks. The colors are the terminal's own, so that they
// suit its background.
var looks = map[look]tcell.Style{
	plain:   tcell.StyleDefault,
	title:   tcell.StyleDefault.Reverse(true),
	heading: tcell.StyleDefault.Bold(true),
	good:    tcell.StyleDefault.Foreground(color.Green),
	warning: tcell.StyleDefault.Foreground(color.Yellow),
	bad:     tcell.StyleDefault.Foreground(color.Red).Bold(true),
	faint:   tcell.StyleDefault.Dim(true),
}

// show draws the view on a screen, which it closes, until ctx ends or the operator
// presses q.
func show(ctx context.Context, screen tcell.Screen, from Source, v *view, every time.Duration) error {
	defer screen.Fini()
	tick := time.NewTicker(every)
	defer tick.Stop()
	reads, working := make(chan sample, 1), false
	begin := func() {
		if !working { // a slow proxy is asked once at a time
			working = true
			before := *v.now()
			go func() { reads <- read(ctx, from, &before) }()
		}
	}
	begin()
	for draw(screen, v); ; draw(screen, v) {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if !v.paused {
				begin()
			}
		case s := <-reads:
			working = false
			if ctx.Err() == nil {
				v.add(s)
			}
		case event, open := <-screen.EventQ():
			if !open || !v.handle(screen, event, begin) {
				return nil
			}
		}
	}
}

// handle acts on an event of the terminal. It returns false if the operator ends the
// program.
func (v *view) handle(screen tcell.Screen, event tcell.Event, begin func()) bool {
	switch event := event.(type) {
	case *tcell.EventResize:
		screen.Sync()
	case *tcell.EventError:
		return false // the terminal is gone
	case *tcell.EventKey:
		switch key := event.Str(); {
		case event.Key() == tcell.KeyCtrlC || event.Key() == tcell.KeyEscape || key == "q":
			return false
		case key == "p" || key == " ":
			v.paused = !v.paused
		case key == "s":
			v.sort = (v.sort + 1) % len(Sorts)
		case key == "l" || event.Key() == tcell.KeyTab:
			v.list = (v.list + 1) % len(Lists)
		case key == "r":
			begin()
		}
	}
	return true
}

// draw writes the lines of the view to the screen.
func draw(screen tcell.Screen, v *view) {
	_, height := screen.Size()
	screen.Clear()
	for y, l := range v.lines(height) {
		screen.PutStrStyled(0, y, l.text, looks[l.look])
	}
	screen.Show()
}
