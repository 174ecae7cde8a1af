package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/app"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/cmd/internal/show"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const maintenanceHelp = `In maintenance mode people get a page that says when to come back, and the API
answers from the cache and with 503 otherwise. The proxy leaves the database
alone: it publishes nothing until the end, or until you say xcri-proxy warm. It
survives a restart if STATE_FILE is set.

`

func (p *program) maintenanceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "maintenance [on | off | page]",
		Short: "Turn maintenance mode on or off, or show it",
		Long: maintenanceHelp + `Without on or off it is shown. The exit status is 5 if the proxy could not be
reached, 2 for a wrong command line, otherwise 1.

` + precedence,
		Example: `  xcri-proxy maintenance
  xcri-proxy maintenance on --until 30m --message 'We import the new season.'
  xcri-proxy maintenance off
  xcri-proxy maintenance page > /var/www/html/xcri-away.html`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("maintenance %q: want on, off or page, or nothing to show it", args[0])
			}
			return nil
		},
	}
	p.asksMaintenance(cmd, func() (*api.MaintenanceRequest, error) { return nil, nil })
	cmd.AddCommand(p.maintenanceOnCommand(), p.maintenanceOffCommand(), p.maintenancePageCommand())
	return cmd
}

func (p *program) maintenanceOnCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "on [--until TIME] [--message TEXT]",
		Short: "Turn maintenance mode on, or change the announcement",
		Long: maintenanceHelp + `TIME is an announcement, not a timer: maintenance mode stays on until you turn it
off, and after that time the page says that it will be any minute now. Write it as 15:04
(today, or tomorrow if that is past), as 2026-11-23 15:04, as
2026-11-23T15:04:00-05:00, or as a duration: 30m, 1h30m.

` + precedence,
		Example: `  xcri-proxy maintenance on
  xcri-proxy maintenance on --until 30m
  xcri-proxy maintenance on --until '2026-11-23 06:00' --message 'We import the new season.'`,
		Args: noArgs,
	}
	until := cmd.Flags().String("until", "", "announced end: a `time` of this machine's zone, or 30m")
	message := cmd.Flags().String("message", "", "a `text` for people, at most 500 characters")
	var local bool
	addLocalFlag(cmd, &local)
	p.asksMaintenance(cmd, func() (*api.MaintenanceRequest, error) {
		q := &api.MaintenanceRequest{On: new(true), Message: *message, Local: local}
		if *until == "" {
			return q, nil
		}
		at, err := parseUntil(*until, time.Now())
		q.Until = at.Format(time.RFC3339)
		return q, err
	})
	return cmd
}

func (p *program) maintenanceOffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "off",
		Short: "Turn maintenance mode off",
		Long: `off ends maintenance mode. The proxy polls the database immediately and
publishes a new generation with its warm set.

` + precedence,
		Example: `  xcri-proxy maintenance off`,
		Args:    noArgs,
	}
	var local bool
	addLocalFlag(cmd, &local)
	p.asksMaintenance(cmd, func() (*api.MaintenanceRequest, error) {
		return &api.MaintenanceRequest{On: new(false), Local: local}, nil
	})
	return cmd
}

// asksMaintenance makes cmd send a request to the running proxy and print the
// state of maintenance mode. A nil request changes nothing.
func (p *program) asksMaintenance(cmd *cobra.Command, request func() (*api.MaintenanceRequest, error)) {
	asJSON, timeout := addAskFlags(cmd)
	at := addClientFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q, err := request()
		if err != nil {
			return err
		}
		c, _, err := p.client(cmd, *at, *timeout)
		if err != nil {
			return err
		}
		var state api.MaintenanceState
		if q == nil {
			state, err = c.Maintenance(cmd.Context())
		} else {
			state, err = c.SetMaintenance(cmd.Context(), *q)
		}
		if err != nil {
			return err
		}
		p.Warn(state.Warning)
		if *asJSON {
			return console.JSON(p.Out, state)
		}
		show.Maintenance(p.Out, state)
		return nil
	}
}

func (p *program) maintenancePageCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "page [--message TEXT]",
		Short: "Print the page, for Apache to show while the proxy is down",
		Long: `page prints the page that people get in maintenance mode, without a time. It asks
no proxy. Apache can show it with ErrorDocument 502 and 503.`,
		Example: `  xcri-proxy maintenance page > /var/www/html/xcri-away.html`,
		Args:    noArgs,
	}
	message := cmd.Flags().String("message", "", "a `text` for people, at most 500 characters")
	addKeyFlags(cmd, nil)
	cmd.RunE = func(*cobra.Command, []string) error {
		page, err := app.MaintenancePage(*message)
		if err != nil {
			return err
		}
		if _, err := p.Out.Write(page); err != nil {
			return exit.Wrap(exit.Runtime, err)
		}
		return nil
	}
	return cmd
}

// parseUntil parses a future time in the time zone of now.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if left, err := time.ParseDuration(text); err == nil {
		return later(now.Add(left), now, text)
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return later(t, now, text)
	}
	if t, err := time.ParseInLocation("2006-01-02 15:04", text, now.Location()); err == nil {
		return later(t, now, text)
	}
	clock, err := time.Parse("15:04", text)
	if err != nil {
		return now, fmt.Errorf("--until %q: want a time as 15:04, 2026-11-23 15:04 or 2026-11-23T15:04:00-05:00, or a duration as 30m", text)
	}
	year, month, day := now.Date()
	t := time.Date(year, month, day, clock.Hour(), clock.Minute(), 0, 0, now.Location())
	if !t.After(now) {
		t = time.Date(year, month, day+1, clock.Hour(), clock.Minute(), 0, 0, now.Location())
	}
	return t, nil
}

func later(t, now time.Time, text string) (time.Time, error) {
	if !t.After(now) {
		return t, fmt.Errorf("--until %q: that is in the past", text)
	}
	return t, nil
}
