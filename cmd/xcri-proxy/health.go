package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
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
		target, err := healthURL(cfg.ListenAddr)
		if err != nil {
			return err
		}
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
			return runtimeError{fmt.Errorf("%s: %w", target, err)}
		case !*quiet:
			fmt.Fprintln(p.stdout, "healthy")
		}
		return nil
	}
	return cmd
}

// healthURL returns where to ask a proxy that listens on addr. One that listens
// on every address is asked on the loopback.
func healthURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", fmt.Errorf("LISTEN_ADDR=%q leaves the port open; give the one in use with --listen-addr", addr)
	}
	ip, _ := netip.ParseAddr(host)
	switch {
	case ip == netip.IPv6Unspecified():
		host = "::1"
	case host == "" || ip.IsValid() && ip.IsUnspecified():
		host = "127.0.0.1"
	}
	target := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port), Path: "/health"}
	return target.String(), nil
}

// checkHealth returns nil if target answers that it is healthy. It asks directly,
// whatever proxy the environment names.
func checkHealth(ctx context.Context, target string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		if urlErr := (*url.Error)(nil); errors.As(err, &urlErr) {
			err = urlErr.Err // without the URL, which the message names already
		}
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	var answer struct{ Status string }
	if json.Unmarshal(body, &answer) != nil {
		return fmt.Errorf("got HTTP %d with an answer that is not JSON", resp.StatusCode)
	}
	if resp.StatusCode != http.StatusOK || answer.Status != "healthy" {
		return fmt.Errorf("got HTTP %d with status %q", resp.StatusCode, answer.Status)
	}
	return nil
}
