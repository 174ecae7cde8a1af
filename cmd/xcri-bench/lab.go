package main

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
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
)

// inMemory is a file system in memory.
const inMemory = "/dev/shm"

// lab is the environment that all measurements share.
type lab struct {
	settings
	dir     string // in a file system in memory
	db      *mariadb.Server
	root    *sql.DB
	proxy   string // the program
	bare    string // the program
	reports report
	undoTCP func() error
}

// open creates a lab: programs, data, and a database. The caller must close it.
func open(ctx context.Context, s settings) (_ *lab, err error) {
	if runtime.NumCPU() < 2 {
		return nil, errors.New("two cores are needed: one for a server and one for its load")
	}
	if err := manyFiles(); err != nil {
		return nil, err
	}
	l := &lab{settings: s}
	if l.dir, err = os.MkdirTemp(inMemory, "xcri-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.undoTCP, err = useCubic(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{install, l.build, l.startDatabase} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// manyFiles raises the limit on open files for the started programs, which need a file
// for each of thousands of connections. Go's own increase is not inherited.
func manyFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

func (l *lab) close() {
	if l.root != nil {
		l.root.Close()
	}
	if l.db != nil {
		l.db.Close()
	}
	if l.undoTCP != nil {
		if err := l.undoTCP(); err != nil {
			progress("TCP stays as it was measured: %v", err)
		}
	}
	os.RemoveAll(l.dir)
}

// programs lists the required programs and their Debian packages.
var programs = [][2]string{
	{"nginx", "nginx"}, {"varnishd", "varnish"}, {"gcc", "gcc"}, {"gcc", "libc6-dev"}, {"wrk", "wrk"}, {"taskset", "util-linux"},
	{"python3", "python3"}, {"mariadbd", "mariadb-server"}, {"mariadb", "mariadb-client"},
}

// install installs missing packages without starting their services.
func install(ctx context.Context) error {
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	os.Setenv("DEBIAN_FRONTEND", "noninteractive")
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p[0]); err != nil {
			missing = append(missing, p[1])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintln(os.Stderr, "installing", strings.Join(missing, ", "), "...")
	if _, err := command(ctx, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return withoutServices(func() error {
		_, err := command(ctx, "apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)...)
		return err
	})
}

// withoutServices prevents packages from starting services while f runs.
// Source: invoke-rc.d(8).
func withoutServices(f func() error) error {
	const policy = "/usr/sbin/policy-rc.d"
	if _, err := os.Stat(policy); err == nil {
		return f() // the machine has a policy of its own
	}
	if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
		return err
	}
	defer os.Remove(policy)
	return f()
}

func (l *lab) build(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "building ...")
	l.proxy, l.bare = filepath.Join(l.dir, "xcri-proxy"), filepath.Join(l.dir, "bare")
	_, err := command(ctx, "go", "build", "-o", l.proxy, "./cmd/xcri-proxy")
	_, err2 := command(ctx, "go", "build", "-o", l.bare, "./cmd/xcri-bench/bare")
	return errors.Join(err, err2)
}

// startDatabase starts a server with generated data of production's size.
func (l *lab) startDatabase(ctx context.Context) (err error) {
	data := l.data
	if data == "" {
		data = filepath.Join(l.dir, "data")
		defer os.RemoveAll(data)
	}
	files, _ := filepath.Glob(filepath.Join(data, "*.tsv"))
	if len(files) == 0 {
		fmt.Fprintln(os.Stderr, "generating 467,000 athlete rows ...")
		if _, err := command(ctx, "python3", "testdata/contract/generate.py", data, "--size", "full"); err != nil {
			return err
		}
		files, _ = filepath.Glob(filepath.Join(data, "*.tsv"))
	}
	if l.db, err = mariadb.Start(mariadb.Options{Empty: true}); err != nil {
		return err
	}
	if l.root, err = l.db.Root(mariadb.Database); err != nil {
		return err
	}
	l.root.SetMaxOpenConns(1)
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
		if err := l.sql(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// sql runs a statement in the mariadb client and discards its output.
func (l *lab) sql(ctx context.Context, statement string) error {
	cmd := exec.CommandContext(ctx, "mariadb", "--no-defaults", "--local-infile=1", "-uroot", "-S", l.db.Socket, mariadb.Database, "-e", statement)
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("mariadb: %w\n%s", err, errs.String())
	}
	return nil
}

// status returns a status counter of the database.
func (l *lab) status(ctx context.Context, name string) (n int64, err error) {
	err = l.root.QueryRowContext(ctx, "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = ?", name).Scan(&n)
	return n, err
}

// startProxy starts the proxy of this checkout on the database, with the given and the
// standard settings, and waits for its warm set.
func (l *lab) startProxy(ctx context.Context, core string, env ...string) (*service, error) {
	env = append([]string{"LOG_LEVEL=warn", "LISTEN_ADDR=" + proxyAddr, "DATABASE_SOCKET=" + l.db.Socket, "DATABASE_NAME=" + mariadb.Database,
		"DATABASE_USER=" + mariadb.Reader, "DATABASE_PASSWORD=" + mariadb.Password}, env...)
	s, err := launch(ctx, names[ours], proxyAddr, core, env, l.proxy, "serve")
	if err != nil {
		return nil, err
	}
	if err := s.await(ctx, func() bool { return settled(ctx) }); err != nil {
		s.stop()
		return nil, fmt.Errorf("wait for the warm set: %w", err)
	}
	return s, nil
}

// settled reports whether the warm set is published with all variants: the cache
// grows until all bodies are compressed.
func settled(ctx context.Context) bool {
	before, err := readStats(ctx)
	if err != nil || before.Generation.Warm.Published == 0 || before.Generation.Warm.Warming {
		return false
	}
	time.Sleep(300 * time.Millisecond)
	after, err := readStats(ctx)
	return err == nil && after.Cache.Bytes == before.Cache.Bytes && after.Cache.Entries == before.Cache.Entries
}
