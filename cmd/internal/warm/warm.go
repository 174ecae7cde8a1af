// Package warm has a running proxy poll for new data, and waits until that is
// published.
package warm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
	"github.com/lewistv/xcri-proxy/cmd/internal/adminclient"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/proxy/admin/api"
)

const (
	// progressEvery is the interval between requests for the progress of a warm-up.
	// pollEvery is the interval between requests for another poll of the database.
	progressEvery = 200 * time.Millisecond
	pollEvery     = 3 * time.Second
	// patience limits the consecutive failures to reach a proxy that has answered before,
	// and may be restarting.
	patience = 5
	// batchPaths and batchBytes bound the paths of one request.
	batchPaths, batchBytes = 1000, 40 << 10
)

// Options are the flags of warm.
type Options struct {
	WaitFor string        // date of the snapshot to wait for; empty means any new data
	Since   time.Duration // a publish of this last period counts as new
	Logs    []string      // access logs whose targets are loaded too
	Top     int           // targets taken from the logs
	Accept  bool          // publish although the data resembles an unfinished import
	Local   bool          // only on this proxy of a fleet
	Season  bool          // wait until the season is filled, too
	Timeout time.Duration
	JSON    bool
	Quiet   bool
}

// Check validates the flags.
func (f Options) Check() error {
	if _, err := time.Parse(time.DateOnly, f.WaitFor); err != nil && f.WaitFor != "" {
		return fmt.Errorf("--wait-for %q: want a date as in 2025-10-27", f.WaitFor)
	}
	switch {
	case f.Top < 1 || f.Top > 10_000:
		return errors.New("--top: want a number from 1 to 10000")
	case f.Timeout <= 0:
		return errors.New("--timeout: want a duration above zero, such as 10m")
	case f.Since < 0:
		return errors.New("--since: want a duration from 0s on, such as 10m")
	case f.JSON && f.Quiet:
		return errors.New("--json and --quiet exclude each other")
	}
	return nil
}

// Run runs the warm-up of the proxy below the path base, and prints the summary.
func Run(ctx context.Context, c *adminclient.Client, base string, f Options, std console.Streams) error {
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	w := &warmer{Client: c, flags: f, progress: std.Progress(f.Quiet)}
	if len(f.Logs) > 0 {
		log, err := accesslog.ReadFiles(f.Logs, base, std.In)
		if err != nil {
			return exit.Wrap(exit.Runtime, err)
		}
		w.summary.Log, w.paths = log, log.Top(f.Top)
	}
	err := w.run(ctx)
	w.progress.End()
	s := &w.summary
	s.Result = results[exit.Status(err)]
	s.complete()
	if err != nil {
		s.Error = err.Error()
	}
	if !f.Quiet {
		std.Warn(s.Warning)
	}
	switch {
	case f.JSON:
		if printErr := console.JSON(std.Out, s); printErr != nil {
			return exit.Wrap(exit.Runtime, printErr)
		}
	case !f.Quiet:
		s.print(std.Out)
	}
	if f.Quiet || f.JSON || exit.Status(err) == exit.NothingNew {
		return exit.Reported(err)
	}
	return err
}

// results are the words for the exit statuses.
var results = map[int]string{
	0: "published", exit.Runtime: "failed", exit.Usage: "failed", exit.NothingNew: "nothing_new", exit.Partly: "partly_failed",
	exit.Unreachable: "proxy_unreachable", exit.NoDatabase: "database_unreachable",
}

// warmer waits for a warm-up.
type warmer struct {
	*adminclient.Client
	flags    Options
	paths    []string // to warm in addition to the warm set
	keys     int      // of the paths
	progress *console.Progress
	before   *api.WarmState
	summary  Summary
}

