package machine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// ManyFiles raises the limit on open files for the started programs, which need a file
// for each of thousands of connections. Go's own increase is not inherited.
func ManyFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// programs lists the required programs and their Debian packages.
var programs = [][2]string{
	{"nginx", "nginx"}, {"varnishd", "varnish"}, {"gcc", "gcc"}, {"gcc", "libc6-dev"}, {"wrk", "wrk"}, {"taskset", "util-linux"},
	{"python3", "python3"}, {"mariadbd", "mariadb-server"}, {"mariadb", "mariadb-client"},
	{"redis-server", "redis-server"}, {"redis-cli", "redis-tools"},
}

// Install installs missing packages without starting their services.
func Install(ctx context.Context) error {
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
	if _, err := Command(ctx, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return withoutServices(func() error {
		_, err := Command(ctx, "apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, missing...)...)
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
