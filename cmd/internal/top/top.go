// Package top shows the figures of a running proxy while they change: a screen on a
// terminal, and lines elsewhere.
package top

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gdamore/tcell/v3"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

// Options are the flags of top.
type Options struct {
	Interval time.Duration // between two reads of the figures
	Once     bool          // print one screen as lines, and end
	Plain    bool          // print lines, also on a terminal
	Sort     string        // of the list: see Sorts
	List     string        // see Lists
}

// Check validates the flags.
func (f Options) Check() error {
	switch {
	case f.Interval < 100*time.Millisecond || f.Interval > time.Hour:
		return errors.New("--interval: want 100ms to 1h")
	case indexOf(Sorts, f.Sort) < 0:
		return fmt.Errorf("--sort %q: want one of %s", f.Sort, strings.Join(Sorts, ", "))
	case indexOf(Lists, f.List) < 0:
		return fmt.Errorf("--list %q: want one of %s", f.List, strings.Join(Lists, ", "))
	}
	return nil
}

// Source returns the figures of a proxy: an *adminclient.Client.
type Source interface {
	Stats(context.Context) (api.Stats, error)
	History(ctx context.Context, after int64) (api.History, error)
}

// Run shows the figures until ctx ends, or the operator presses q. A proxy that can't be
// reached at the beginning is an error; later the screen shows the error and goes on.
func Run(ctx context.Context, c *adminclient.Client, at string, f Options, std console.Streams) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	v := newView(at, f)
	first := read(ctx, c, nil)
	if first.err != nil {
		return first.err
	}
	v.add(first)
	if f.Once || f.Plain || !console.IsTerminal(std.Out) {
		return v.print(ctx, c, f, std.Out)
	}
	screen, err := tcell.NewScreen()
	if err == nil {
		err = screen.Init()
	}
	if err != nil {
		return fmt.Errorf("no screen on this terminal: %w; --plain prints lines", err)
	}
	return show(ctx, screen, c, v, f.Interval)
}

// read reads the figures once, and only the samples that are newer than the figures
// before.
func read(ctx context.Context, from Source, before *sample) sample {
	s := sample{at: time.Now()}
	if s.stats, s.err = from.Stats(ctx); s.err != nil {
		return s
	}
	after := s.at.Add(-time.Minute).UnixMilli()
	if before != nil && before.err == nil {
		s.latest, after = before.latest, before.latest.At
	}
	history, err := from.History(ctx, after)
	if err != nil {
		s.err = err
		return s
	}
	if n := len(history.Samples); n > 0 {
		s.latest = history.Samples[n-1]
	}
	return s
}
