package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const (
	// pollEvery is the interval between requests for the progress of a warm-up.
	// lookEvery is the interval between requests for another poll of the database.
	pollEvery = 200 * time.Millisecond
	lookEvery = 3 * time.Second
	// patience limits the consecutive failures to reach a proxy that has answered
	// before: it may be restarting.
	patience = 5
	// batchPaths and batchBytes bound the paths of one request.
	batchPaths, batchBytes = 1000, 40 << 10
)

// warmFlags are the flags of warm.
type warmFlags struct {
	waitFor string
	since   time.Duration
	logs    []string
	top     int
	accept  bool
	timeout time.Duration
	json    bool
	quiet   bool
}

func (p *program) warmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "warm",
		Short: "Have a running proxy poll for new data now, and wait until it is published",
		Long: `warm has the running proxy poll the database now, and waits until a new
generation has been loaded and published. It is for cron, after the import. With
--from-log it also loads the answers that are requested most in an Apache access
log.

Exit status:
  0  published; with --wait-for: the snapshot is published; with --from-log: the
     answers are loaded
  1  something else went wrong, or it was not finished within --timeout
  2  the command line or the configuration is wrong
  3  nothing new; with --wait-for: the snapshot did not appear within --timeout
  4  published, but some answers could not be loaded
  5  the proxy could not be reached
  6  the proxy could not reach the database within --timeout

` + precedence,
		Example: `  xcri-proxy warm
  xcri-proxy warm --wait-for 2025-10-27 --timeout 2h --quiet
  xcri-proxy warm --accept
  xcri-proxy warm --from-log /var/log/apache2/access.log --top 500
  zcat access.log.*.gz | xcri-proxy warm --from-log - --json`,
		Args: noArgs,
	}
	var f warmFlags
	flags := cmd.Flags()
	flags.StringVar(&f.waitFor, "wait-for", "", "wait until the snapshot of this `date` is published")
	flags.DurationVar(&f.since, "since", 0, "count a publish of the last `duration` as new: the proxy may be faster than the script")
	flags.StringArrayVar(&f.logs, "from-log", nil, "also load the targets in this access log `file`, in the common or combined format, - for stdin; may be repeated")
	flags.IntVar(&f.top, "top", 500, "how many targets to take from the logs, the most requested ones")
	flags.BoolVar(&f.accept, "accept", false, "publish the database's state although it looks like an import that has not ended")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Minute, "longest wait in all")
	flags.BoolVar(&f.json, "json", false, "print the summary as JSON")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing, only set the exit status")
	at := addClientFlags(cmd, "BASE_PATH")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		c, cfg, err := p.client(cmd, *at, 0)
		if err != nil {
			return err
		}
		return p.warm(cmd.Context(), c, cfg, f)
	}
	return cmd
}

func (f warmFlags) check() error {
	if _, err := time.Parse(time.DateOnly, f.waitFor); err != nil && f.waitFor != "" {
		return fmt.Errorf("--wait-for %q: want a date as in 2025-10-27", f.waitFor)
	}
	switch {
	case f.top < 1 || f.top > 10_000:
		return errors.New("--top: want a number from 1 to 10000")
	case f.timeout <= 0:
		return errors.New("--timeout: must be longer than nothing")
	case f.json && f.quiet:
		return errors.New("--json and --quiet exclude each other")
	}
	return nil
}

// warm runs the warm-up and prints the summary.
func (p *program) warm(ctx context.Context, c *adminclient.Client, cfg config.Config, f warmFlags) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	w := &warmer{Client: c, flags: f, progress: newProgress(p.stderr, isTerminal(p.stderr), f.quiet)}
	if len(f.logs) > 0 {
		log, err := readLogs(f.logs, cfg.BasePath, p.stdin)
		if err != nil {
			return err
		}
		w.summary.Log, w.paths = log, log.Top(f.top)
	}
	err := w.run(ctx)
	w.progress.end()
	s := &w.summary
	s.Result = results[statusOf(err)]
	s.complete()
	if err != nil {
		s.Error = err.Error()
	}
	switch {
	case f.json:
		if printErr := printJSON(p.stdout, s); printErr != nil {
			return runtimeError{error: printErr}
		}
	case !f.quiet:
		s.print(p.stdout)
	}
	if f.quiet || f.json || statusOf(err) == exitNothingNew {
		return reported(err)
	}
	return err
}

// results are the words for the exit statuses.
var results = map[int]string{
	0: "published", exitRuntime: "failed", exitUsage: "failed", exitNothingNew: "nothing_new", exitPartly: "partly_failed",
	exitUnreachable: "proxy_unreachable", exitNoDatabase: "database_unreachable",
}

// warmer waits for a warm-up.
type warmer struct {
	*adminclient.Client
	flags    warmFlags
	paths    []string // to warm in addition to the warm set
	keys     int      // of the paths
	progress *progress
	before   *api.WarmState
	summary  warmSummary
}