// run requests polls until the generation that the flags ask for is published. The error
// has the exit status.
func (w *warmer) run(ctx context.Context) error {
	for failures := 0; ; {
		state, err := w.poll(ctx)
		switch {
		case ctx.Err() != nil:
			return w.late()
		case exit.Status(err) == exit.Unreachable && w.before != nil && failures < patience:
			failures++
			w.progress.Say("%v; trying again", err)
		case err != nil:
			return err
		case state.LookError != "":
			failures = 0
			w.progress.Say("the proxy could not publish: %s; trying again", state.LookError)
		case w.flags.WaitFor != "" && (state.HasSnapshot == nil || !*state.HasSnapshot):
			failures = 0
			w.progress.Say("no snapshot %s yet; the newest is %s", w.flags.WaitFor, console.OrNone(state.Snapshot))
		default:
			err := w.judge(state)
			if failed := w.awaitSeason(ctx); err == nil || exit.Status(err) == exit.NothingNew && failed != nil {
				err = failed
			}
			return err
		}
		select {
		case <-ctx.Done():
			return w.late()
		case <-time.After(pollEvery):
		}
	}
}

// poll requests a poll of the database, and returns the state once the poll has ended.
func (w *warmer) poll(ctx context.Context) (state *api.WarmState, err error) {
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
			show(w.progress, state)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(progressEvery):
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
		q := api.WarmRequest{Paths: rest[:n], Later: n < len(rest), Accept: w.flags.Accept && n == len(rest), Local: w.flags.Local}
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
		w.keys, w.summary.Warning = keys, answer.Warning
		if w.summary.Log != nil {
			w.summary.Log.Keys, w.summary.Log.Ignored = keys, ignored
		}
		return answer.Ticket, nil
	}
}

// state requests the state of the warm-up.
func (w *warmer) state(ctx context.Context) (*api.WarmState, error) {
	state, err := w.WarmState(ctx, w.flags.WaitFor)
	if err != nil {
		return nil, err
	}
	w.summary.state = &state
	return &state, nil
}

// judge returns the result of a successful poll.
func (w *warmer) judge(s *api.WarmState) error {
	isNew := s.Current != w.before.Current || w.before.Published == 0 || w.keys > 0 ||
		s.PublishedAt != nil && time.Since(*s.PublishedAt) < w.flags.Since
	switch {
	case isNew && s.Failed > 0:
		w.summary.published(s)
		return exit.Errorf(exit.Partly, "%d of %d answers could not be loaded; the last: %s", s.Failed, s.Keys, s.Error)
	case isNew:
		w.summary.published(s)
		return nil
	case w.flags.WaitFor != "":
		return nil // the snapshot existed before
	case len(s.HeldTables) > 0 && !w.flags.Accept:
		return exit.Errorf(exit.Runtime, "changes of a table are held back, because they resemble an unfinished import: %s; if the rows are right, warm --accept publishes them", strings.Join(s.HeldTables, "; "))
	}
	return exit.Errorf(exit.NothingNew, "nothing new")
}

// late returns the reason for the timeout.
func (w *warmer) late() error {
	s := w.summary.state
	switch {
	case s == nil:
		return w.Gone("no answer within " + w.flags.Timeout.String())
	case s.DownSince != nil:
		return exit.Errorf(exit.NoDatabase, "the proxy has not reached the database since %s: %s", s.DownSince.Local().Format(time.DateTime), console.OrNone(s.LookError))
	case s.Held != "":
		return exit.Errorf(exit.Runtime, "the database's data is held back, because it resembles an unfinished import: %s; warm --accept publishes it", s.Held)
	case s.LookError != "":
		return exit.Errorf(exit.Runtime, "nothing could be published within %s: %s", w.flags.Timeout, s.LookError)
	case s.Warming:
		return exit.Errorf(exit.Runtime, "not finished within %s: %d of %d answers done", w.flags.Timeout, s.Done, s.Keys)
	case w.flags.WaitFor != "":
		return exit.Errorf(exit.NothingNew, "no snapshot %s within %s", w.flags.WaitFor, w.flags.Timeout)
	}
	return exit.Errorf(exit.Runtime, "the proxy did not poll the database within %s", w.flags.Timeout)
}

// show shows the progress of a warm-up.
func show(to *console.Progress, s *api.WarmState) {
	text := fmt.Sprintf("%d of %d answers, %s, %.1f s", s.Done, s.Keys, console.Bytes(s.Bytes), s.Seconds)
	if s.Failed > 0 {
		text += fmt.Sprintf(", %d failed", s.Failed)
	}
	to.Bar(s.Done, s.Keys, text)
}
