// Package process runs the proxy as a process: with its log and the signals that stop
// it, hand it over and reopen its log.
package process

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/app"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/cmd/internal/logging"
	"github.com/lewistv/xcri-proxy/config"
)

// logPatience limits the wait for the reader of the log at the end.
const logPatience = time.Second

// Start runs a proxy until ctx ends.
type Start func(ctx context.Context, cfg config.Config, log *slog.Logger) error

// Run calls start with a log to stderr and a context that ends at SIGINT or SIGTERM. An
// error of start is in the log; getenv returns an environment variable.
func Run(cfg config.Config, stderr io.Writer, getenv func(string) string, start Start) error {
	log := logging.New(stderr, logging.Options{Level: cfg.LogLevel, Format: logging.FormatOf(stderr, getenv)})
	defer log.Close(logPatience)
	// If the reader of stderr ends, log lines are lost. Without this the next line
	// would end the process with SIGPIPE.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if f, ok := stderr.(*os.File); ok {
		reopenLog(logging.FileOf(f, os.Stdout), log.Logger)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the handler is removed, the next signal has its default effect, so an
	// operator need not wait for a slow shutdown.
	context.AfterFunc(ctx, stop)
	if err := start(ctx, cfg, log.Logger); err != nil {
		log.Error("xcri-proxy failed", "error", err)
		return exit.Silent
	}
	return nil
}

// reopenLog reopens the log file at each SIGUSR1, after another program has renamed
// it. It does nothing for a nil file.
func reopenLog(file *logging.File, log *slog.Logger) {
	if file == nil {
		return
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		for range signals {
			if err := file.Reopen(); err != nil {
				log.Error("log file not opened again", "error", err)
				continue
			}
			log.Info("log file opened again")
		}
	}()
}

// App returns a Start for the proxy itself, which hands over at SIGHUP.
func App(program app.Program) Start {
	return func(ctx context.Context, cfg config.Config, log *slog.Logger) error {
		hangups := make(chan os.Signal, 1)
		if !console.IsTerminal(os.Stderr) { // the hang-up of a terminal means a stop, not a hand-over
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
		}
		a, err := app.New(cfg, program, log)
		if err != nil {
			return err
		}
		running, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		go func() {
			defer stop()
			handOver(ctx, hangups, a)
		}()
		return a.Run(running)
	}
}

// handOver hands over at each hang-up until ctx ends.
func handOver(ctx context.Context, hangups <-chan os.Signal, a *app.App) {
	for {
		select {
		case <-hangups:
			a.HandOver()
		case <-ctx.Done():
			if len(hangups) > 0 { // SIGHUP came before the stop
				a.HandOver()
			}
			return
		}
	}
}
