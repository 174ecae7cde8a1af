package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/verify"
)

func (p *program) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare the answers of the database and of the old API to the same requests",
		Long: `verify has the running proxy ask both the database and the old API, beside the
cache, and compares the answers: same bytes, same JSON, same but for the order
of lists, expected to differ because of a known fault of the old API, or
different. Without --file and --from-log it asks for the warm set.
A difference is requested again before it is reported. An interrupt ends it with
the report so far.

Exit status:
  0  all the same, or different as expected; the report lists both
  1  something else went wrong, nothing was compared, or it was interrupted
  2  the command line or the configuration is wrong; the proxy has no old API
  4  some could not be compared, and all others are the same
  5  the proxy could not be reached
  7  some are different

` + precedence,
		Example: `  xcri-proxy verify
  xcri-proxy verify --from-log /var/log/apache2/access.log --top 2000 --rate 5
  xcri-proxy verify --file requests.txt --json > report.json`,
		Args: noArgs,
	}
	var f verify.Options
	flags := cmd.Flags()
	flags.StringVar(&f.File, "file", "", "request the targets in this `file`, a target a line, # for comments; - for stdin")
	flags.StringArrayVar(&f.Logs, "from-log", nil, "request the targets in this access log `file`, in the common or combined format or in the formats of ACCESS_LOG, - for stdin; may be repeated")
	flags.IntVar(&f.Top, "top", 500, "number of targets to take from the logs, the most requested first")
	flags.Float64Var(&f.Rate, "rate", 2, "most questions a second, 0.1 to 100; each goes to both sources")
	flags.IntVar(&f.Limit, "limit", 0, "most questions in all; 0 for no limit")
	flags.IntVar(&f.Show, "show", 20, "most differences and failures that the report shows; --json shows all")
	flags.DurationVar(&f.Timeout, "timeout", 30*time.Second, "longest wait for the answers to one question, at most 1m")
	flags.BoolVar(&f.JSON, "json", false, "print the report as JSON")
	flags.BoolVarP(&f.Quiet, "quiet", "q", false, "print nothing but one line if not all is well")
	at := addClientFlags(cmd, "BASE_PATH")
	cmd.MarkFlagsMutuallyExclusive("file", "from-log")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.Check(); err != nil {
			return err
		}
		c, cfg, err := p.client(cmd, *at, f.Timeout+verify.Slack)
		if err != nil {
			return err
		}
		return verify.Run(cmd.Context(), c, cfg.BasePath, f, p.Streams)
	}
	return cmd
}
