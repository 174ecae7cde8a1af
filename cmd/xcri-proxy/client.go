package main

import (
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/config"
)

// addClientFlags adds to cmd the flags of the commands that call a running proxy: --url,
// whose value it returns, and the flags of the keys that they read, with the keys in more.
func addClientFlags(cmd *cobra.Command, more ...string) (at *string) {
	at = cmd.Flags().String("url", "", "URL of the proxy, if it does not listen on ADMIN_ADDR or LISTEN_ADDR: http://host:port, or the site's URL with BASE_PATH")
	wanted := append(more, "ENV_FILE", "LISTEN_ADDR", "ADMIN_ADDR", "ADMIN_TOKEN")
	addKeyFlags(cmd, slices.DeleteFunc(config.Keys(), func(k config.Key) bool { return !slices.Contains(wanted, k.Name) }))
	return at
}

// addAskFlags adds to cmd the flags of the commands that make one call.
func addAskFlags(cmd *cobra.Command) (asJSON *bool, timeout *time.Duration) {
	return cmd.Flags().Bool("json", false, "print JSON"), addTimeout(cmd, adminclient.MaxTimeout)
}

// client reads the configuration of cmd and returns it with a client of the admin
// pages: at ADMIN_ADDR, else LISTEN_ADDR, or at the URL if that is not empty. Timeout
// limits one call.
func (p *program) client(cmd *cobra.Command, at string, timeout time.Duration) (*adminclient.Client, config.Config, error) {
	cfg, err := p.load(cmd)
	if err != nil {
		return nil, cfg, err
	}
	opts := adminclient.Options{URL: at, Setting: "ADMIN_ADDR", Addr: cfg.Admin.Addr, Token: string(cfg.AdminToken), Timeout: timeout}
	if opts.Addr == "" {
		opts.Setting, opts.Addr = "LISTEN_ADDR", cfg.ListenAddr
	}
	c, err := adminclient.New(opts)
	return c, cfg, err
}

// publicClient is like client, but for the public pages at LISTEN_ADDR.
func (p *program) publicClient(cmd *cobra.Command, at string, timeout time.Duration) (*adminclient.Client, error) {
	cfg, err := p.load(cmd)
	if err != nil {
		return nil, err
	}
	return adminclient.New(adminclient.Options{URL: at, Setting: "LISTEN_ADDR", Addr: cfg.ListenAddr, Timeout: timeout})
}

// addLocalFlag adds the flag of a change that is for one proxy of a fleet alone.
func addLocalFlag(cmd *cobra.Command, local *bool) {
	cmd.Flags().BoolVar(local, "local", false, "only on this proxy, if several share a Redis (SHARED_CACHE)")
}
