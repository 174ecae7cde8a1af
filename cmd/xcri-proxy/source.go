package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/show"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

func (p *program) sourceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "source [store | legacy | auto] [--route ROUTE]...",
		Short: "Show or change the sources of a running proxy's answers",
		Long: `source changes the origin of the answers that are not in the cache: store is the
database, legacy the old API, auto the database, and the old API while the
database fails. The change applies from the next load on, to all routes or to the
routes that --route names, until --reset, which goes back to SOURCE and
SOURCE_ROUTES; with STATE_FILE set, after a restart too. Cached answers of these
routes become stale: each is served until it is loaded from the new source.
Without a source it shows the sources. The exit status is 5 if the proxy could
not be reached, 2 for a wrong command line, otherwise 0 or 1.

` + precedence,
		ValidArgs: []string{"store", "legacy", "auto"},
		Example: `  xcri-proxy source
  xcri-proxy source legacy
  xcri-proxy source auto --route /teams/ --route /athletes/{athlete_hnd}
  xcri-proxy source --reset`,
	}
	var q api.SourceRequest
	cmd.Flags().StringArrayVar(&q.Routes, "route", nil, "only for this `endpoint`, written as in /cache/stats; may be given again")
	cmd.Flags().BoolVar(&q.Reset, "reset", false, "go back to the configuration, for all routes")
	addLocalFlag(cmd, &q.Local)
	asJSON, timeout := addAskFlags(cmd)
	at := addClientFlags(cmd)
	cmd.Args = func(_ *cobra.Command, args []string) error { return readSource(&q, args) }
	completeFrom(cmd, "route", routeNames())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkRoutes(q.Routes); err != nil {
			return err
		}
		c, _, err := p.client(cmd, *at, *timeout)
		if err != nil {
			return err
		}
		var s api.SourceState
		if q.Source == "" && !q.Reset {
			s, err = c.Source(cmd.Context())
		} else {
			s, err = c.SetSource(cmd.Context(), q)
		}
		if err != nil {
			return err
		}
		p.Warn(s.Warning)
		if *asJSON {
			return console.JSON(p.Out, s)
		}
		fmt.Fprint(p.Out, show.Sources(s))
		return nil
	}
	return cmd
}

// readSource reads the source from the arguments, after the flags were parsed.
func readSource(q *api.SourceRequest, args []string) error {
	switch {
	case len(args) > 1:
		return fmt.Errorf("source takes one source, but there are %d", len(args))
	case len(args) == 1 && !slices.Contains([]string{"store", "legacy", "auto"}, args[0]):
		return fmt.Errorf("source %q: want store, legacy or auto", args[0])
	case q.Reset && (len(args) > 0 || len(q.Routes) > 0):
		return fmt.Errorf("--reset goes back to the configuration for all routes, and takes neither a source nor --route")
	case len(args) == 0 && len(q.Routes) > 0:
		return fmt.Errorf("--route wants a source: store, legacy or auto")
	}
	q.Source = strings.Join(args, "")
	return nil
}
