package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	loads "github.com/lewistv/xcri-proxy/cmd/internal/load"
	"github.com/lewistv/xcri-proxy/config"
)

// loadRequests is the default number of requests of the page mix.
const loadRequests = 10_000

// learnTimeout limits one request for the catalogue of the API.
const learnTimeout = time.Minute

// loadFlags are the flags of load.
type loadFlags struct {
	logs        []string
	requests    int // zero means no limit
	warmUp      int
	duration    time.Duration
	connections int
	rate        float64
	seed        uint64
	timeout     time.Duration
	maxP99      time.Duration // zero means no limit
	maxErrors   int64
	production  bool
	json        bool
	quiet       bool
}

func (p *program) loadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "load URL",
		Short: "Play the visitors of the site against an API and measure how long answers take",
		Long: `load makes the requests that the site's visitors make, or those of an access
log, checks every answer, and prints the rate and the latencies. URL is the root
of the API. Visitors request the divisions, teams and snapshots that the API
itself lists, the best ranked most, and send back the ETags that they received;
for a seed they are always the same.

Without --rate each of the --connections asks as soon as it has its last answer.
With it requests are due at that rate, however long answers take, and their time
counts from then: a server that stalls can't hide it by asking less of itself.

A log is replayed once, in its order, without its pauses; a copy is revalidated
where the log says 304.

Exit status:
  0  every answer was as it should be
  1  something else went wrong, or it was interrupted
  2  the command line or the configuration is wrong
  4  more answers than --max-errors were wrong or did not come
  5  the API could not be reached, or has nothing to ask for
  8  the p99 of the answers was over --max-p99

` + precedence,
		Example: `  xcri-proxy load http://127.0.0.1:8000/iz/xcri/api
  xcri-proxy load http://127.0.0.1:8000 --requests 720000 --connections 200 --warm-up 100000
  xcri-proxy load http://127.0.0.1:8000 --rate 500 --duration 1m --json
  xcri-proxy load http://127.0.0.1:8000 --rate 500 --duration 1m --max-p99 200ms --max-errors 0
  xcri-proxy load http://127.0.0.1:8000 --from-log /var/log/apache2/access.log.1.gz`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("load takes one argument, the URL of the API")
			}
			return nil
		},
	}
	var f loadFlags
	flags := cmd.Flags()
	f.add(flags)
	addKeyFlags(cmd, slices.DeleteFunc(config.Keys(), func(k config.Key) bool { return k.Name != "ENV_FILE" && k.Name != "BASE_PATH" }))
	cmd.MarkFlagsMutuallyExclusive("requests", "duration")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !flags.Changed("requests") && (len(f.logs) > 0 || f.duration > 0) {
			f.requests = 0
		}
		at, err := f.check(args[0])
		if err != nil {
			return err
		}
		cfg, err := p.load(cmd)
		if err != nil {
			return err
		}
		return p.runLoad(cmd.Context(), at, cfg.BasePath, f)
	}
	return cmd
}

// add gives a command the flags that set f.
func (f *loadFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.logs, "from-log", nil, "replay this access log `file` in the common or combined format, - for stdin; may be repeated")
	flags.IntVar(&f.requests, "requests", loadRequests, "how many requests count; of a log all, unless this is given")
	flags.IntVar(&f.warmUp, "warm-up", 0, "how many requests are made before those that count")
	flags.DurationVar(&f.duration, "duration", 0, "how long to send requests that count, instead of --requests")
	flags.IntVar(&f.connections, "connections", 20, "how many clients there are, each with a connection")
	flags.Float64Var(&f.rate, "rate", 0, "how many requests a second are due; 0 for as many as there are answers")
	flags.Uint64Var(&f.seed, "seed", 1, "which visitors come")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "longest wait for an answer")
	flags.DurationVar(&f.maxP99, "max-p99", 0, "exit with status 8 if the p99 of the times is longer; 0 for no limit")
	flags.Int64Var(&f.maxErrors, "max-errors", 0, "exit with status 4 if there are more errors")
	flags.BoolVar(&f.production, "yes-production", false, "allow a URL that is not this machine: its server gets as many requests as it can answer, and its visitors wait behind them")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON, times in seconds")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing, only set the exit status")
}

