package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/config"
)

func (p *program) healthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running proxy whether it is healthy",
		Long: `health asks the proxy that listens on LISTEN_ADDR for /health. The exit status is
0 if it answers that it is healthy and 1 otherwise, with one line on stderr.

` + precedence,
		Example: `  xcri-proxy health
  xcri-proxy health --listen-addr 127.0.0.1:8000 --timeout 1s --quiet`,
		Args: noArgs,
	}
	timeout := cmd.Flags().Duration("timeout", 3*time.Second, "longest wait for the answer")
	quiet := cmd.Flags().BoolP("quiet", "q", false, "print nothing, only set the exit status")
	addKeyFlags(cmd, slices.DeleteFunc(config.Keys(), func(k config.Key) bool {
		return k.Name != "ENV_FILE" && k.Name != "LISTEN_ADDR"
	}))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := p.load(cmd)
		if err != nil {
			return err
		}
		target, err := baseURL(cfg.ListenAddr)
		if err != nil {
			return err
		}
		target += "/health"
		ctx, cancel := context.WithTimeout(cmd.Context(), *timeout)
		defer cancel()
		err = checkHealth(ctx, target)
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", *timeout)
		}
		switch {
		case err != nil && *quiet:
			return errSilent
		case err != nil:
			return runtimeError{error: fmt.Errorf("%s: %w", target, err)}
		case !*quiet:
			fmt.Fprintln(p.stdout, "healthy")
		}
		return nil
	}
	return cmd
}

// checkHealth returns nil if target answers that it is healthy.
func checkHealth(ctx context.Context, target string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	status, body, err := send(directClient(), req, 64<<10)
	if err != nil {
		return err
	}
	var answer struct{ Status string }
	if json.Unmarshal(body, &answer) != nil {
		return fmt.Errorf("got HTTP %d with an answer that is not JSON", status)
	}
	if status != http.StatusOK || answer.Status != "healthy" {
		return fmt.Errorf("got HTTP %d with status %q", status, answer.Status)
	}
	return nil
}
