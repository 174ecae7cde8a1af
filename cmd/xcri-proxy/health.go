package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
)

func (p *program) healthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running proxy whether it is healthy",
		Long: `health requests /health from the proxy on LISTEN_ADDR, or from the proxy at --url. The exit status is
0 if it answers that it is healthy and 1 otherwise, with one line on stderr. With
--ready it requests /readyz: a proxy that serves cached answers while the database is
down is ready, though not healthy. A supervisor that would replace the process, and its
cache, should use --ready.

` + precedence,
		Example: `  xcri-proxy health
  xcri-proxy health --listen-addr 127.0.0.1:8000 --timeout 1s --quiet
  xcri-proxy health --ready --quiet
  xcri-proxy health --url https://web4.example/iz/xcri`,
		Args: noArgs,
	}
	timeout := addTimeout(cmd, 3*time.Second)
	quiet := cmd.Flags().BoolP("quiet", "q", false, "print nothing, only set the exit status")
	ready := cmd.Flags().Bool("ready", false, "ask whether it serves, also while the database is down")
	at := addClientFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := p.publicClient(cmd, *at, *timeout)
		if err != nil {
			return err
		}
		probe, result := c.Health, "healthy"
		if *ready {
			probe, result = c.Ready, "ready"
		}
		switch err := probe(cmd.Context()); {
		case err != nil && *quiet:
			return exit.Silent
		case errors.Is(err, context.DeadlineExceeded):
			return exit.Errorf(exit.Runtime, "%w within %s", err, *timeout)
		case err != nil:
			return exit.Wrap(exit.Runtime, err)
		case !*quiet:
			fmt.Fprintln(p.Out, result)
		}
		return nil
	}
	return cmd
}
