// Package preflight checks a host before the proxy serves there, or after: the
// settings, the shared level of a fleet, the database and its account, the site, the old
// API, the machine, and a rehearsal with a proxy of its own. Each check is a function with
// a name, and ends in a row with a verdict, a reason and a remedy.
package preflight

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/internal/app"
	"github.com/lewistv/xcri-proxy/cmd/internal/console"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/config"
	"github.com/lewistv/xcri-proxy/store"
)

// Options are the flags of preflight.
type Options struct {
	MaxP95   time.Duration // of the answers of the rehearsal
	Requests int           // of the rehearsal; zero leaves out the measurement
	Verify   int           // answers compared with the old API; zero leaves out the comparison
	Quick    bool          // leaves out the rehearsal
	Timeout  time.Duration // of all checks
	JSON     bool
	Quiet    bool
	Version  string // of this program
}

// Check validates the flags.
func (f Options) Check() error {
	switch {
	case f.MaxP95 < time.Microsecond:
		return errors.New("--max-p95: want a duration above zero, such as 200ms")
	case f.Requests < 0 || f.Requests > 1_000_000:
		return errors.New("--requests: want a number from 0 to 1000000")
	case f.Verify < 0 || f.Verify > 10_000:
		return errors.New("--verify: want a number from 0 to 10000")
	case f.Timeout < time.Second:
		return errors.New("--timeout: want at least 1s")
	case f.JSON && f.Quiet:
		return errors.New("--json and --quiet exclude each other")
	}
	return nil
}

// check is one row of the checklist.
type check struct {
	name  string
	needs string // a check whose no-go skips this check; empty means none
	run   func(*inspection, context.Context) finding
}

// inspection is the state that the checks share.
type inspection struct {
	flags     Options
	cfg       config.Config
	store     *store.Store
	capacity  store.Capacity // once connections has read it
	rehearsal *rehearsal     // nil before the warm-up
}

// checklist holds the checks in their order. A check uses the results of the checks
// before it.
var checklist = []check{
	{"settings", "", checkSettings},
	{"files", "", checkFiles},
	{"site", "", checkSite},
	{"memory", "", checkMemory},
	{"open files", "", checkOpenFiles},
	{"listen address", "", checkListen},
	{"shared level", "", checkSharedLevel},
	{"database", "", checkDatabase},
	{"server version", "database", checkVersion},
	{"rights", "database", checkRights},
	{"connections", "database", checkConnections},
	{"session", "database", checkSession},
	{"cancellation", "database", checkCancel},
	{"tables", "database", checkTables},
	{"columns", "tables", checkColumns},
	{"changes", "tables", checkChanges},
	{"poll", "tables", checkPoll},
	{"old API", "", checkOldAPI},
	{"warm-up", "columns", checkWarmUp},
	{"verify", "warm-up", checkVerify},
	{"latency", "warm-up", checkLatency},
}

// Run makes all checks with the settings of serve and prints a row for each. Its error
// has exit status 1 if any row is a no-go.
func Run(ctx context.Context, cfg config.Config, f Options, std console.Streams) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // so that a second signal ends it immediately
	ctx, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	database, err := app.OpenStore(cfg.Database, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer database.Close()
	i := &inspection{flags: f, cfg: cfg, store: database}
	defer i.endRehearsal()
	report := &Report{Version: f.Version, Rows: []Row{}}
	printing := !f.JSON && !f.Quiet
	for _, c := range checklist {
		row := i.examine(ctx, c, report)
		report.add(row)
		if printing {
			row.print(std.Out)
		}
	}
	report.judge()
	switch {
	case f.JSON:
		if err := console.JSON(std.Out, report); err != nil {
			return exit.Wrap(exit.Runtime, err)
		}
	case printing:
		fmt.Fprintf(std.Out, "\n%s\n", report.summary())
	}
	if report.NoGo > 0 {
		return exit.Silent
	}
	return nil
}

// examine makes one check, unless a check that it needs has failed.
func (i *inspection) examine(ctx context.Context, c check, before *Report) Row {
	row := Row{Check: c.name}
	begun := time.Now()
	switch {
	case c.needs != "" && before.stopped(c.needs):
		row.finding = skip("needs: %s", c.needs)
	case ctx.Err() != nil:
		row.finding = noGo("raise --timeout", "not checked within %v", i.flags.Timeout)
	default:
		row.finding = c.run(i, ctx)
	}
	row.Seconds = time.Since(begun).Seconds()
	return row
}
