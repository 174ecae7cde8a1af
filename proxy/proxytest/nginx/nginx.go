// Package nginx starts an nginx for a test in a temporary folder, on a free loopback
// port, and stops it when the test ends.
package nginx

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/daemon"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

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
	dir, addr := daemon.Folder(t, 0o777), port.Address(t)
	file, log := filepath.Join(dir, "nginx.conf"), filepath.Join(dir, "error.log")
	if err := os.WriteFile(file, []byte(config(dir, conf(dir, addr))), 0o644); err != nil {
		t.Fatal(err)
	}
	daemon.Start(t, daemon.Program{
		Path: bin, Args: []string{"-p", dir, "-e", log, "-c", file},
		Logs: []string{log}, Ready: daemon.Listens("tcp", addr),
	})
	return "http://" + addr
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
