package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lewistv/xcri-proxy/cmd/internal/app"
	"github.com/lewistv/xcri-proxy/cmd/internal/logging"
	"github.com/lewistv/xcri-proxy/config"
)

// logPatience limits the wait for the reader of the log at the end.
const logPatience = time.Second

func (p *program) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API until SIGINT or SIGTERM",
		Long: `serve answers the API until SIGINT or SIGTERM, then lets open requests finish. A
second signal ends it immediately. At SIGHUP it starts the program that is now in its
place, on the same socket, and ends once that serves; under systemd, and on a
terminal, it does not. At SIGUSR1 it opens its log file again, for a rotation that
has renamed it. It logs to stderr: text on a terminal, otherwise one JSON
object a line, with the priority before it for systemd's journal. The exit status is 2 for a wrong flag or setting and 1 for a
failure at run time.

` + precedence,
		Example: `  xcri-proxy serve --env-file /etc/xcri-proxy.env
  xcri-proxy serve --listen-addr :8000 --log-level debug
  DATABASE_PASSWORD=... xcri-proxy serve --database-socket /run/mysqld/mysqld.sock`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(cmd)
			if err != nil {
				return err
			}
			return p.serve(cfg)
		},
	}
	addKeyFlags(cmd, config.Keys())
	return cmd
}

func (p *program) serve(cfg config.Config) error {
	log := logging.New(p.stderr, logging.Options{Level: cfg.LogLevel, Format: logging.FormatOf(p.stderr, func(name string) string { return p.env[name] })})
	defer log.Close(logPatience)
	// If the reader of stderr ends, log lines are lost. Without this the next line
	// would end the process with SIGPIPE.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if f, ok := p.stderr.(*os.File); ok {
		reopenLog(logging.FileOf(f, os.Stdout), log.Logger)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the handler is removed, the next signal has its default effect, so an
	// operator need not wait for a slow shutdown.
	context.AfterFunc(ctx, stop)
	if err := p.start(ctx, cfg, log.Logger); err != nil {
		log.Error("xcri-proxy failed", "error", err)
		return errSilent
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

func startApp(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	hangups := make(chan os.Signal, 1)
	if !isTerminal(os.Stderr) { // the hang-up of a terminal means a stop, not a hand-over
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(hangups)
	}
	a, err := app.New(cfg, buildVersion(), log)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() {
		defer stop()
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
	}()
	return a.Run(running)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
