package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
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

	"github.com/lewistv/xcri-proxy/proxy/content"
	"github.com/lewistv/xcri-proxy/proxy/proxytest"
	"github.com/lewistv/xcri-proxy/store/storetest/relay"
	"github.com/lewistv/xcri-proxy/store/storetest/scratch"
)

// TestProcess runs the real program under failures of the system and of other
// processes.
func TestProcess(t *testing.T) {
	programs := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(programs, "v1"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("the reader of the log ends", func(t *testing.T) { testLogReader(t, newService(t, programs), true) })
	t.Run("the reader of the log stops reading", func(t *testing.T) { testLogReader(t, newService(t, programs), false) })
	t.Run("few open files", func(t *testing.T) { testFewOpenFiles(t, newService(t, programs)) })
	t.Run("the predecessor ends", func(t *testing.T) { testPredecessorEnds(t, newService(t, programs)) })
	t.Run("the smallest form", func(t *testing.T) { testSmallestForm(t, filepath.Join(programs, "v1")) })
	t.Run("suspended", func(t *testing.T) { testSuspended(t, newService(t, programs)) })
	t.Run("the journal", func(t *testing.T) { testJournal(t, newService(t, programs)) })
}

// testSmallestForm checks that the program makes the smallest form apart, as it would itself.
func testSmallestForm(t *testing.T, program string) {
	body := proxytest.List(32 << 10)
	command := thisProgram().Apart
	command.Path = program
	made, err := command.Do(body, func() bool { return true })
	if err != nil || !bytes.Equal(made, content.BestBrotli(body)) {
		t.Errorf("%d bytes, or other bytes than in this process: %v", len(made), err)
	}
}

// serveWith starts the program with its standard error at log.
func (s *service) serveWith(t *testing.T, log *os.File, shell string, env ...string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", shell, s.program, "serve", "--env-file", s.envFile)
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = cmd.Process
	if err := os.WriteFile(s.logFile, nil, 0o600); err != nil { // read if the test fails
		t.Fatal(err)
	}
}

// status returns the status of an answer, or 0.
func (s *service) status(path string) int {
	resp, err := http.Get("http://" + s.addr + path)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// testLogReader holds that the program serves, polls and stops even if the reader of
// its log hangs or ends, and that it logs the number of dropped lines afterwards.
func testLogReader(t *testing.T, s *service, gone bool) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	const setPipeSize, least = 1031, 4096
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, write.Fd(), setPipeSize, least); errno != 0 {
		t.Fatal(errno)
	}
	s.serveWith(t, write, `exec "$0" "$@"`, "LOG_LEVEL=debug")
	write.Close()
	if gone {
		// The reader reads until the program serves.
		for lines := bufio.NewScanner(read); lines.Scan() && !strings.Contains(lines.Text(), `"serving"`); {
		}
		read.Close()
	}
	await(t, "the program serves", func() bool { return s.status("/readyz") == http.StatusOK })
	for range 60 { // each writes a line to the log
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "%s\r\n\r\n", strings.Repeat("no request ", 40))
		bufio.NewReader(conn).ReadString('\n')
		conn.Close()
	}
	confirmed := s.confirmed(t)
	await(t, "the next poll", func() bool { return s.confirmed(t) != confirmed })
	if got := s.status("/teams/?season_year=2025&division=2030&gender=M&limit=3"); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	begun := time.Now()
	s.stop(t)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the end took %v", took)
	}
}

