package main

import (
	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/process"
	"github.com/lewistv/xcri-proxy/config"
)

func (p *program) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API until SIGINT or SIGTERM",
		Long: `serve answers the API until SIGINT or SIGTERM, then finishes open requests. A
second signal ends it immediately. At SIGHUP it starts the program that is now at
its path on the same socket, and ends once the new process serves. It refuses this
under systemd, and on a terminal SIGHUP ends it. At SIGUSR1 it opens its log file
again, after a rotation has renamed the file. It logs to stderr: text on a terminal,
otherwise one JSON object a line, with the priority before it for systemd's journal.
The exit status is 2 for a wrong flag or setting and 1 for a failure at run time.

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
			return process.Run(cfg, p.Err, func(name string) string { return p.env[name] }, p.start)
		},
	}
	addKeyFlags(cmd, config.Keys())
	return cmd
}
