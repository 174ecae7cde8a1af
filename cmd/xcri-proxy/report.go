package main

import (
	"cmp"
	"time"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/report"
)

func (p *program) reportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Review the last hours of a running proxy",
		Long: `report reviews a period that ends now, up to two days: errors against a limit, hit
ratio, percentiles beside the period before, peaks of connections and memory,
outages, restarts and other events, and the slowest requests, with a table of the
hours. Each point is well, or asks for attention. The proxy keeps the figures, with
HISTORY_FILE also across restarts.

Exit status:
  0  the report is printed
  1  --check: a point asks for attention; or any other failure
  2  the command line or the configuration is wrong
  5  the proxy could not be reached

` + precedence,
		Example: `  xcri-proxy report
  xcri-proxy report --since 24h --format html > report.html
  xcri-proxy report --since 1h --max-errors 1 --check
  xcri-proxy report --format json`,
		Args: noArgs,
	}
	var f report.Options
	flags := cmd.Flags()
	flags.DurationVar(&f.Since, "since", 24*time.Hour, "length of the period, at most 48h")
	flags.Float64Var(&f.MaxErrors, "max-errors", 5, "largest share of answers with a status from 500 on, in percent")
	flags.StringVar(&f.Format, "format", report.Formats[0], "text, json or html")
	flags.BoolVar(&f.Check, "check", false, "exit with status 1 if a point asks for attention")
	completeFrom(cmd, "format", report.Formats)
	at := addClientFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.Validate(); err != nil {
			return err
		}
		c, cfg, err := p.client(cmd, *at, 0)
		if err != nil {
			return err
		}
		return report.Run(cmd.Context(), c, cmp.Or(*at, cfg.Admin.Addr, cfg.ListenAddr), f, p.Streams)
	}
	return cmd
}
