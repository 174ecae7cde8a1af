package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lewistv/xcri-proxy/cache/snapshot"
	"github.com/lewistv/xcri-proxy/cmd/internal/exit"
	"github.com/lewistv/xcri-proxy/proxy/proxytest/children"
	"github.com/lewistv/xcri-proxy/store/storetest/mariadb"
	"github.com/lewistv/xcri-proxy/store/storetest/port"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// service is the real program as a sequence of processes.
type service struct {
	dir, program, envFile, pidFile, logFile, cacheFile string
	addr                                               string
	process                                            *os.Process
}

// newService returns a service that is not started yet, with its settings. The program
// is a copy of the program in the folder programs.
func newService(t *testing.T, programs string) *service {
	t.Helper()
	db := scratch.Server(t)
	dir := t.TempDir()
	s := &service{dir: dir, program: filepath.Join(dir, "xcri-proxy"), envFile: filepath.Join(dir, "env"),
		pidFile: filepath.Join(dir, "pid"), logFile: filepath.Join(dir, "log"), cacheFile: filepath.Join(dir, "cache")}
	if err := os.Link(filepath.Join(programs, "v1"), s.program); err != nil {
		t.Fatal(err)
	}
	s.addr = port.Address(t)
	s.configure(t, "LISTEN_ADDR="+s.addr, "CACHE_FILE="+s.cacheFile, "STATE_FILE="+filepath.Join(dir, "state"), "PID_FILE="+s.pidFile,
		"GENERATION_POLL=200ms", "LEGACY_URL=", "DATABASE_HOST="+db.Host, "DATABASE_PORT="+strconv.Itoa(db.Port),
		"DATABASE_NAME="+mariadb.Database, "DATABASE_USER="+mariadb.Reader, "DATABASE_PASSWORD="+mariadb.Password)
	t.Cleanup(func() {
		if s.process != nil {
			s.process.Kill()
			s.process.Wait()
		}
		if t.Failed() {
			t.Logf("its log:\n%s", s.log(t))
		}
	})
	return s
}

