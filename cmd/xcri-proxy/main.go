// Command xcri-proxy is a read-through caching proxy for the XCRI rankings API.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/config"
)

// Exit statuses. A problem at run time may be temporary, an invalid command line or
// configuration is not. Statuses from exitNothingNew on are for warm.
// exitUnreachable is for all commands that call a running proxy. verify uses
// exitPartly for answers that could not be compared, and load for wrong answers.
// exitDifferent is for verify only, and exitTooSlow for load only.
const (
	exitRuntime     = 1
	exitUsage       = 2
	exitNothingNew  = 3
	exitPartly      = 4
	exitUnreachable = 5
	exitNoDatabase  = 6
	exitDifferent   = 7
	exitTooSlow     = 8
)

// runtimeError is an error that is not the fault of the command line or the
// configuration.
type runtimeError struct {
	error
	status int  // to exit with; zero means exitRuntime
	said   bool // it has been reported already
}

func (e runtimeError) Unwrap() error { return e.error }

// statusOf returns the exit status for an error.
func statusOf(err error) int {
	var atRuntime runtimeError
	var call *adminclient.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &atRuntime):
		return max(exitRuntime, atRuntime.status)
	case !errors.As(err, &call) || call.Kind == adminclient.Rejected:
		return exitUsage
	case call.Kind == adminclient.Unreachable:
		return exitUnreachable
	}
	return exitRuntime
}

// reported returns err as an error that run does not print, unless it is a
// mistake in the command line.
func reported(err error) error {
	if status := statusOf(err); status != 0 && status != exitUsage {
		return runtimeError{error: err, status: status, said: true}
	}
	return err
}

// errSilent ends a command whose failure needs no message: the log contains it, or the
// caller requested --quiet.
var errSilent = runtimeError{error: errors.New("failed"), said: true}

// program holds the values that the commands share.
type program struct {
	env            map[string]string
	stdin          io.Reader
	stdout, stderr io.Writer
	start          func(context.Context, config.Config, *slog.Logger) error // runs the service until the context ends
}

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit status. environ has the
// form of os.Environ.
func run(args, environ []string, stdout, stderr io.Writer) int {
	p := &program{env: map[string]string{}, stdin: os.Stdin, stdout: stdout, stderr: stderr, start: startApp}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		p.env[name] = value
	}
	return p.run(args)
}

func (p *program) run(args []string) int {
	root := p.rootCommand()
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	status := statusOf(err)
	var atRuntime runtimeError
	if err == nil || errors.As(err, &atRuntime) && atRuntime.said {
		return status
	}
	fmt.Fprintf(p.stderr, "xcri-proxy: %s\n", strings.TrimSpace(err.Error()))
	switch {
	case status == exitUsage:
		fmt.Fprintf(p.stderr, "see %s --help\n", cmd.CommandPath())
	case adminclient.NothingListens(err):
		fmt.Fprint(p.stderr, "is the proxy running there? xcri-proxy serve starts it; --url or --listen-addr names another address\n")
	}
	return status
}

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "xcri-proxy",
		Short: "Read-through caching proxy for the XCRI rankings API",
		Long: `xcri-proxy answers the XCRI rankings API from memory. Missing answers are loaded
from the database, once for all waiting clients, and requests outside the read
API go to the old API.`,
		Example: `  xcri-proxy serve --env-file /etc/xcri-proxy.env
  xcri-proxy config --env-file /etc/xcri-proxy.env
  xcri-proxy health
  xcri-proxy warm --wait-for 2025-10-27
  xcri-proxy explain '/teams/?division=2030&gender=M'
  xcri-proxy source legacy
  xcri-proxy verify --rate 5
  xcri-proxy load http://127.0.0.1:8000`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       versionText(),
		// xcri-proxy completion bash | zsh | fish | powershell
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(p.serveCommand(), p.healthCommand(), p.warmCommand(), p.purgeCommand(), p.explainCommand(), p.sourceCommand(), p.verifyCommand(), p.loadCommand(), p.maintenanceCommand(),
		p.configCommand(), p.versionCommand())
	return root
}

func (p *program) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the configuration and where each value comes from",
		Long: `config reads and checks the configuration as serve does and shows every value
with the place it comes from. Secrets are not shown. The exit status is 2 if a
value is wrong.

` + precedence,
		Example: `  xcri-proxy config --env-file /etc/xcri-proxy.env
  GENERATION_POLL=5s xcri-proxy config`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.load(cmd)
			if err == nil {
				fmt.Fprint(p.stdout, cfg)
			}
			return err
		},
	}
	addKeyFlags(cmd, config.Keys())
	return cmd
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, but there is %q", cmd.Name(), args[0])
	}
	return nil
}
