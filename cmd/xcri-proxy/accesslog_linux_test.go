package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lewistv/xcri-proxy/cmd/internal/accesslog"
)

// testAccessLog holds that each answered request has one line in the access log or its
// rotated files, while the log is rotated during a hand-over: the successor rotates it
// while the old process still answers on the connections of its clients.
func testAccessLog(t *testing.T, s *service) {
	adoptOrphans(t)
	path := filepath.Join(s.dir, "access.log")
	settings, err := os.ReadFile(s.envFile)
	if err != nil {
		t.Fatal(err)
	}
	s.configure(t, string(settings), "ACCESS_LOG="+path, "ACCESS_LOG_SIZE=1MiB", "ACCESS_LOG_FILES=1000")
	s.start(t, `exec "$0" "$@"`, nil)
	await(t, "a PID file", func() bool { return s.pid() == s.process.Pid })

	sent := &logged{answered: map[string]bool{}}
	kept := make([]*keptConn, 40) // each gets one more answer of the old process
	for i := range kept {
		kept[i] = dial(t, s.addr)
		if err := sent.request(kept[i]); err != nil {
			t.Fatal(err)
		}
	}
	old := s.process.Pid
	if err := s.process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await(t, "another process", func() bool { return s.pid() != old && s.pid() != 0 })
	s.awaitLog(t, `"stopping"`, 1) // by the old process, whose connections stay open
	byOld := 0
	for _, c := range kept {
		fresh := dial(t, s.addr)
		for range 40 {
			if sent.request(fresh) != nil { // the old process had accepted it, and closed it after an answer
				fresh.Close()
				fresh = dial(t, s.addr)
			}
		}
		fresh.Close()
		if sent.request(c) == nil { // unless it was quiet for too long
			byOld++
		}
	}
	await(t, "a line for each request", func() bool { return len(sent.missing(path)) == 0 })
	for _, c := range kept {
		c.Close()
	}
	s.awaitEnd(t)
	if s.process, err = os.FindProcess(s.pid()); err != nil {
		t.Fatal(err)
	}
	s.stop(t)
	lines, err := linesIn(path)
	if err != nil {
		t.Error(err)
	}
	for target := range sent.answered {
		if n := lines[target]; n != 1 {
			t.Errorf("%s: %d lines", target, n)
		}
	}
	rotated, _ := filepath.Glob(filepath.Join(s.dir, "access-*"))
	if len(rotated) < 3 {
		t.Errorf("rotated: %q", rotated)
	}
	t.Logf("%d requests, %d of them to the old process after the hand-over; %d files", len(sent.answered), byOld, len(rotated)+1)
}

// keptConn is a connection of a client.
type keptConn struct {
	net.Conn
	from *bufio.Reader
}

func dial(t *testing.T, addr string) *keptConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &keptConn{c, bufio.NewReader(c)}
}

// logged are the requests that the access log must have.
type logged struct {
	n        int
	answered map[string]bool // by target, without the filler
}

// request sends a request of its own, and reads the answer.
func (l *logged) request(c *keptConn) error {
	l.n++
	target := fmt.Sprintf("/metadata/latest?n=%d", l.n)
	if _, err := fmt.Fprintf(c, "GET %s&x=%s HTTP/1.1\r\nHost: localhost\r\n\r\n", target, strings.Repeat("x", 3000)); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.from, nil)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	l.answered[target] = true
	return resp.Body.Close()
}

// missing returns the answered requests that have no line yet.
func (l *logged) missing(path string) (targets []string) {
	lines, _ := linesIn(path) // it fails while a rotated file is being compressed
	for target := range l.answered {
		if lines[target] == 0 {
			targets = append(targets, target)
		}
	}
	return targets
}

// linesIn counts the lines of the access log and of its rotated files, by target.
func linesIn(path string) (lines map[string]int, err error) {
	lines = map[string]int{}
	names, _ := filepath.Glob(strings.TrimSuffix(path, ".log") + "*")
	for _, name := range names {
		readErr := accesslog.ReadFile(name, nil, func(e accesslog.Entry, ok bool) {
			target, _, _ := strings.Cut(e.Target, "&")
			lines[target]++
			if !ok {
				err = errors.Join(err, fmt.Errorf("%s: a damaged line", name))
			}
		})
		err = errors.Join(err, readErr)
	}
	return lines, err
}
