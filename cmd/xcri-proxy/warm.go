package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/warm"
)

func (p *program) warmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "warm",
		Short: "Have a running proxy poll for new data now, and wait until it is published",
		Long: `warm has the running proxy poll the database now, and waits until a new
generation has been loaded and published. It is for cron, after the import. With
--from-log it also loads the answers that are requested most in an Apache access
log.

Exit status:
  0  published; with --wait-for: the snapshot is published; with --from-log: the
     answers are loaded
  1  something else went wrong, changes of a table are held back, or it was not
     finished within --timeout
  2  the command line or the configuration is wrong
  3  nothing new; with --wait-for: the snapshot did not appear within --timeout
  4  published, but some answers could not be loaded
  5  the proxy could not be reached
  6  the proxy could not reach the database within --timeout

` + precedence,
		Example: `  xcri-proxy warm
  xcri-proxy warm --wait-for 2025-10-27 --timeout 2h --quiet
  xcri-proxy warm --accept
  xcri-proxy warm --from-log /var/log/apache2/access.log --top 500
  zcat access.log.*.gz | xcri-proxy warm --from-log - --json`,
		Args: noArgs,
	}
	var f warm.Options
	flags := cmd.Flags()
	flags.StringVar(&f.WaitFor, "wait-for", "", "wait until the snapshot of this `date` is published")
	flags.DurationVar(&f.Since, "since", 0, "count a publish of the last `duration` as new: the proxy may have published the import before the script runs")
	flags.StringArrayVar(&f.Logs, "from-log", nil, "also load the targets in this access log `file`, in the common or combined format or in the formats of ACCESS_LOG, - for stdin; may be repeated")
	flags.IntVar(&f.Top, "top", 500, "number of targets to take from the logs, the most requested first")
	addLocalFlag(cmd, &f.Local)
	flags.BoolVar(&f.Season, "season", false, "wait until the answers about every athlete and team are loaded, too, with WARM=season")
	flags.BoolVar(&f.Accept, "accept", false, "publish the database's state although it resembles an unfinished import")
	flags.DurationVar(&f.Timeout, "timeout", 10*time.Minute, "longest wait in all")
	flags.BoolVar(&f.JSON, "json", false, "print the summary as JSON")
	flags.BoolVarP(&f.Quiet, "quiet", "q", false, "print nothing, only set the exit status")
	at := addClientFlags(cmd, "BASE_PATH")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.Check(); err != nil {
			return err
		}
		c, cfg, err := p.client(cmd, *at, 0)
		if err != nil {
			return err
		}
		return warm.Run(cmd.Context(), c, cfg.BasePath, f, p.Streams)
	}
	return cmd
}
