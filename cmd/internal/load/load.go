// Package load plays the site's visitors, or an access log, against an API, and reports
// how long the answers take.
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/measure"
	"github.com/lewistv/xcri-proxy/cmd/internal/load/visitors"
	"github.com/lewistv/xcri-proxy/proxy/plural"
)

// learnTimeout limits one request for the catalogue of the API.
const learnTimeout = time.Minute

// Options are the flags of load.
type Options struct {
	Logs        []string // access logs to replay; empty means the page mix
	Requests    int      // measured requests; zero means no limit
	Live        bool     // only pages of the live rankings
	WarmUp      int      // requests before the measured requests
	Duration    time.Duration
	Connections int
	Rate        float64
	Seed        uint64
	Timeout     time.Duration
	Limits      Limits
	Production  bool // the URL may be of another machine
	JSON        bool
	Quiet       bool
}

// Limits fail a run.
type Limits struct {
	P99    time.Duration // longest p99; zero means no limit
	Errors int64
}

// Check validates the flags and the argument text, and returns the URL of the API.
func (f Options) Check(text string) (*url.URL, error) {
	at, err := url.Parse(strings.TrimRight(text, "/"))
	switch {
	case err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Hostname() == "" || at.RawQuery != "" || at.Fragment != "" || at.User != nil:
		return nil, fmt.Errorf("%q: want http://host:port or https://host/path", text)
	case !f.Production && !isThisMachine(at.Hostname()):
		return nil, fmt.Errorf("%s is not this machine: its server would get as many requests as it can answer from %d concurrent clients, and its visitors would wait behind them; to do this nevertheless, add --yes-production", at.Host, f.Connections)
	case f.Requests < 0 || f.WarmUp < 0:
		return nil, errors.New("--requests and --warm-up: want a number from 0 on")
	case f.Requests == 0 && f.Duration == 0 && len(f.Logs) == 0:
		return nil, errors.New("--requests: the page mix has no end: want a number from 1 on, or --duration")
	case f.Duration < 0 || f.Duration > 0 && f.Duration < 100*time.Millisecond:
		return nil, errors.New("--duration: want at least 100ms")
	case f.Connections < 1 || f.Connections > 10_000:
		return nil, errors.New("--connections: want a number from 1 to 10000")
	case !(f.Rate >= 0 && f.Rate <= 1e6):
		return nil, errors.New("--rate: want a number from 0 to 1000000")
	case f.Timeout < time.Millisecond || f.Timeout > time.Minute:
		return nil, errors.New("--timeout: want 1ms to 1m")
	case f.Limits.P99 < 0 || f.Limits.Errors < 0:
		return nil, errors.New("--max-p99 and --max-errors: want a limit from 0 on")
	case f.Live && len(f.Logs) > 0:
		return nil, errors.New("--live is for the page mix, not for --from-log")
	case f.JSON && f.Quiet:
		return nil, errors.New("--json and --quiet exclude each other")
	}
	return at, nil
}

func isThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// Run loads the API at a URL and prints the report. An access log names the API below
// base.
func Run(ctx context.Context, at *url.URL, base string, f Options, std console.Streams) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // so that a second signal ends it immediately
	r := &run{
		flags: f, progress: std.Progress(f.Quiet),
		report: Report{URL: at.String(), Connections: f.Connections, Rate: f.Rate, Seed: f.Seed},
	}
	source, err := r.source(ctx, base, std.In)
	if err == nil {
		r.report.Report, err = measure.Run(ctx, measure.Options{
			URL: at, Source: source, Connections: f.Connections, Rate: f.Rate, WarmUp: f.WarmUp, Duration: f.Duration, Timeout: f.Timeout,
			Progress: func(now measure.Progress) { show(r.progress, now, f.Duration) },
		})
	}
	r.progress.End()
	if err == nil {
		err = r.report.judge(ctx.Err() != nil, f.Limits)
	}
	return r.end(err, std.Out)
}

// run is one call of Run.
type run struct {
	flags    Options
	progress *console.Progress
	report   Report
}

// source returns the requests to send.
func (r *run) source(ctx context.Context, base string, stdin io.Reader) (visitors.Source, error) {
	total := r.flags.Requests
	if total > 0 {
		total += r.flags.WarmUp
	}
	if len(r.flags.Logs) > 0 {
		return r.replay(visitors.NewLog(base+"/api", total), base, stdin)
	}
	client := adminclient.Direct()
	client.Timeout = learnTimeout
	c, err := visitors.Learn(ctx, client, r.report.URL, func(done, all int) {
		r.progress.Bar(done, all, fmt.Sprintf("reading the catalogue: %d of %d divisions", done, all))
	})
	if err != nil {
		return nil, exit.Wrap(exit.Unreachable, err)
	}
	mix := visitors.NewMix(c, r.flags.Seed, total)
	if r.flags.Live {
		if err := visitors.LearnPairs(ctx, client, r.report.URL, c); err != nil {
			return nil, exit.Wrap(exit.Unreachable, err)
		}
		mix.Live()
	}
	return mix, nil
}

// replay returns the requests of the access logs.
func (r *run) replay(log *visitors.Log, base string, stdin io.Reader) (visitors.Source, error) {
	r.report.Log = log
	for _, name := range r.flags.Logs {
		if err := log.ReadFile(name, stdin); err != nil {
			return nil, exit.Wrap(exit.Runtime, err)
		}
	}
	if source := log.Source(); source != nil {
		return source, nil
	}
	return nil, exit.Errorf(exit.Runtime, "no request for the API below %s/api in %s", base, strings.Join(r.flags.Logs, ", "))
}

// end prints the report, if any, and returns the error of the command for err.
func (r *run) end(err error, stdout io.Writer) error {
	r.report.Result = results[exit.Status(err)]
	if err != nil {
		r.report.Error = err.Error()
	}
	switch {
	case r.flags.JSON:
		if printErr := console.JSON(stdout, &r.report); printErr != nil {
			return exit.Wrap(exit.Runtime, printErr)
		}
	case !r.flags.Quiet && r.report.Report != nil:
		r.report.print(stdout)
	}
	if r.flags.Quiet || r.flags.JSON {
		return exit.Reported(err)
	}
	return err
}

// show shows the progress of a run.
func show(to *console.Progress, now measure.Progress, of time.Duration) {
	text := fmt.Sprintf("%s, %.0f a second", plural.Of(now.Done, "request"), now.Rate)
	if now.P99 > 0 { // not measured during the warm-up
		text += fmt.Sprintf(", p99 %.1f ms", now.P99.Seconds()*1e3)
	}
	if now.Errors > 0 {
		text += ", " + plural.Of(now.Errors, "error")
	}
	if of > 0 {
		to.Bar(int(of-now.Left), int(of), text+fmt.Sprintf(", %.0f s left", now.Left.Seconds()))
		return
	}
	to.Bar(int(now.Done), now.Total, text)
}
