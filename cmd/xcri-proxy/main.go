// Command xcri-proxy is a read-through caching proxy for the XCRI rankings API.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/cmd/internal/process"
	"github.com/lewistv/xcri-proxy/config"
)

// program holds the values that the commands share.
type program struct {
	console.Streams
	env   map[string]string
	start process.Start
}

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit status. environ has the
// form of os.Environ.
func run(args, environ []string, stdout, stderr io.Writer) int {
	p := &program{Streams: console.Streams{In: os.Stdin, Out: stdout, Err: stderr}, env: map[string]string{}, start: process.App(thisProgram())}
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
	status := exit.Status(err)
	if err == nil || exit.IsReported(err) {
		return status
	}
	fmt.Fprintf(p.Err, "xcri-proxy: %s\n", strings.TrimSpace(err.Error()))
	switch {
	case status == exit.Usage:
		fmt.Fprintf(p.Err, "see %s --help\n", cmd.CommandPath())
	case adminclient.NothingListens(err):
		fmt.Fprint(p.Err, "is the proxy running there? xcri-proxy serve starts it; --url or --listen-addr names another address\n")
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
  xcri-proxy preflight --env-file /etc/xcri-proxy.env
  xcri-proxy health
  xcri-proxy warm --wait-for 2025-10-27
  xcri-proxy explain '/teams/?division=2030&gender=M'
  xcri-proxy top
  xcri-proxy report --since 24h
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
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(p.serveCommand(), p.healthCommand(), p.warmCommand(), p.purgeCommand(), p.explainCommand(), p.sourceCommand(), p.verifyCommand(), p.loadCommand(), p.maintenanceCommand(), p.preflightCommand(), p.topCommand(), p.tailCommand(), p.reportCommand(),
		p.configCommand(), p.versionCommand(), p.compressCommand())
	root.AddCommand(buildCommands()...)
	root.InitDefaultCompletionCmd()
	if cmd, _, err := root.Find([]string{"completion"}); err == nil {
		cmd.Args, cmd.RunE = anyShell, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	return root
}

// anyShell returns an error for a shell without completions. Without it the command would
// print its help, which an operator would redirect into a script.
func anyShell(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("completion %q: want bash, zsh, fish or powershell", args[0])
	}
	return nil
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
				fmt.Fprint(p.Out, cfg)
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
