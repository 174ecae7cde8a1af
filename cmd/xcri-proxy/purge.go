package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/show"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
	"github.com/lewistv/xcri-proxy/store"
)

func (p *program) purgeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "purge (--path PATH | --route ROUTE | --scope SCOPE | --all)",
		Short: "Make cached answers of a running proxy stale, or drop them",
		Long: `purge makes the answers that it selects stale: each is served until it is loaded
again. With --hard they are gone immediately, and the next visitor waits.
The exit status is 0, also if there was nothing to purge; 5 if the proxy could
not be reached, 2 for a wrong command line, otherwise 1.

` + precedence,
		Example: `  xcri-proxy purge --path '/iz/xcri/api/teams/?division=2030&gender=M'
  xcri-proxy purge --route /athletes/{athlete_hnd}
  xcri-proxy purge --scope '2025/2030/M/live'
  xcri-proxy purge --scope '2025/*/*/2025-10-27' --hard
  xcri-proxy purge --all`,
		Args: noArgs,
	}
	var q api.PurgeRequest
	var path, route, scope string
	flags := cmd.Flags()
	flags.StringVar(&path, "path", "", "the answer to this `request`, as a visitor sends it")
	flags.StringVar(&route, "route", "", "all answers of this `endpoint`, written as in /cache/stats")
	flags.StringVar(&scope, "scope", "", "all answers that an import into this `season/division/gender/checkpoint` concerns; * for any, live for the live rankings")
	flags.BoolVar(&q.All, "all", false, "all answers")
	flags.BoolVar(&q.Hard, "hard", false, "drop them immediately")
	addLocalFlag(cmd, &q.Local)
	asJSON, timeout := addAskFlags(cmd)
	completeFrom(cmd, "route", routeNames())
	at := addClientFlags(cmd)
	cmd.MarkFlagsOneRequired("path", "route", "scope", "all")
	cmd.MarkFlagsMutuallyExclusive("path", "route", "scope", "all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for name, set := range map[string]func(){"path": func() { q.Path = &path }, "route": func() { q.Route = &route }, "scope": func() { q.Scope = &scope }} {
			if flags.Changed(name) {
				set()
			}
		}
		if err := checkPurge(q); err != nil {
			return err
		}
		c, _, err := p.client(cmd, *at, *timeout)
		if err != nil {
			return err
		}
		answer, err := c.Purge(cmd.Context(), q)
		if err != nil {
			return err
		}
		p.Warn(answer.Warning)
		if *asJSON {
			return console.JSON(p.Out, answer)
		}
		fmt.Fprintf(p.Out, "purged: %d\n", answer.Purged)
		return nil
	}
	return cmd
}

// checkPurge validates the flags of purge.
func checkPurge(q api.PurgeRequest) error {
	switch {
	case q.Route != nil:
		return checkRoutes([]string{*q.Route})
	case q.Scope != nil:
		if _, err := store.ParsePattern(*q.Scope); err != nil {
			return fmt.Errorf("--%w", err)
		}
	case q.Path != nil:
		return checkPath("--path", *q.Path)
	}
	return nil
}

// checkPath validates the target of a request.
func checkPath(name, path string) error {
	if !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%s %q: want the path of a request, such as '/teams/?division=2030&gender=M'", name, path)
	}
	return nil
}

func (p *program) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain PATH",
		Short: "Show the outcome that a request would have in a running proxy",
		Long: `explain shows the route, key, scope and outcome of a request, and the stored
entry, without any effect on the cache. The exit status is 5 if the proxy could
not be reached, 2 if the path is no request of the API.

` + precedence,
		Example: `  xcri-proxy explain '/iz/xcri/api/teams/?season_year=2025&division=2030&gender=M&limit=50000'
  xcri-proxy explain /metadata/latest --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("explain takes one path, but there are %d; quote it if it holds a & or ?", len(args))
			}
			return nil
		},
	}
	asJSON, timeout := addAskFlags(cmd)
	at := addClientFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkPath("explain", args[0]); err != nil {
			return err
		}
		c, _, err := p.client(cmd, *at, *timeout)
		if err != nil {
			return err
		}
		e, err := c.Entry(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return console.JSON(p.Out, e)
		}
		fmt.Fprint(p.Out, show.Entry(e))
		return nil
	}
	return cmd
}
