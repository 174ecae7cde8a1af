package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/store/storetest/need"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
)

// TestShellcheck checks the scripts with shellcheck.
func TestShellcheck(t *testing.T) {
	need.Program(t, "shellcheck", "shellcheck")
	if out, err := exec.Command("shellcheck", "-s", "sh", "xcri-proxy.sh", "xcri-proxy.cgi").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// installed is a folder with the script and its files.
type installed struct {
	t         *testing.T
	dir, addr string
}

func install(t *testing.T) *installed {
	t.Helper()
	in := &installed{t, t.TempDir(), port.Address(t)}
	for _, cp := range [][2]string{{binary, "xcri-proxy"}, {"xcri-proxy.sh", "xcri-proxy.sh"}} {
		if out, err := exec.Command("cp", "-p", cp[0], in.path(cp[1])).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if err := os.WriteFile(in.path("xcri-proxy.env"), []byte(settings(t, in.addr, "SHUTDOWN_TIMEOUT=2s")), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.sh("stop")
		if t.Failed() {
			log, _ := os.ReadFile(in.path("xcri-proxy.log"))
			t.Logf("the proxy's log:\n%s", log)
		}
	})
	return in
}

func (in *installed) path(name string) string { return filepath.Join(in.dir, name) }

// sh runs the script and returns its exit status and output. The script must not keep
// its caller waiting.
func (in *installed) sh(args ...string) (int, string) {
	in.t.Helper()
	cmd := exec.Command("sh", append([]string{in.path("xcri-proxy.sh")}, args...)...)
	cmd.Dir = "/"
	cmd.WaitDelay = time.Minute // a process that the script leaves keeps the output open for ever
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || err == exec.ErrWaitDelay {
		in.t.Fatalf("%v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), strings.TrimSpace(string(out))
}

// expect runs the script, checks that the output contains the wanted texts, and
// returns the output.
func (in *installed) expect(status int, says string, args ...string) string {
	in.t.Helper()
	got, said := in.sh(args...)
	if got != status || !strings.Contains(said, says) {
		in.t.Fatalf("%v: status %d, %q; want %d, %q", args, got, said, status, says)
	}
	return said
}

func (in *installed) pid() int {
	in.t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(read(in.t, in.path("xcri-proxy.pid"))))
	if err != nil {
		in.t.Fatal(err)
	}
	return pid
}

func (in *installed) write(name, text string) {
	in.t.Helper()
	if err := os.WriteFile(in.path(name), []byte(text), 0o755); err != nil {
		in.t.Fatal(err)
	}
}

func (in *installed) awaitHealthy() {
	in.t.Helper()
	await(in.t, "the proxy is healthy", func() bool { status, _ := in.sh("status"); return status == 0 })
}

func TestScript(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.expect(2, "usage:")
	in.expect(2, "usage:", "begin")
	in.expect(3, "not running", "status")
	in.expect(0, "not running", "stop")

	in.expect(0, "started, process ", "start")
	in.awaitHealthy()
	first := in.pid()
	in.expect(0, "already running, process "+strconv.Itoa(first), "start")
	if in.pid() != first {
		t.Error("a second start has started another")
	}

	in.expect(0, "stopped", "restart")
	in.awaitHealthy()
	if in.pid() == first {
		t.Error("not restarted")
	}
	in.expect(0, "stopped", "stop")
	if _, err := (request{target: "/livez"}).send("http://" + in.addr); err == nil {
		t.Error("it goes on answering")
	}
	in.expect(3, "not running", "status")
	if status, said := in.sh("keep"); status != 0 || said != "" {
		t.Errorf("started although it was stopped by hand: %d %q", status, said)
	}
}

// TestScriptStartsOne holds that several concurrent starts leave one running proxy,
// which the script reports and stops.
func TestScriptStartsOne(t *testing.T) {
	t.Parallel()
	in := install(t)
	var starts sync.WaitGroup
	for range 4 {
		starts.Go(func() { exec.Command("sh", in.path("xcri-proxy.sh"), "keep").Run() })
	}
	starts.Wait()
	in.awaitHealthy()
	in.expect(0, "already running", "start")
	in.expect(0, "stopped", "stop")
	if _, err := (request{target: "/livez"}).send("http://" + in.addr); err == nil {
		t.Error("another goes on answering")
	}
}

// TestCrontab runs the lines for cron, with the paths of this machine.
func TestCrontab(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.write("access.log", "")
	lines := regexp.MustCompile(`(?m)^(?:@reboot|(?:[*0-9]+ +){5}) *(.+)$`).FindAllStringSubmatch(read(t, "crontab"), -1)
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	here := strings.NewReplacer("/home/ACCOUNT/xcri-proxy", in.dir, "/usr/local/bin/xcri-import", "true", "/var/log/apache2/access.log", in.path("access.log"))
	for _, line := range lines {
		if out, err := exec.Command("sh", "-c", here.Replace(line[1])).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", line[1], err, out)
		}
		in.awaitHealthy()
	}
}

// TestScriptKillsNothingElse holds that the script does not kill another process that
// has the ID in an outdated PID file.
func TestScriptKillsNothingElse(t *testing.T) {
	t.Parallel()
	in := install(t)
	other := exec.Command("sleep", "600")
	warm := exec.Command(in.path("xcri-proxy"), "warm", "--from-log", "-", "--listen-addr", in.addr) // reads on
	warm.Stdin = hanging(t)
	for _, cmd := range []*exec.Cmd{other, warm} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { cmd.Process.Kill(); cmd.Wait() }()
		in.write("xcri-proxy.pid", strconv.Itoa(cmd.Process.Pid)+"\n")
		in.expect(3, "not running", "status")
		in.expect(0, "not running", "stop")
		in.expect(0, "started", "start")
		in.expect(0, "stopped", "stop")
		if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("%v: %v", cmd.Args, err)
		}
	}
	for _, left := range []string{"", "none\n", "99999999\n", "-1\n", "1\n"} {
		in.write("xcri-proxy.pid", left)
		in.expect(3, "not running", "status")
		in.expect(0, "not running", "stop")
	}
	in.expect(0, "started", "start")
	exec.Command("kill", "-KILL", strconv.Itoa(in.pid())).Run()
	await(t, "it is dead", func() bool { status, _ := in.sh("status"); return status == 3 })
	in.expect(0, "started", "start")
}

