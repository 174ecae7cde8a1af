// Package nginx starts an nginx for a test in a temporary folder, on a free loopback
// port, and stops it when the test ends.
package nginx

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

const patience = 20 * time.Second

// Start runs an nginx whose server block contains conf, and returns its URL. If the
// test runs as root, the workers run as Debian's account for web servers. Without an
// installed nginx the test is skipped, or fails in CI.
func Start(t testing.TB, conf string) (url string) {
	t.Helper()
	return StartWith(t, func(_, addr string) string { return "server {\n\t\tlisten " + addr + ";\n\t\t" + conf + "\n\t}" })
}

// StartWith is like Start for a whole http block: conf returns its text for a folder that
// the workers may write to, and for the address to listen at.
func StartWith(t testing.TB, conf func(dir, addr string) string) (url string) {
	t.Helper()
	bin := need.Program(t, "nginx", "nginx-light")
	dir, err := os.MkdirTemp("", "xcri-nginx-") // for the account of the workers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(config(dir, conf(dir, addr))), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", filepath.Join(dir, "nginx.conf"))
	// nginx runs in its own process group, to be killed with its workers. It ends with
	// the test process, even if that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Logf("nginx: %s\n%s", output.String(), log)
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return "http://" + addr
		}
		if time.Now().After(deadline) {
			t.Fatalf("nginx does not answer: %v\n%s", err, output.String())
		}
	}
}

// config returns a complete configuration around the http block's.
func config(dir, conf string) string {
	user := ""
	if os.Geteuid() == 0 {
		user = "user www-data;\n"
	}
	return fmt.Sprintf(`%[1]sdaemon off;
worker_processes 1;
pid %[2]s/pid;
error_log %[2]s/error.log warn;
events {}
http {
	access_log off;
	client_body_temp_path %[2]s/body;
	proxy_temp_path %[2]s/proxy;
	fastcgi_temp_path %[2]s/fastcgi;
	uwsgi_temp_path %[2]s/uwsgi;
	scgi_temp_path %[2]s/scgi;
	%[3]s
}
`, user, dir, conf)
}