// TestReplace replaces a process by its successor in each supported way.
func TestReplace(t *testing.T) {
	programs := t.TempDir()
	for _, version := range []string{"v1", "v2"} {
		out, err := exec.Command("go", "build", "-o", programs, "-ldflags", "-X main.version="+version, ".").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		move(t, filepath.Join(programs, "xcri-proxy"), filepath.Join(programs, version))
	}
	t.Run("socket activation", func(t *testing.T) { testSocketActivation(t, newService(t, programs)) })
	t.Run("wrong sockets", func(t *testing.T) { testWrongSockets(t, newService(t, programs)) })
	t.Run("listeners", func(t *testing.T) { testListeners(t, newService(t, programs)) })
	t.Run("activated listeners", func(t *testing.T) { testActivatedListeners(t, newService(t, programs)) })
	t.Run("access log", func(t *testing.T) { testAccessLog(t, newService(t, programs)) })
	t.Run("hand-over", func(t *testing.T) { testHandOver(t, newService(t, programs), filepath.Join(programs, "v2")) })
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// configure writes the env file.
func (s *service) configure(t *testing.T, lines ...string) {
	t.Helper()
	if err := os.WriteFile(s.envFile, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start runs command, in which $0 is the program and $@ its arguments.
func (s *service) start(t *testing.T, command string, env []string, files ...*os.File) {
	t.Helper()
	log, err := os.OpenFile(s.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("sh", "-c", command, s.program, "serve", "--env-file", s.envFile)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, files
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = cmd.Process
}

func (s *service) log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.logFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// awaitLog returns once the log contains text the given number of times.
func (s *service) awaitLog(t *testing.T, text string, times int) {
	t.Helper()
	await(t, fmt.Sprintf("%d times %q in the log", times, text), func() bool { return strings.Count(s.log(t), text) >= times })
}

// stop ends the process and checks that it exits with status 0.
func (s *service) stop(t *testing.T) {
	t.Helper()
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.awaitEnd(t)
}

func (s *service) awaitEnd(t *testing.T) {
	t.Helper()
	state, err := s.process.Wait()
	s.process = nil
	if err != nil || !state.Success() {
		t.Fatalf("the end: %v, %v", state, err)
	}
}

// pid returns the process ID in the PID file, or 0.
func (s *service) pid() int {
	text, _ := os.ReadFile(s.pidFile)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// handOver triggers a hand-over and waits for the end of the old process.
func (s *service) handOver(t *testing.T) {
	t.Helper()
	old := s.process.Pid
	if err := s.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await(t, "another process", func() bool { return s.pid() != old && s.pid() != 0 })
	successor, err := os.FindProcess(s.pid())
	if err != nil {
		t.Fatal(err)
	}
	s.awaitEnd(t)
	s.process = successor
}

// refuse triggers a hand-over to an invalid successor, and checks that the process
// stays.
func (s *service) refuse(t *testing.T, why string) {
	t.Helper()
	before := s.log(t)
	if err := s.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.awaitLog(t, "hand-over failed", strings.Count(before, "hand-over failed")+1)
	if added := s.log(t)[len(before):]; !strings.Contains(added, why) {
		t.Errorf("no %q in\n%s", why, added)
	}
	if s.pid() != s.process.Pid {
		t.Errorf("the PID file holds %d, not %d", s.pid(), s.process.Pid)
	}
	if left := children.Of(t, s.process.Pid); len(left) > 0 {
		t.Errorf("children left: %+v", left)
	}
}

// warmPaths waits for the warm set and returns its paths with status 200. Their
// answers do not change afterwards.
func (s *service) warmPaths(t *testing.T) (paths []string) {
	t.Helper()
	s.awaitLog(t, "cache saved", 1)
	file, err := snapshot.Load(s.cacheFile, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, saved := range file.Entries {
		if saved.Status == http.StatusOK && saved.Key != "/health" {
			paths = append(paths, saved.Key)
		}
	}
	if len(paths) < 10 {
		t.Fatalf("few paths: %q", paths)
	}
	return paths
}

// version returns the version of the serving program.
func (s *service) version(t *testing.T) (stats struct {
	Version string `json:"version"`
}) {
	t.Helper()
	resp, err := http.Get("http://" + s.addr + "/cache/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(text, &stats)
	}
	if err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	return stats
}

// files returns the number of a process's open files other than connections, and of
// its descriptors of the listening socket.
func files(t *testing.T, pid int) (others, listeners int) {
	t.Helper()
	listening := map[string]bool{}
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" { // LISTEN
			listening["socket:["+f[9]+"]"] = true
		}
	}
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		switch target, err := os.Readlink(link); {
		case err == nil && listening[target]:
			listeners++
		case err == nil && !strings.HasPrefix(target, "socket:"):
			others++
		}
	}
	return others, listeners
}

// adoptOrphans makes this process the parent of successors whose parent has ended, so
// that it can wait for them.
func adoptOrphans(t *testing.T) {
	t.Helper()
	const setChildSubreaper = 36
	if _, _, err := syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); err != 0 {
		t.Fatal(err)
	}
}

// testSocketActivation holds that no client is affected when a proxy with a socket of
// systemd is stopped and started five times. The test simulates systemd.
func testSocketActivation(t *testing.T, s *service) {
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(s.dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	expect := func(want string) {
		t.Helper()
		told.SetReadDeadline(time.Now().Add(20 * time.Second))
		b := make([]byte, 300)
		n, err := told.Read(b)
		for err == nil && bytes.HasPrefix(b[:n], []byte("STATUS=")) { // any number of them
			n, err = told.Read(b)
		}
		if string(b[:n]) != want {
			t.Fatalf("systemd was notified of %q, %v; want %s", b[:n], err, want)
		}
	}
	activate := func() {
		t.Helper()
		s.start(t, `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"`, []string{"NOTIFY_SOCKET=" + filepath.Join(s.dir, "notify")}, socket)
		expect("READY=1")
	}
	activate()
	l := startLoad(t, s.addr, s.warmPaths(t))
	for range 5 {
		l.await(t, 200)
		s.stop(t)
		expect("STOPPING=1")
		activate()
	}
	l.await(t, 200)
	if err := s.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.awaitLog(t, "systemctl restart", 1)
	l.await(t, 200)
	l.end(t)
	s.stop(t)
	if _, err := os.Stat(s.pidFile); err == nil {
		t.Error("the PID file is still there")
	}
}

// testWrongSockets holds that unsuitable sockets from systemd are rejected with the
// reason.
func testWrongSockets(t *testing.T, s *service) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	listening, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer listening.Close()
	conn, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	datagrams, err := conn.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	for why, tt := range map[string]struct {
		env   string
		files []*os.File
	}{
		"systemd passed 2 sockets instead of one":          {"LISTEN_PID=$$ LISTEN_FDS=2", []*os.File{listening, listening}},
		"the socket passed by systemd: it does not listen": {"LISTEN_PID=$$ LISTEN_FDS=1", []*os.File{datagrams}},
		"the socket passed by systemd: not a socket":       {"LISTEN_PID=$$ LISTEN_FDS=1", []*os.File{os.Stdin}},
		"the socket passed by the last process: ":          {"XCRI_PROXY_HANDOVER=1", []*os.File{os.Stdin}},
	} {
		s.start(t, tt.env+` exec "$0" "$@"`, nil, tt.files...)
		if state, err := s.process.Wait(); err != nil || state.ExitCode() != exit.Runtime {
			t.Errorf("%s: %v, %v", why, state, err)
		}
		s.process = nil
		if !strings.Contains(s.log(t), why) {
			t.Errorf("no %q in the log", why)
		}
	}
}

// testHandOver holds that without systemd no client is affected by five hand-overs, by
// successors that fail, and by an upgrade to next.
func testHandOver(t *testing.T, s *service, next string) {
	adoptOrphans(t)
	s.start(t, `exec "$0" "$@"`, nil)
	l := startLoad(t, s.addr, s.warmPaths(t))
	s.awaitLog(t, "database ready", 1)
	await(t, "a PID file", func() bool { return s.pid() == s.process.Pid })

	var before int
	for i := range 5 {
		l.await(t, 200)
		s.handOver(t)
		others, listeners := files(t, s.process.Pid)
		if i == 0 {
			before = others
		}
		if others != before || listeners != 1 {
			t.Errorf("after %d: %d files instead of %d, and %d listening sockets", i+1, others, before, listeners)
		}
		if left := children.Of(t, s.process.Pid); len(left) > 0 {
			t.Errorf("children: %+v", left)
		}
	}

	l.await(t, 200)
	s.failHandOvers(t)
	l.await(t, 200)
	others, listeners := files(t, s.process.Pid)
	if others != before || listeners != 1 {
		t.Errorf("after failures: %d files instead of %d, and %d listening sockets", others, before, listeners)
	}

	move(t, next, s.program)
	s.handOver(t)
	if v := s.version(t).Version; v != "v2" {
		t.Errorf("%s serves after the upgrade", v)
	}
	l.await(t, 200)
	l.end(t)
	s.stop(t)
	if _, err := os.Stat(s.pidFile); err == nil {
		t.Error("the PID file is still there")
	}
}

// failHandOvers triggers hand-overs with invalid settings and invalid programs.
func (s *service) failHandOvers(t *testing.T) {
	t.Helper()
	good, err := os.ReadFile(s.envFile)
	if err != nil {
		t.Fatal(err)
	}
	for why, wrong := range map[string][2]string{
		"DATABASE_PORT=\"x\"":                  {"DATABASE_PORT=", "DATABASE_PORT=x\n#"},
		"check DATABASE_USER":                  {"DATABASE_PASSWORD=", "DATABASE_PASSWORD=not-"},
		"ended with exit status 1; its output": {"CACHE_FILE=", "DATABASE_SOCKET=/nowhere\nSTATIC_DIR=/nowhere\n#"},
	} {
		s.configure(t, strings.Replace(string(good), wrong[0], wrong[1], 1))
		s.refuse(t, why)
	}
	s.configure(t, string(good))

	kept := s.program + ".kept"
	move(t, s.program, kept)
	s.refuseMissing(t)
	s.script(t, "exit 3")
	s.refuse(t, "exit status 3")
	s.script(t, "sleep 1000 & wait")
	if err := s.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await(t, "the script", func() bool { return len(children.Of(t, s.process.Pid)) > 0 })
	s.refuseSecond(t)
	move(t, kept, s.program)
}

func (s *service) script(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(s.program, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// refuseMissing checks a hand-over to a missing program.
func (s *service) refuseMissing(t *testing.T) {
	t.Helper()
	if err := s.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.awaitLog(t, "fork/exec", 1)
}

// refuseSecond checks that a second hand-over is rejected while a successor hangs.
func (s *service) refuseSecond(t *testing.T) {
	t.Helper()
	failed := strings.Count(s.log(t), "hand-over failed")
	if err := s.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.awaitLog(t, "another is under way", 1)
	if got := strings.Count(s.log(t), "hand-over failed"); got != failed {
		t.Errorf("%d hand-overs failed, and %d before", got, failed)
	}
	pid := children.Of(t, s.process.Pid)[0].PID
	await(t, "the script's child", func() bool { return len(children.Of(t, pid)) > 0 })
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.awaitLog(t, "hand-over failed", failed+1)
	// The script's child was killed too. This process has adopted it and waits for it.
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(-pid, &status, 0, nil); err != nil || status.Signal() != syscall.SIGKILL {
		t.Errorf("the process of the script: %v, %v", status, err)
	}
}