// hanging returns an input that never ends.
func hanging(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r
}

func TestScriptReportsFailures(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.write("xcri-proxy.env", "LISTEN_ADDR=nowhere\n")
	in.expect(1, "LISTEN_ADDR", "start")
	other := startProxy(t)
	in.write("xcri-proxy.env", settings(t, other.addr))
	in.expect(1, "address already in use", "start")
	in.expect(3, "not running", "status")
	if err := os.Remove(in.path("xcri-proxy")); err != nil {
		t.Fatal(err)
	}
	in.expect(1, "is missing", "start")
}

// TestScriptKeepsTheLogShort holds that the script, run by cron every minute, limits
// the size of the log.
func TestScriptKeepsTheLogShort(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.write("xcri-proxy.log", strings.Repeat("a line\n", 1_500_000))
	in.expect(0, "started", "start")
	in.awaitHealthy()
	if size := len(read(t, in.path("xcri-proxy.log.1"))); size != 7*1_500_000 {
		t.Errorf("%d bytes kept", size)
	}
	if log := read(t, in.path("xcri-proxy.log")); len(log) > 10_000 || !strings.Contains(log, "serving") {
		t.Errorf("%d bytes: %.300s", len(log), log)
	}
}

// The log of a running proxy is rotated without a copy. The proxy continues in the new
// file, and no process keeps the old file open.
func TestScriptRotatesWithoutACopy(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.expect(0, "started", "start")
	in.awaitHealthy()
	log := in.path("xcri-proxy.log")
	for range 2 {
		f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(strings.Repeat("a line\n", 1_500_000))
		f.Close()
		before, err := os.Stat(log)
		if err != nil {
			t.Fatal(err)
		}
		in.expect(0, "already running", "keep")
		await(t, "the new log", func() bool {
			text, _ := os.ReadFile(log)
			return strings.Contains(string(text), "log file opened again")
		})
		if after, err := os.Stat(log + ".1"); err != nil || !os.SameFile(before, after) {
			t.Errorf("the old log was copied: %v", err)
		}
		for _, fd := range []string{"1", "2"} {
			if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", in.pid(), fd)); err != nil || to != log {
				t.Errorf("descriptor %s is %s, %v", fd, to, err)
			}
		}
	}
	// A proxy that does not open a new log can't fill the disk.
	in.write("xcri-proxy.log.1", strings.Repeat("a line\n", 3_000_000))
	in.expect(0, "already running", "keep")
	if size := len(read(t, log+".1")); size != 0 {
		t.Errorf("%d bytes are left in .1", size)
	}
}

