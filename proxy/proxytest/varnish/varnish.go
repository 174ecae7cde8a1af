// Package varnish starts a Varnish for a test in a temporary folder, on a loopback port,
// and stops it when the test ends.
package varnish

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest/need"
)

// patience covers the compilation of the configuration on a busy machine.
const patience = time.Minute

// Server is a running Varnish.
type Server struct {
	URL string // http://127.0.0.1:port
	dir string
}

// Start runs a Varnish with a configuration at an address until the test ends. Without an
// installed Varnish the test is skipped, or fails in CI.
func Start(t testing.TB, addr, vcl string) *Server {
	t.Helper()
	bin := need.Program(t, "varnishd", "varnish")
	need.Program(t, "gcc", "gcc")
	dir, err := os.MkdirTemp("", "xcri-varnish-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "conf.vcl")
	if err := os.WriteFile(file, []byte(vcl), 0o644); err != nil {
		t.Fatal(err)
	}
	// Varnish runs as the account of the test. It ends with the test process.
	cmd := exec.Command(bin, "-F", "-j", "none", "-n", filepath.Join(dir, "work"), "-a", addr, "-f", file, "-s", "malloc,64m")
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
			t.Logf("Varnish: %s", output.String())
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatalf("Varnish has ended: %s", output.String())
		default:
		}
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return &Server{URL: "http://" + addr, dir: dir}
		}
		if time.Now().After(deadline) {
			t.Fatalf("Varnish does not answer: %s", output.String())
		}
	}
}

// Counter returns a counter of varnishstat, such as MAIN.cache_hit.
func (s *Server) Counter(t testing.TB, name string) int64 {
	t.Helper()
	out, err := exec.Command("varnishstat", "-n", filepath.Join(s.dir, "work"), "-1", "-f", name).CombinedOutput()
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