// testSuspended holds that a process which seldom runs, as on a busy machine, does not take
// the database for dead.
func testSuspended(t *testing.T, s *service) {
	db := scratch.Server(t)
	way := relay.Start(t, "127.0.0.1:0", net.JoinHostPort(db.Host, strconv.Itoa(db.Port)))
	host, port := way.Addr()
	s.start(t, `exec "$0" "$@"`, []string{"DATABASE_HOST=" + host, fmt.Sprint("DATABASE_PORT=", port)})
	await(t, "the program serves", func() bool { return s.status("/readyz") == http.StatusOK })
	way.Delay(20 * time.Millisecond) // so that each reply comes while the process is suspended
	before := s.confirmed(t)
	for range 5 {
		for _, step := range []struct {
			signal syscall.Signal
			lasts  time.Duration
		}{{syscall.SIGSTOP, 1500 * time.Millisecond}, {syscall.SIGCONT, 2 * time.Millisecond}} {
			if err := s.process.Signal(step.signal); err != nil {
				t.Fatal(err)
			}
			time.Sleep(step.lasts)
		}
	}
	await(t, "a poll", func() bool { return s.confirmed(t) > before })
	if strings.Contains(s.log(t), "the origin is down") {
		t.Error("the database is taken for dead")
	}
	s.stop(t)
}

// confirmed returns the time at which the program last confirmed the database's
// generation.
func (s *service) confirmed(t *testing.T) string {
	t.Helper()
	resp, err := http.Get("http://" + s.addr + "/cache/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var stats struct {
		Generation struct {
			Confirmed string `json:"confirmed_at"`
		} `json:"generation"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	return stats.Generation.Confirmed
}

// testFewOpenFiles holds that more clients than the limit on open files allows do not
// end the program, and that new clients are served after they have disconnected.
func testFewOpenFiles(t *testing.T, s *service) {
	log, err := os.Create(s.logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.start(t, `ulimit -n 128; exec "$0" "$@"`, nil)
	await(t, "the program serves", func() bool { return s.status("/readyz") == http.StatusOK })
	s.awaitLog(t, "few files may be open", 1)
	var idle []net.Conn
	for range 300 {
		conn, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err != nil {
			break // the queue of the socket is full
		}
		idle = append(idle, conn)
	}
	if len(idle) < 128 {
		t.Fatalf("%d connections", len(idle))
	}
	for _, conn := range idle {
		conn.Close()
	}
	await(t, "others are served", func() bool { return s.status("/readyz") == http.StatusOK })
	s.stop(t)
}

// testJournal holds that each line for systemd's journal begins with its priority.
func testJournal(t *testing.T, s *service) {
	log, err := os.Create(s.logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	s.start(t, `exec "$0" "$@"`, []string{fmt.Sprintf("JOURNAL_STREAM=%d:%d", stat.Dev, stat.Ino)})
	s.awaitLog(t, `"msg":"serving"`, 1)
	s.stop(t)
	for line := range strings.Lines(s.log(t)) {
		if !strings.HasPrefix(line, "<6>{") && !strings.HasPrefix(line, "<4>{") {
			t.Errorf("no priority: %s", line)
		}
	}
}

// testPredecessorEnds holds that if the predecessor is stopped or killed at any point
// of a hand-over, the successor takes over and is the only remaining process.
func testPredecessorEnds(t *testing.T, s *service) {
	adoptOrphans(t)
	s.start(t, `exec "$0" "$@"`, nil)
	await(t, "the program serves", func() bool { return s.status("/readyz") == http.StatusOK })
	await(t, "a PID file", func() bool { return s.pid() == s.process.Pid })
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for _, delay := range []int{0, 5, 10, 20, 30, 40, 50, 70, 100, 150, 250} {
			begun := strings.Count(s.log(t), "hand-over begun")
			old := s.process
			if err := old.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			// Before the log line there is no successor: SIGTERM, which may be handled before a
			// pending SIGHUP, stops the service.
			s.awaitLog(t, "hand-over begun", begun+1)
			<-time.After(time.Duration(delay) * time.Millisecond)
			old.Signal(signal) // an error means that it has ended
			old.Wait()
			await(t, fmt.Sprintf("a successor after %v %d ms after SIGHUP", signal, delay), func() bool {
				return s.pid() != 0 && s.pid() != old.Pid && s.status("/readyz") == http.StatusOK
			})
			successor, err := os.FindProcess(s.pid())
			if err != nil {
				t.Fatal(err)
			}
			s.process = successor
		}
	}
	s.stop(t)
	if got := s.status("/livez"); got != 0 {
		t.Errorf("another process answers with status %d", got)
	}
}
