package main

import (
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lewistv/xcri-proxy/cmd/internal/load"
	"github.com/lewistv/xcri-proxy/config"
)

// loadRequests is the default number of requests of the page mix.
const loadRequests = 10_000

func (p *program) loadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "load URL",
		Short: "Play the visitors of the site against an API and measure how long answers take",
		Long: `load makes the requests of the site's visitors, or the requests of an access
log, checks every answer, and prints the rate and the latencies. URL is the root
of the API. Visitors request the divisions, teams and snapshots that the API
itself lists, the best ranked most, and send back the ETags that they received;
for a seed they are always the same.

Without --rate each of the --connections sends a request as soon as it has the
answer before. With it requests are due at that rate, however long answers take,
and the time of an answer counts from when its request was due: a server that
stalls delays the requests behind it, and their times show this.

A log is replayed once, in its order, without its pauses; a copy is revalidated
where the log says 304.

Exit status:
  0  every answer was as it should be
  1  something else went wrong, or it was interrupted
  2  the command line or the configuration is wrong
  4  more answers than --max-errors were wrong or did not come
  5  the API could not be reached, or has nothing to ask for
  8  the p99 of the answers was over --max-p99

` + precedence,
		Example: `  xcri-proxy load http://127.0.0.1:8000/iz/xcri/api
  xcri-proxy load http://127.0.0.1:8000 --requests 720000 --connections 200 --warm-up 100000
  xcri-proxy load http://127.0.0.1:8000 --rate 500 --duration 1m --json
  xcri-proxy load http://127.0.0.1:8000 --rate 500 --duration 1m --max-p99 200ms --max-errors 0
  xcri-proxy load http://127.0.0.1:8000 --from-log /var/log/apache2/access.log.1.gz`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("load takes one argument, the URL of the API")
			}
			return nil
		},
	}
	var f load.Options
	flags := cmd.Flags()
	addLoadFlags(flags, &f)
	addKeyFlags(cmd, slices.DeleteFunc(config.Keys(), func(k config.Key) bool { return k.Name != "ENV_FILE" && k.Name != "BASE_PATH" }))
	cmd.MarkFlagsMutuallyExclusive("requests", "duration")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !flags.Changed("requests") && (len(f.Logs) > 0 || f.Duration > 0) {
			f.Requests = 0
		}
		at, err := f.Check(args[0])
		if err != nil {
			return err
		}
		cfg, err := p.load(cmd)
		if err != nil {
			return err
		}
		return load.Run(cmd.Context(), at, cfg.BasePath, f, p.Streams)
	}
	return cmd
}

// addLoadFlags adds the flags that set f.
func addLoadFlags(flags *pflag.FlagSet, f *load.Options) {
	flags.StringArrayVar(&f.Logs, "from-log", nil, "replay this access log `file` in the common or combined format or in the formats of ACCESS_LOG, - for stdin; may be repeated")
	flags.IntVar(&f.Requests, "requests", loadRequests, "number of measured requests; of a log all, unless this is given")
	flags.BoolVar(&f.Live, "live", false, "only pages of the live rankings, which a proxy with WARM=season answers without the database")
	flags.IntVar(&f.WarmUp, "warm-up", 0, "number of requests before the measured requests")
	flags.DurationVar(&f.Duration, "duration", 0, "length of the measurement, instead of --requests")
	flags.IntVar(&f.Connections, "connections", 20, "number of clients, each with a connection")
	flags.Float64Var(&f.Rate, "rate", 0, "requests a second that are due; 0 to send each after the answer before")
	flags.Uint64Var(&f.Seed, "seed", 1, "seed of the random choices: an equal seed gives equal visitors")
	flags.DurationVar(&f.Timeout, "timeout", 10*time.Second, "longest wait for an answer")
	flags.DurationVar(&f.Limits.P99, "max-p99", 0, "exit with status 8 if the p99 of the times is longer; 0 for no limit")
	flags.Int64Var(&f.Limits.Errors, "max-errors", 0, "exit with status 4 if there are more errors")
	flags.BoolVar(&f.Production, "yes-production", false, "allow a URL that is not this machine: its server gets as many requests as it can answer, and its visitors wait behind them")
	flags.BoolVar(&f.JSON, "json", false, "print the report as JSON, times in seconds")
	flags.BoolVarP(&f.Quiet, "quiet", "q", false, "print nothing, only set the exit status")
}
