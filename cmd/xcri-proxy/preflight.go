package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/preflight"
	"github.com/lewistv/xcri-proxy/config"
)

func (p *program) preflightCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "preflight",
		Short: "Check this host before the proxy serves on it: go, no-go or warning for each point",
		Long: `preflight checks, with the settings of serve, all that the proxy needs on this
host: settings and files, the site, memory, open files and addresses, the Redis of
a fleet, the database with the rights and limits of its account, tables, columns
and the cost of a poll, and the old API. Then it starts a proxy of its own on a
free port, with an empty cache and without the files of the service, fills its warm
set, compares a sample with the old API, and measures the p95 of a page mix. A proxy
that serves meanwhile is not touched; the database has the load of one warm-up.

Run it as the account of the service, before the deployment and after it. Each row
has a verdict and a reason, and a remedy unless all is well.

Exit status:
  0  go; there may be warnings
  1  no-go: at least one row is to be corrected first
  2  the command line or the configuration is wrong

` + precedence,
		Example: `  xcri-proxy preflight --env-file /etc/xcri-proxy.env
  xcri-proxy preflight --max-p95 50ms --requests 10000 --verify 200
  xcri-proxy preflight --quick
  xcri-proxy preflight --json > preflight.json`,
		Args: noArgs,
	}
	f := preflight.Options{Version: buildVersion()}
	flags := cmd.Flags()
	flags.DurationVar(&f.MaxP95, "max-p95", 200*time.Millisecond, "longest p95 of the rehearsal's answers")
	flags.IntVar(&f.Requests, "requests", 1000, "how many requests the rehearsal answers, at 200 a second; 0 for none")
	flags.IntVar(&f.Verify, "verify", 50, "how many answers are compared with the old API; 0 for none")
	flags.BoolVar(&f.Quick, "quick", false, "leave out the rehearsal, and with it verify and p95")
	flags.DurationVar(&f.Timeout, "timeout", 5*time.Minute, "longest time for all checks")
	flags.BoolVar(&f.JSON, "json", false, "print the report as JSON")
	flags.BoolVarP(&f.Quiet, "quiet", "q", false, "print nothing, only set the exit status")
	addKeyFlags(cmd, config.Keys())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.Check(); err != nil {
			return err
		}
		cfg, err := p.load(cmd)
		if err != nil {
			return err
		}
		return preflight.Run(cmd.Context(), cfg, f, p.Streams)
	}
	return cmd
}
