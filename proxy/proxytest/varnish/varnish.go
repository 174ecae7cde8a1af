// Package varnish starts a Varnish for a test in a temporary folder, on a loopback port,
// and stops it when the test ends.
package varnish

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lewistv/xcri-proxy/proxy/proxytest/daemon"
	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

// Server is a running Varnish.
type Server struct {
	URL  string // http://127.0.0.1:port
	work string // the folder by which varnishstat finds it
}

// Start runs a Varnish with a configuration at an address until the test ends. Without an
// installed Varnish the test is skipped, or fails in CI.
func Start(t testing.TB, addr, vcl string) *Server {
	t.Helper()
	bin := need.Program(t, "varnishd", "varnish")
	need.Program(t, "gcc", "gcc")
	dir := daemon.Folder(t, 0o700)
	file, work := filepath.Join(dir, "conf.vcl"), filepath.Join(dir, "work")
	if err := os.WriteFile(file, []byte(vcl), 0o644); err != nil {
		t.Fatal(err)
	}
	// Varnish runs as the account of the test.
	daemon.Start(t, daemon.Program{
		Path: bin, Args: []string{"-F", "-j", "none", "-n", work, "-a", addr, "-f", file, "-s", "malloc,64m"},
		Ready: daemon.Listens("tcp", addr),
	})
	return &Server{URL: "http://" + addr, work: work}
}

// Counter returns a counter of varnishstat, such as MAIN.cache_hit.
func (s *Server) Counter(t testing.TB, name string) int64 {
	t.Helper()
	out, err := exec.Command("varnishstat", "-n", s.work, "-1", "-f", name).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	fields := strings.Fields(string(out))
	if len(fields) < 2 || fields[0] != name {
		t.Fatalf("no counter %s: %s", name, out)
	}
	n, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
