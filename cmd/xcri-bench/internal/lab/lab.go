// Package lab is the environment that all measurements share: programs, data, a
// database and the report.
package lab

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/ask"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/neighbours"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/report"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/rounds"
	"github.com/lewistv/xcri-proxy/store/storetest"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// inMemory is a file system in memory.
const inMemory = "/dev/shm"

// Lab is the environment that all measurements share.
type Lab struct {
	rounds.Plan
	Reports report.Report
	Why     bool    // describe the system calls and the profile of each server that is compared
	Dir     string  // in a file system in memory
	Root    *sql.DB // connections to the database as its administrator
	Proxy   string  // file of the program
	Bare    string  // file of the program

	data    string // folder of the generated data; empty means to generate it anew
	db      *mariadb.Server
	undoTCP func() error
	version int // of the last import
}

// Options configure a lab.
type Options struct {
	Plan rounds.Plan
	Why  bool   // describe the system calls and the profile of each server that is compared
	Data string // folder that keeps the generated data from run to run; empty means none
}

// Open creates a lab: programs, data, and a database. The caller must close it.
func Open(ctx context.Context, opts Options) (_ *Lab, err error) {
	if runtime.NumCPU() < 2 {
		return nil, errors.New("two cores are needed: one for a server and one for its load")
	}
	if err := machine.ManyFiles(); err != nil {
		return nil, err
	}
	l := &Lab{Plan: opts.Plan, Why: opts.Why, data: opts.Data}
	if l.Dir, err = os.MkdirTemp(inMemory, "xcri-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.undoTCP, err = machine.UseCubic(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{machine.Install, l.build, l.startDatabase} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Close ends the database and removes the files.
func (l *Lab) Close() {
	if l.Root != nil {
		l.Root.Close()
	}
	if l.db != nil {
		l.db.Close()
	}
	if l.undoTCP != nil {
		if err := l.undoTCP(); err != nil {
			report.Progress("TCP stays as it was measured: %v", err)
		}
	}
	os.RemoveAll(l.Dir)
}

func (l *Lab) build(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "building ...")
	l.Proxy, l.Bare = filepath.Join(l.Dir, "xcri-proxy"), filepath.Join(l.Dir, "bare")
	_, err := machine.Command(ctx, "go", "build", "-o", l.Proxy, "./cmd/xcri-proxy")
	_, err2 := machine.Command(ctx, "go", "build", "-o", l.Bare, "./cmd/xcri-bench/bare")
	return errors.Join(err, err2)
}

// startDatabase starts a server with generated data of production's size.
func (l *Lab) startDatabase(ctx context.Context) (err error) {
	data := l.data
	if data == "" {
		data = filepath.Join(l.Dir, "data")
		defer os.RemoveAll(data)
	}
	files, _ := filepath.Glob(filepath.Join(data, "*.tsv"))
	if len(files) == 0 {
		fmt.Fprintln(os.Stderr, "generating 467,000 athlete rows ...")
		if _, err := machine.Command(ctx, "python3", "testdata/contract/generate.py", data, "--size", "full"); err != nil {
			return err
		}
		files, _ = filepath.Glob(filepath.Join(data, "*.tsv"))
	}
	if l.db, err = mariadb.Start(mariadb.Options{Empty: true}); err != nil {
		return err
	}
	if l.Root, err = l.db.Root(mariadb.Database); err != nil {
		return err
	}
	l.Root.SetMaxOpenConns(1)
	fmt.Fprintln(os.Stderr, "loading ...")
	statements, err := storetest.Schema()
	if err != nil {
		return err
	}
	for _, f := range files {
		table := strings.TrimSuffix(filepath.Base(f), ".tsv")
		statements = append(statements,
			fmt.Sprintf("LOAD DATA LOCAL INFILE '%s' INTO TABLE %s CHARACTER SET utf8mb4", f, table), "ANALYZE TABLE "+table)
	}
	for _, s := range statements {
		if err := l.SQL(ctx, s); err != nil {
			return err
		}
	}
	select {
	case <-time.After(settled):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// settled is longer than the default of SETTLE. A proxy that starts right after a change of the
// tables loads its warm set twice, the second time while it is measured.
const settled = 6 * time.Second

// SQL runs a statement in the mariadb client and discards its output.
func (l *Lab) SQL(ctx context.Context, statement string) error {
	cmd := exec.CommandContext(ctx, "mariadb", "--no-defaults", "--local-infile=1", "-uroot", "-S", l.db.Socket, mariadb.Database, "-e", statement)
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("mariadb: %w\n%s", err, errs.String())
	}
	return nil
}

// Status returns a status counter of the database.
func (l *Lab) Status(ctx context.Context, name string) (n int64, err error) {
	err = l.Root.QueryRowContext(ctx, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = ?", name).Scan(&n)
	return n, err
}

// StartProxy starts the proxy of this checkout on the database, with the given and the
// standard settings, and waits for its warm set.
func (l *Lab) StartProxy(ctx context.Context, core string, env ...string) (*machine.Service, error) {
	return l.start(ctx, machine.Program{Core: core, Env: env})
}

// StartInGroup does the same in a control group, which may be nil.
func (l *Lab) StartInGroup(ctx context.Context, group *machine.Group, env ...string) (*machine.Service, error) {
	return l.start(ctx, machine.Program{Group: group, Env: env})
}

// StartAt starts the proxy on an address and a core, as StartProxy does, but returns once it
// accepts connections.
func (l *Lab) StartAt(ctx context.Context, addr, core string, env ...string) (*machine.Service, error) {
	return l.launch(ctx, machine.Program{Addr: addr, Core: core, Env: env})
}

// launch starts the proxy on the address and the core, in the group and with the further
// settings of p.
func (l *Lab) launch(ctx context.Context, p machine.Program) (*machine.Service, error) {
	p.Env = append([]string{"LOG_LEVEL=warn", "LISTEN_ADDR=" + p.Addr, "DATABASE_SOCKET=" + l.db.Socket, "DATABASE_NAME=" + mariadb.Database,
		"DATABASE_USER=" + mariadb.Reader, "DATABASE_PASSWORD=" + mariadb.Password}, p.Env...)
	p.Name, p.Args = neighbours.Names[neighbours.Ours], []string{l.Proxy, "serve"}
	return machine.Launch(ctx, p)
}

// start launches p and waits for the warm set.
func (l *Lab) start(ctx context.Context, p machine.Program) (*machine.Service, error) {
	p.Addr = ask.ProxyAddr
	s, err := l.launch(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := s.Await(ctx, func() bool { return Settled(ctx, p.Addr) }); err != nil {
		s.Stop()
		return nil, fmt.Errorf("wait for the warm set: %w", err)
	}
	return s, nil
}

// KillDatabase ends the database without warning, until RestartDatabase.
func (l *Lab) KillDatabase() { l.db.Kill() }

// RestartDatabase starts the database again with its data.
func (l *Lab) RestartDatabase() error { return l.db.Run() }

// growsWithin is longer than the wait for a lull and the compression of the longest body.
const growsWithin = 1500 * time.Millisecond

// Settled reports whether the warm set is published with all variants: the cache
// grows until all bodies are compressed.
func Settled(ctx context.Context, addr string) bool {
	before, err := ask.StatsOf(ctx, addr)
	if err != nil || before.Generation.Warm.Published == 0 || before.Generation.Warm.Warming {
		return false
	}
	time.Sleep(growsWithin)
	after, err := ask.StatsOf(ctx, addr)
	return err == nil && after.Cache.Bytes == before.Cache.Bytes && after.Cache.Entries == before.Cache.Entries
}
