package main

import (
	"cmp"
	"time"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/top"
)

func (p *program) topCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show the figures of a running proxy while they change",
		Long: `top shows a running proxy on a screen that follows its figures: requests by
outcome as rates and in total, latencies, connections to the database, fills,
memory, the fleet, and a list: the most requested keys, the routes, the keys that are
loading, or the members of the fleet. The lines below the first have the state, with the cause and the remedy of
a problem.

Keys: q quits, p pauses, s changes the order of the list (rate, total, name), l
changes the list, r reads now.

If stdout is no terminal, and with --plain, it prints a line for each interval;
with --once it prints one screen and ends.

Exit status: 0 after q or an interrupt, 5 if the proxy could not be reached, 2 for a
wrong flag or setting, 1 for any other failure.

` + precedence,
		Example: `  xcri-proxy top
  xcri-proxy top --interval 5s --list routes
  xcri-proxy top --once --sort total
  xcri-proxy top --plain --interval 10s >> top.log`,
		Args: noArgs,
	}
	var f top.Options
	flags := cmd.Flags()
	flags.DurationVar(&f.Interval, "interval", time.Second, "how often the figures are read, 100ms to 1h")
	flags.BoolVar(&f.Once, "once", false, "print one screen, with the rates of one interval, and end")
	flags.BoolVar(&f.Plain, "plain", false, "print a line for each interval instead of a screen")
	flags.StringVar(&f.Sort, "sort", top.Sorts[0], "order of the list: rate, total or name")
	flags.StringVar(&f.List, "list", top.Lists[0], "list below the figures: keys, routes, loading or members")
	completeFrom(cmd, "sort", top.Sorts)
	completeFrom(cmd, "list", top.Lists)
	at := addClientFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.Check(); err != nil {
			return err
		}
		c, cfg, err := p.client(cmd, *at, 0)
		if err != nil {
			return err
		}
		return top.Run(cmd.Context(), c, cmp.Or(*at, cfg.Admin.Addr, cfg.ListenAddr), f, p.Streams)
	}
	return cmd
}

// completeFrom completes the values of a flag from a list.
func completeFrom(cmd *cobra.Command, flag string, values []string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // no flag of that name: a bug
	}
}