// run requests polls until the wanted generation is published. The error has the
// exit status.
func (w *warmer) run(ctx context.Context) error {
	for failures := 0; ; {
		state, err := w.look(ctx)
		switch {
		case ctx.Err() != nil:
			return w.late()
		case statusOf(err) == exitUnreachable && w.before != nil && failures < patience:
			failures++
			w.progress.say("%v; trying again", err)
		case err != nil:
			return err
		case state.LookError != "":
			failures = 0
			w.progress.say("the proxy could not publish: %s; trying again", state.LookError)
		case w.flags.waitFor != "" && (state.HasSnapshot == nil || !*state.HasSnapshot):
			failures = 0
			w.progress.say("no snapshot %s yet; the newest is %s", w.flags.waitFor, orNone(state.Snapshot))
		default:
			return w.judge(state)
		}
		select {
		case <-ctx.Done():
			return w.late()
		case <-time.After(lookEvery):
		}
	}
}

// look requests one poll and returns the state once it has ended.
func (w *warmer) look(ctx context.Context) (state *api.WarmState, err error) {
	if w.before == nil {
		before, err := w.state(ctx)
		if err != nil {
			return nil, err
		}
		w.before = before
	}
	ticket, err := w.post(ctx)
	if err != nil {
		return nil, err
	}
	var latest int64
	for {
		state, err := w.state(ctx)
		switch {
		case err != nil:
			return nil, err
		case state.Looked >= ticket:
			return state, nil
		case state.Looked < latest: // the proxy has restarted and lost the ticket
			return nil, w.Gone("the proxy was restarted")
		}
		latest = state.Looked
		if state.Warming {
			w.progress.show(state)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

// post requests a poll. Paths beyond the limit of a request are sent in earlier
// requests for the same poll.
func (w *warmer) post(ctx context.Context) (ticket int64, err error) {
	keys, ignored := 0, 0
	for rest := w.paths; ; {
		n, size := 0, 0
		for n < len(rest) && n < batchPaths && (n == 0 || size+len(rest[n]) < batchBytes) {
			size += len(rest[n]) + len(`"",`)
			n++
		}
		q := api.WarmRequest{Paths: rest[:n], Later: n < len(rest), Accept: w.flags.accept && n == len(rest)}
		rest = rest[n:]
		answer, err := w.Warm(ctx, q)
		if err != nil {
			return 0, err
		}
		keys += answer.Keys
		ignored += len(answer.Ignored)
		if q.Later {
			continue
		}
		w.keys = keys
		if w.summary.Log != nil {
			w.summary.Log.Keys, w.summary.Log.Ignored = keys, ignored
		}
		return answer.Ticket, nil
	}
}

// state requests the state of the warm-up.
func (w *warmer) state(ctx context.Context) (*api.WarmState, error) {
	state, err := w.WarmState(ctx, w.flags.waitFor)
	if err != nil {
		return nil, err
	}
	w.summary.state = &state
	return &state, nil
}

// judge returns the result of a successful poll.
func (w *warmer) judge(s *api.WarmState) error {
	isNew := s.Current != w.before.Current || w.before.Published == 0 || w.keys > 0 ||
		s.PublishedAt != nil && time.Since(*s.PublishedAt) < w.flags.since
	switch {
	case isNew && s.Failed > 0:
		w.summary.published(s)
		return runtimeError{error: fmt.Errorf("%d of %d answers could not be loaded; the last: %s", s.Failed, s.Keys, s.Error), status: exitPartly}
	case isNew:
		w.summary.published(s)
		return nil
	case w.flags.waitFor != "":
		return nil // the snapshot existed before
	}
	return runtimeError{error: errors.New("nothing new"), status: exitNothingNew}
}

// late returns the reason for the timeout.
func (w *warmer) late() error {
	s := w.summary.state
	problem := func(status int, format string, args ...any) error {
		return runtimeError{error: fmt.Errorf(format, args...), status: status}
	}
	switch {
	case s == nil:
		return w.Gone("no answer within " + w.flags.timeout.String())
	case s.DownSince != nil:
		return problem(exitNoDatabase, "the proxy has not reached the database since %s: %s", s.DownSince.Local().Format(time.DateTime), orNone(s.LookError))
	case s.Held != "":
		return problem(exitRuntime, "the database's data is held back, as it looks like half an import: %s; warm --accept publishes it", s.Held)
	case s.LookError != "":
		return problem(exitRuntime, "nothing could be published within %s: %s", w.flags.timeout, s.LookError)
	case s.Warming:
		return problem(exitRuntime, "not finished within %s: %d of %d answers done", w.flags.timeout, s.Done, s.Keys)
	case w.flags.waitFor != "":
		return problem(exitNothingNew, "no snapshot %s within %s", w.flags.waitFor, w.flags.timeout)
	}
	return problem(exitRuntime, "the proxy did not look within %s", w.flags.timeout)
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
