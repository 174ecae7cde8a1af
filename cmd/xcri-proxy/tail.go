package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cache"
	"github.com/lewistv/xcri-proxy/cmd/internal/tail"
)

func (p *program) tailCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print the requests of a running proxy as they come",
		Long: `tail prints a line for each request that a running proxy answers: time, outcome,
status, time to the answer, client, request, and for a request that waited for a load
the phases that took longest and its ID. The flags select requests; all that are given
must be met. Requests for the admin pages are not shown.

While tail runs, the proxy answers hits by a slower path, some microseconds each. If
the terminal is too slow, requests are left out, and a line says how many.

Exit status: 0 after an interrupt, after --count lines and when the proxy stops, 5 if the proxy could
not be reached, 2 for a wrong flag or setting, 1 for any other failure.

` + precedence,
		Example: `  xcri-proxy tail
  xcri-proxy tail --slow 100ms
  xcri-proxy tail --outcome miss,error --route /teams/
  xcri-proxy tail --client 203.0.113.0/24 --json`,
		Args: noArgs,
	}
	var f tail.Options
	flags := cmd.Flags()
	flags.DurationVar(&f.Slow, "slow", 0, "only requests whose answer took at least this `time`")
	flags.StringSliceVar(&f.Outcomes, "outcome", nil, "only these outcomes: "+strings.Join(cache.OutcomeNames(), ", "))
	flags.StringSliceVar(&f.Routes, "route", nil, "only these `routes`, such as /teams/ or /athletes/{athlete_hnd}")
	flags.StringSliceVar(&f.Clients, "client", nil, "only these clients: `addresses` or networks")
	flags.BoolVar(&f.JSON, "json", false, "print a JSON object a line")
	flags.IntVar(&f.Count, "count", 0, "number of requests after which to end; 0 for never")
	completeFrom(cmd, "outcome", cache.OutcomeNames())
	completeFrom(cmd, "route", routeNames())
	at := addClientFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.Check(); err != nil {
			return err
		}
		c, _, err := p.client(cmd, *at, 0)
		if err != nil {
			return err
		}
		return tail.Run(cmd.Context(), c, f, p.Streams)
	}
	return cmd
}
