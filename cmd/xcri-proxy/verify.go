package main

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

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const (
	// slack is the additional timeout of the proxy's answer beyond the sources'.
	slack = 5 * time.Second
	// tryAgain is the pause before a retry if the proxy is busy or restarting.
	tryAgain = time.Second
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	file    string
	logs    []string
	top     int
	rate    float64
	limit   int
	show    int
	timeout time.Duration
	json    bool
	quiet   bool
}

func (p *program) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare the answers of the database and of the old API to the same requests",
		Long: `verify has the running proxy ask both the database and the old API, beside the
cache, and compares the answers: same bytes, same JSON, same but for the order
of lists, expected to differ because of a known fault of the old API, or
different. Without --file and --from-log it asks for the warm set.
A difference is requested again before it is reported. An interrupt ends it with
the report so far.

Exit status:
  0  all the same, or different as expected; the report lists both
  1  something else went wrong, nothing was compared, or it was interrupted
  2  the command line or the configuration is wrong; the proxy has no old API
  4  some could not be compared, and all others are the same
  5  the proxy could not be reached
  7  some are different

` + precedence,
		Example: `  xcri-proxy verify
  xcri-proxy verify --from-log /var/log/apache2/access.log --top 2000 --rate 5
  xcri-proxy verify --file requests.txt --json > report.json`,
		Args: noArgs,
	}
	var f verifyFlags
	flags := cmd.Flags()
	flags.StringVar(&f.file, "file", "", "request the targets in this `file`, a target a line, # for comments; - for stdin")
	flags.StringArrayVar(&f.logs, "from-log", nil, "request the targets in this access log `file`, in the common or combined format, - for stdin; may be repeated")
	flags.IntVar(&f.top, "top", 500, "how many targets to take from the logs, the most requested ones")
	flags.Float64Var(&f.rate, "rate", 2, "most questions a second, 0.1 to 100; each goes to both sources")
	flags.IntVar(&f.limit, "limit", 0, "most questions in all; 0 for no limit")
	flags.IntVar(&f.show, "show", 20, "most differences and failures that the report shows; --json shows all")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "longest wait for the answers to one question, at most 1m")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing but one line if not all is well")
	at := addClientFlags(cmd, "BASE_PATH")
	cmd.MarkFlagsMutuallyExclusive("file", "from-log")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		c, cfg, err := p.client(cmd, *at, f.timeout+slack)
		if err != nil {
			return err
		}
		return p.verify(cmd.Context(), c, cfg, f)
	}
	return cmd
}

func (f verifyFlags) check() error {
	switch {
	case f.top < 1 || f.top > 10_000:
		return errors.New("--top: want a number from 1 to 10000")
	case !(f.rate >= 0.1 && f.rate <= 100):
		return errors.New("--rate: want a number from 0.1 to 100")
	case f.limit < 0:
		return errors.New("--limit: want a number from 0 on")
	case f.show < 0:
		return errors.New("--show: want a number from 0 on")
	case f.timeout < time.Millisecond || f.timeout > time.Minute:
		return errors.New("--timeout: want 1ms to 1m")
	case f.json && f.quiet:
		return errors.New("--json and --quiet exclude each other")
	}
	return nil
}

// verify compares the sources and prints the report.
func (p *program) verify(ctx context.Context, c *adminclient.Client, cfg config.Config, f verifyFlags) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // so that a second signal ends it immediately
	v := &verifier{
		Client: c, flags: f, progress: newProgress(p.stderr, isTerminal(p.stderr), f.quiet),
		pace: pacer{every: time.Duration(float64(time.Second) / f.rate)}, report: newVerifyReport(),
	}
	err := v.readTargets(cfg.BasePath, p.stdin)
	if err == nil {
		err = v.run(ctx)
	}
	v.progress.end()
	v.report.finish(err)
	switch {
	case f.json:
		if printErr := printJSON(p.stdout, v.report); printErr != nil {
			return runtimeError{error: printErr}
		}
	case !f.quiet && v.report.Asked > 0:
		v.report.print(p.stdout, f.show)
	}
	if f.json {
		return reported(err)
	}
	return err
}

// verifier requests one comparison after the other from a proxy.
type verifier struct {
	*adminclient.Client
	flags    verifyFlags
	targets  []string
	progress *progress
	pace     pacer
	report   *verifyReport
}

// readTargets reads the targets, unless they are the warm set.
func (v *verifier) readTargets(base string, stdin io.Reader) (err error) {
	if v.flags.file != "" {
		if v.targets, err = readTargets(v.flags.file, stdin); err != nil {
			return runtimeError{error: err}
		}
	}
	if len(v.flags.logs) == 0 {
		return nil
	}
	if v.report.Log, err = readLogs(v.flags.logs, base, stdin); err != nil {
		return err
	}
	v.targets = v.report.Log.Top(v.flags.top)
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
	if v.flags.file == "" && len(v.flags.logs) == 0 {
		v.targets = subjects.Keys
	}
	if v.flags.limit > 0 {
		v.targets = v.targets[:min(v.flags.limit, len(v.targets))]
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
		v.progress.bar(v.report.Asked, v.report.Questions, v.report.line())
	}
	return v.report.judge()
}

// compare requests a comparison. It retries for a limited time if the proxy is busy or
// unreachable.
func (v *verifier) compare(ctx context.Context, target string) (c api.Comparison, err error) {
	question := api.VerifyRequest{Path: target, TimeoutMS: v.flags.timeout.Milliseconds()}
	for begun := time.Now(); ; {
		c, err = v.Verify(ctx, question)
		if err == nil && !slices.Contains(verdicts, c.Verdict) {
			return c, v.NotOurs()
		}
		if statusOf(err) != exitUnreachable || time.Since(begun) >= v.flags.timeout {
			return c, err
		}
		v.progress.say("%v; trying again", err)
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