// The binary may be a link, which refers to another version after an upgrade, and so
// may the script.
func TestScriptWithLinks(t *testing.T) {
	t.Parallel()
	in := install(t)
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(in.path(from), in.path(to)); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to string) {
		t.Helper()
		if err := os.Symlink(to, in.path("link")); err != nil {
			t.Fatal(err)
		}
		move("link", "xcri-proxy")
	}
	move("xcri-proxy", "xcri-proxy-1.0")
	link("xcri-proxy-1.0")
	in.expect(0, "started, process ", "start")
	in.awaitHealthy()
	first := in.pid()
	in.expect(0, "already running, process "+strconv.Itoa(first), "keep")

	in.write("xcri-proxy-1.1", read(t, in.path("xcri-proxy-1.0"))+"another")
	link("xcri-proxy-1.1")
	in.expect(0, "running, process "+strconv.Itoa(first), "status")
	in.expect(0, "took the place of "+strconv.Itoa(first), "upgrade")
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", in.pid())); err != nil || exe != in.path("xcri-proxy-1.1") {
		t.Errorf("it runs %s, %v", exe, err)
	}

	in.write("next", read(t, in.path("xcri-proxy-1.0"))+"a third")
	in.expect(0, "took the place of", "upgrade", in.path("next"))
	if to, err := os.Readlink(in.path("xcri-proxy.old")); err != nil || to != "xcri-proxy-1.1" {
		t.Errorf("the way back is %s, %v", to, err)
	}

	elsewhere := filepath.Join(t.TempDir(), "xcri")
	if err := os.Symlink(in.path("xcri-proxy.sh"), elsewhere); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", elsewhere, "stop").CombinedOutput(); err != nil || !strings.Contains(string(out), "stopped") {
		t.Errorf("through a link: %v\n%s", err, out)
	}
	in.expect(3, "not running", "status")
}

// TestScriptUpgrade holds that another binary takes over under load, through Apache,
// and every request is answered. A binary that does not run is not installed.
func TestScriptUpgrade(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.expect(0, "started", "start")
	in.awaitHealthy()
	server := vhost(t, in.addr)

	in.write("broken", "#!/bin/sh\nexit 1\n")
	in.expect(1, "nothing was changed", "upgrade", in.path("broken"))
	next := in.path("next")
	in.write("next", read(t, binary)+"another")
	load := startLoad(server.URL + base)
	load.awaitMore(t, 500)
	for range 3 {
		last := in.pid()
		in.expect(0, "took the place of "+strconv.Itoa(last), "upgrade", next)
		load.awaitMore(t, 500)
	}
	load.finish(t)
	runs, err := os.Stat(fmt.Sprintf("/proc/%d/exe", in.pid()))
	if want, _ := os.Stat(in.path("xcri-proxy")); err != nil || !os.SameFile(runs, want) || runs.Size() != int64(len(read(t, next))) {
		t.Errorf("it does not run the new binary, %v", err)
	}
	if out, err := exec.Command(in.path("xcri-proxy.old"), "version").CombinedOutput(); err != nil {
		t.Errorf("no way back: %v %s", err, out)
	}
	in.awaitHealthy()
	in.expect(0, "stopped", "stop")
}