// check validates the arguments and flags, and returns the URL of the API.
func (f loadFlags) check(text string) (*url.URL, error) {
	at, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Hostname() == "" || at.RawQuery != "" || at.Fragment != "" || at.User != nil:
		return nil, fmt.Errorf("%q: want http://host:port or https://host/path", text)
	case !f.production && !isThisMachine(at.Hostname()):
		return nil, fmt.Errorf("%s is not this machine: its server would get as many requests as it can answer from %d clients at once, and its visitors would wait behind them; if that is meant, add --yes-production", at.Host, f.connections)
	case f.requests < 0 || f.warmUp < 0:
		return nil, errors.New("--requests and --warm-up: want a number from 0 on")
	case f.requests == 0 && f.duration == 0 && len(f.logs) == 0:
		return nil, errors.New("--requests: the page mix has no end: want a number from 1 on, or --duration")
	case f.duration < 0 || f.duration > 0 && f.duration < 100*time.Millisecond:
		return nil, errors.New("--duration: want at least 100ms")
	case f.connections < 1 || f.connections > 10_000:
		return nil, errors.New("--connections: want a number from 1 to 10000")
	case !(f.rate >= 0 && f.rate <= 1e6):
		return nil, errors.New("--rate: want a number from 0 to 1000000")
	case f.timeout < time.Millisecond || f.timeout > time.Minute:
		return nil, errors.New("--timeout: want 1ms to 1m")
	case f.maxP99 < 0 || f.maxErrors < 0:
		return nil, errors.New("--max-p99 and --max-errors: want a limit from 0 on")
	case f.json && f.quiet:
		return nil, errors.New("--json and --quiet exclude each other")
	}
	return at, nil
}

func isThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// runLoad runs the load and prints the report.
func (p *program) runLoad(ctx context.Context, at *url.URL, base string, f loadFlags) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // so that a second signal ends it immediately
	progress := p.Progress(f.quiet)
	report := loadReport{URL: at.String(), Connections: f.connections, Rate: f.rate, Seed: f.seed}
	source, err := p.loadSource(ctx, at, base, f, &report, progress)
	if err == nil {
		report.Report, err = loads.Run(ctx, loads.Options{
			URL: at, Source: source, Connections: f.connections, Rate: f.rate, WarmUp: f.warmUp, Duration: f.duration, Timeout: f.timeout,
			Progress: func(now loads.Progress) { showLoad(progress, now, f.duration) },
		})
	}
	progress.End()
	if err == nil {
		err = report.judge(ctx.Err() != nil, f.maxErrors, f.maxP99)
	}
	return p.endLoad(&report, err, f)
}

// endLoad prints the report, if any, and returns the error of the command for err.
func (p *program) endLoad(report *loadReport, err error, f loadFlags) error {
	report.Result = loadResults[exit.Status(err)]
	if err != nil {
		report.Error = err.Error()
	}
	switch {
	case f.json:
		if printErr := console.JSON(p.Out, report); printErr != nil {
			return exit.Wrap(exit.Runtime, printErr)
		}
	case !f.quiet && report.Report != nil:
		report.print(p.Out)
	}
	if f.quiet || f.json {
		return exit.Reported(err)
	}
	return err
}

// loadSource returns the requests to send.
func (p *program) loadSource(ctx context.Context, at *url.URL, base string, f loadFlags, report *loadReport, progress *console.Progress) (loads.Source, error) {
	total := f.requests
	if total > 0 {
		total += f.warmUp
	}
	if len(f.logs) > 0 {
		log := loads.NewLog(base+"/api", total)
		report.Log = log
		for _, name := range f.logs {
			if err := log.ReadFile(name, p.In); err != nil {
				return nil, exit.Wrap(exit.Runtime, err)
			}
		}
		if source := log.Source(); source != nil {
			return source, nil
		}
		return nil, exit.Errorf(exit.Runtime, "no request for the API below %s/api in %s", base, strings.Join(f.logs, ", "))
	}
	client := adminclient.Direct()
	client.Timeout = learnTimeout
	c, err := loads.Learn(ctx, client, at.String(), func(done, all int) {
		progress.Bar(done, all, fmt.Sprintf("asking what there is: %d of %d divisions", done, all))
	})
	if err != nil {
		return nil, exit.Wrap(exit.Unreachable, err)
	}
	return loads.NewMix(c, f.seed, total), nil
}

// showLoad shows the progress of a run.
func showLoad(to *console.Progress, now loads.Progress, of time.Duration) {
	text := fmt.Sprintf("%d requests, %.0f a second", now.Done, now.Rate)
	if now.P99 > 0 { // not measured during the warm-up
		text += fmt.Sprintf(", p99 %.1f ms", now.P99.Seconds()*1e3)
	}
	if now.Errors > 0 {
		text += fmt.Sprintf(", %d errors", now.Errors)
	}
	if of > 0 {
		to.Bar(int(of-now.Left), int(of), text+fmt.Sprintf(", %.0f s left", now.Left.Seconds()))
		return
	}
	to.Bar(int(now.Done), now.Total, text)
}
