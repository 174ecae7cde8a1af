// Command xcri-demo runs the proxy on sample data, with a database of its own in
// memory, on a machine that has nothing but Go:
//
//	go run -C cmd/xcri-demo .
//
// With --members 3 it runs three proxies that work as one, with a Redis if one is installed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/lewistv/xcri-proxy/cmd/internal/app"
	"github.com/lewistv/xcri-proxy/config"
)

// usualAddr is the default listening address. If it is taken, a free port is used.
const usualAddr = "127.0.0.1:8000"

// The paths that are no JSON: the page for operators, and a preview of the page that
// visitors get in maintenance mode.
const opsRoom, noticePreview = "/cache/", "/cache/maintenance/preview"

// pages are the requests that the demo suggests, below the API's root.
var pages = []struct{ name, path string }{
	{"ops room", opsRoom},
	{"maintenance page", noticePreview},
	{"athletes of a division", "/athletes/?season_year=2025&division=2030&gender=M&limit=25"},
	{"search by name", "/athletes/?season_year=2025&search=O%27B"},
	{"one athlete", "/athletes/12002064?season_year=2025"},
	{"teams", "/teams/?season_year=2025&division=2030&gender=F"},
	{"team knockout", "/team-knockout/?rank_group_fk=2030&gender_code=M"},
	{"matchups of a team", "/team-knockout/matchups?team_id=20045&rank_group_fk=2030"},
	{"newest calculations", "/metadata/latest"},
	{"snapshots", "/snapshots/"},
	{"health", "/health"},
	{"statistics", "/cache/stats"},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Without the handler a second signal ends the process immediately.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "xcri-demo:", err)
		os.Exit(1)
	}
}

// errUsage is the error of an invalid command line, which the flag package has
// reported.
var errUsage = errors.New("wrong command line")

// options holds the values of the command line.
type options struct {
	listen  string // empty = the usual address, or a free port
	members int    // proxies
	verbose bool
}

func parse(args []string, stderr io.Writer) (opts options, err error) {
	flags := flag.NewFlagSet("xcri-demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.listen, "listen", "", "`address` to serve on (default "+usualAddr+", or a free port if that is taken)")
	flags.IntVar(&opts.members, "members", 1, "run this `number` of proxies, which share their answers in a Redis if redis-server or valkey-server is installed")
	flags.BoolVar(&opts.verbose, "v", false, "show the logs of the proxy and of the database")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return opts, err
		}
		return opts, errUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "xcri-demo takes no arguments, but there is %q\n", flags.Args())
		return opts, errUsage
	}
	if opts.listen != "" && !isAddr(opts.listen) {
		fmt.Fprintf(stderr, "-listen %q: want host:port, such as %s, with a port from 0 to 65535\n", opts.listen, usualAddr)
		return opts, errUsage
	}
	if opts.members < 1 || opts.members > mostMembers {
		fmt.Fprintf(stderr, "-members must be from 1 to %d\n", mostMembers)
		return opts, errUsage
	}
	return opts, nil
}

// isAddr reports whether a text is a host, which may be empty, and the number of a port.
func isAddr(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// run serves the demo until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opts, err := parse(args, stderr)
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	logrus.SetOutput(io.Discard) // the database logs every connection
	if opts.verbose {
		level = slog.LevelDebug
		logrus.SetOutput(stderr)
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))

	fmt.Fprintln(stdout, "Starting an in-memory database ...")
	began := time.Now()
	db, err := startDatabase()
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Fill(ctx, func(table string) { fmt.Fprintf(stdout, "Loading %s ...\n", table) }); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it was ready
		}
		return fmt.Errorf("load the sample data: %w", err)
	}
	f, err := newFleet(db, opts, log)
	if err != nil {
		return err
	}
	defer f.close()
	fmt.Fprintf(stdout, "Ready after %.1f s, with an in-memory database on %s:%d.\n\n", time.Since(began).Seconds(), db.Host, db.Port)
	for _, p := range pages {
		fmt.Fprintf(stdout, "  %-23s %s%s\n", p.name, f.bases[0], p.path)
	}
	f.describe(stdout)
	fmt.Fprintln(stdout, "\nCtrl-C stops it.")
	err = f.run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		return nil // stopped while a browser's connection was open
	}
	return err
}

// newApp returns the proxy on db, listening, and the URL of its API. An empty listen
// means usualAddr, or any free port if that is taken. shared is the address of the level
// that several proxies share; empty for none.
func newApp(db *database, listen, shared string, log *slog.Logger) (*app.App, string, error) {
	if listen != "" {
		return newAppOn(db, listen, shared, log)
	}
	a, base, err := newAppOn(db, usualAddr, shared, log)
	if errors.Is(err, syscall.EADDRINUSE) {
		return newAppOn(db, "127.0.0.1:0", shared, log)
	}
	return a, base, err
}

func newAppOn(db *database, addr, shared string, log *slog.Logger) (*app.App, string, error) {
	cfg, err := config.Load(map[string]string{
		"LISTEN_ADDR":       addr,
		"DATABASE_HOST":     db.Host,
		"DATABASE_PORT":     strconv.Itoa(db.Port),
		"DATABASE_NAME":     databaseName,
		"DATABASE_USER":     databaseUser,
		"DATABASE_PASSWORD": "",
		"LEGACY_URL":        "",
		"SHARED_CACHE":      shared,
		// A browser keeps idle connections open, which would delay the shutdown.
		"SHUTDOWN_TIMEOUT": "2s",
		// The database is much slower than a real one, and shares the machine with all
		// other programs.
		"DATABASE_STATEMENT_TIMEOUT": "1m",
		"FILL_TIMEOUT":               "2m",
		"WAIT_TIMEOUT":               "2m",
		"SLOW_REQUEST":               "0s",
		"SLOW_FILL":                  "0s",
	}, noEnv)
	if err != nil {
		return nil, "", err
	}
	a, err := app.New(cfg, app.Program{Version: "demo"}, log)
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "listen" { // the proxy has another flag
		return nil, "", fmt.Errorf("-listen %s: %w", addr, op.Err)
	}
	if err != nil {
		return nil, "", err
	}
	return a, "http://" + a.Addr().String(), nil
}

// noEnv is an empty environment: a setting for a real proxy, such as DATABASE_SOCKET,
// would connect the demo to another database.
func noEnv(string) (string, bool) { return "", false }
