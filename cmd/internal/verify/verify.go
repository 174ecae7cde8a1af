// Package verify compares the answers of a running proxy's two sources to the same
// requests.
package verify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const (
	// Slack is the additional timeout of the proxy's answer beyond the sources'.
	Slack = 5 * time.Second
	// tryAgain is the pause before a retry if the proxy is busy or restarting.
	tryAgain = time.Second
)

// Options are the flags of verify.
type Options struct {
	File    string   // of targets
	Logs    []string // access logs to take targets from
	Top     int      // targets taken from the logs
	Rate    float64  // most questions a second
	Limit   int      // most questions in all; zero means no limit
	Show    int      // most findings in the printed report
	Timeout time.Duration
	JSON    bool
	Quiet   bool
}

// Check validates the flags.
func (f Options) Check() error {
	switch {
	case f.Top < 1 || f.Top > 10_000:
		return errors.New("--top: want a number from 1 to 10000")
	case !(f.Rate >= 0.1 && f.Rate <= 100):
		return errors.New("--rate: want a number from 0.1 to 100")
	case f.Limit < 0:
		return errors.New("--limit: want a number from 0 on")
	case f.Show < 0:
		return errors.New("--show: want a number from 0 on")
	case f.Timeout < time.Millisecond || f.Timeout > time.Minute:
		return errors.New("--timeout: want 1ms to 1m")
	case f.JSON && f.Quiet:
		return errors.New("--json and --quiet exclude each other")
	}
	return nil
}

// Run compares the sources of the proxy below the path base, and prints the report.
func Run(ctx context.Context, c *adminclient.Client, base string, f Options, std console.Streams) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // so that a second signal ends it immediately
	v := &verifier{
		Client: c, flags: f, progress: std.Progress(f.Quiet),
		pace: pacer{every: time.Duration(float64(time.Second) / f.Rate)}, report: newReport(),
	}
	err := v.readTargets(base, std.In)
	if err == nil {
		err = v.run(ctx)
	}
	v.progress.End()
	v.report.finish(err)
	switch {
	case f.JSON:
		if printErr := console.JSON(std.Out, v.report); printErr != nil {
			return exit.Wrap(exit.Runtime, printErr)
		}
	case !f.Quiet && v.report.Asked > 0:
		v.report.print(std.Out, f.Show)
	}
	if f.JSON {
		return exit.Reported(err)
	}
	return err
}

// verifier requests one comparison after the other from a proxy.
type verifier struct {
	*adminclient.Client
	flags    Options
	targets  []string
	progress *console.Progress
	pace     pacer
	report   *Report
}

// readTargets reads the targets, unless they are the warm set.
func (v *verifier) readTargets(base string, stdin io.Reader) (err error) {
	if v.flags.File != "" {
		if v.targets, err = readTargets(v.flags.File, stdin); err != nil {
			return exit.Wrap(exit.Runtime, err)
		}
	}
	if len(v.flags.Logs) == 0 {
		return nil
	}
	if v.report.Log, err = accesslog.ReadFiles(v.flags.Logs, base, stdin); err != nil {
		return exit.Wrap(exit.Runtime, err)
	}
	v.targets = v.report.Log.Top(v.flags.Top)
	v.report.Log.Keys = len(v.targets)
	return nil
}

// readTargets reads a file of request targets, one a line.
func readTargets(name string, stdin io.Reader) (targets []string, err error) {
	from := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case len(targets) == accesslog.MaxTargets:
			return nil, fmt.Errorf("%s: more than %d targets", name, accesslog.MaxTargets)
		default:
			targets = append(targets, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return targets, nil
}

// run compares all targets. It returns nil if the answers are equal, or an error with
// the exit status.
func (v *verifier) run(ctx context.Context) error {
	subjects, err := v.VerifySubjects(ctx)
	if err != nil {
		return err
	}
	if v.flags.File == "" && len(v.flags.Logs) == 0 {
		v.targets = subjects.Keys
	}
	if v.flags.Limit > 0 {
		v.targets = v.targets[:min(v.flags.Limit, len(v.targets))]
	}
	v.report.Questions = len(v.targets)
	for _, target := range v.targets {
		if v.pace.wait(ctx) != nil {
			break
		}
		c, err := v.compare(ctx, target)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return err
		}
		v.report.add(c)
		v.progress.Bar(v.report.Asked, v.report.Questions, v.report.line())
	}
	return v.report.judge()
}

// compare requests a comparison. It retries for a limited time if the proxy is busy or
// unreachable.
func (v *verifier) compare(ctx context.Context, target string) (c api.Comparison, err error) {
	question := api.VerifyRequest{Path: target, TimeoutMS: v.flags.Timeout.Milliseconds()}
	for begun := time.Now(); ; {
		c, err = v.Verify(ctx, question)
		if err == nil && !slices.Contains(verdicts, c.Verdict) {
			return c, v.NotOurs()
		}
		if exit.Status(err) != exit.Unreachable || time.Since(begun) >= v.flags.Timeout {
			return c, err
		}
		v.progress.Say("%v; trying again", err)
		select {
		case <-ctx.Done():
			return c, ctx.Err()
		case <-time.After(tryAgain):
		}
	}
}

// pacer spaces events evenly. It does not catch up after a late event.
type pacer struct {
	every time.Duration
	next  time.Time
}

// wait returns when the next event is due, or with the error of ctx.
func (p *pacer) wait(ctx context.Context) error {
	timer := time.NewTimer(time.Until(p.next))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	p.next = time.Now().Add(p.every)
	return ctx.Err()
}
