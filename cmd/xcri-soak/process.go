package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-soak/internal/people"
)

// proxies runs the proxy's processes, one after the other, on one address. Its methods
// are for a single goroutine unless their comments say otherwise.
type proxies struct {
	program, addr string
	env           []string
	log           io.Writer        // gets the lines of all processes
	line          func(logLine)    // is called for each line
	supervised    bool             // the socket is held here, as systemd does
	socket        *net.TCPListener // nil unless supervised
	output        *os.File         // the write side of a pipe
	read          sync.WaitGroup
	course
}

// course is the state of the processes and the record of their ends.
type course struct {
	current  atomic.Pointer[os.Process]
	handed   chan int       // the process ID of a successor
	failed   chan struct{}  // a hand-over has failed
	down     people.Windows // no process listens
	killed   people.Windows // a process is killed
	slow     atomic.Bool    // answers were under way for longer than a stop waits
	peak     atomic.Int64   // bytes of memory of a process
	starts   int64
	succeeds int64
}

// logLine is a line of the proxy's log.
type logLine struct {
	Level, Msg, Generation, Error string
	Failed, Keys                  int
	PID                           int `json:"pid"`
}

// open starts the reader of the log and takes orphans as children, which are the
// successors of processes that have ended.
func (p *proxies) open() error {
	const setChildSubreaper = 36
	if _, _, errno := syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		return errno
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	p.output, p.handed, p.failed = write, make(chan int, 1), make(chan struct{}, 1)
	p.read.Go(func() {
		defer read.Close()
		for lines := bufio.NewScanner(io.TeeReader(read, p.log)); lines.Scan(); {
			var l logLine
			if json.Unmarshal(lines.Bytes(), &l) != nil {
				continue
			}
			switch l.Msg {
			case "handed over":
				p.handed <- l.PID
			case "xcri-proxy failed":
				p.slow.Store(strings.Contains(l.Error, "answers still under way"))
			case "hand-over failed, going on as before":
				p.failed <- struct{}{}
			}
			p.line(l)
		}
	})
	return nil
}

// start starts a process and waits until it serves.
func (p *proxies) start(ctx context.Context) error {
	cmd := exec.Command(p.program, "serve")
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if p.supervised {
		if err := p.listen(); err != nil {
			return err
		}
		socket, err := p.socket.File()
		if err != nil {
			return err
		}
		defer socket.Close()
		cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"`, p.program}, cmd.Args[1:]...)
		cmd.Path, cmd.ExtraFiles = "/bin/sh", []*os.File{socket}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.current.Store(cmd.Process)
	p.starts++
	return p.await(ctx, "the proxy to serve", func() bool { return p.status("/livez") == http.StatusOK })
}

// listen opens the socket that all supervised processes share.
func (p *proxies) listen() error {
	if p.socket != nil {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err == nil {
		p.socket = l.(*net.TCPListener)
	}
	return err
}

// status returns the status of an answer, or 0.
func (p *proxies) status(path string) int {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + p.addr + path)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (p *proxies) await(ctx context.Context, what string, ok func() bool) error {
	for deadline := time.Now().Add(time.Minute); !ok(); {
		if !people.Sleep(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return errors.New("after a minute still waiting for " + what)
		}
	}
	return nil
}

// restart ends the process by a signal and starts another, supervised or not.
func (p *proxies) restart(ctx context.Context, signal syscall.Signal, supervised bool) error {
	end := func() {}
	if !p.supervised || !supervised {
		end = p.down.Begin()
	}
	defer func() { end() }()
	if signal == syscall.SIGKILL {
		over := p.killed.Begin()
		defer over()
	}
	if err := p.stop(signal); err != nil {
		return err
	}
	if p.socket != nil && !supervised {
		p.socket.Close()
		p.socket = nil
	}
	p.supervised = supervised
	return p.start(ctx)
}

// stop ends the process and waits for its end.
func (p *proxies) stop(signal syscall.Signal) error {
	process := p.current.Load()
	p.slow.Store(false)
	if err := process.Signal(signal); err != nil {
		return fmt.Errorf("the proxy has ended by itself: %w", err)
	}
	state, err := process.Wait()
	if err == nil && signal != syscall.SIGKILL && !state.Success() && !p.slow.Swap(false) {
		err = fmt.Errorf("the proxy ended with %v", state)
	}
	return err
}

// handOver has the process start its successor, and waits until it has ended itself.
// It returns false if the hand-over failed.
func (p *proxies) handOver(ctx context.Context) (bool, error) {
	process := p.current.Load()
	if err := process.Signal(syscall.SIGHUP); err != nil {
		return false, err
	}
	select {
	case pid := <-p.handed:
		next, err := os.FindProcess(pid)
		if err != nil {
			return false, err
		}
		p.current.Store(next)
		p.succeeds++
		_, err = process.Wait()
		return true, err
	case <-p.failed:
		return false, nil
	case <-time.After(time.Minute):
		return false, errors.New("no result of a hand-over after a minute")
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// close ends the last process and the reader of the log.
func (p *proxies) close() error {
	err := p.stop(syscall.SIGTERM)
	if p.socket != nil {
		p.socket.Close()
	}
	p.output.Close()
	p.read.Wait()
	return err
}

// watchMemory records the peak of the process's memory until ctx ends, and notes each
// new peak.
func (p *proxies) watchMemory(ctx context.Context, note func(format string, args ...any)) {
	noted := int64(0)
	for people.Sleep(ctx, 200*time.Millisecond) {
		n := memoryOf(p.current.Load().Pid)
		if n > p.peak.Load() {
			p.peak.Store(n)
		}
		if n > noted+noted/10 {
			noted = n
			note("memory: %.1f MB", float64(n)/1e6)
		}
	}
}

// memoryOf returns the bytes of a process's resident memory and of its memory files;
// 0 if the process has ended.
func memoryOf(pid int) (bytes int64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			bytes = kib << 10
		}
	}
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	counted := map[uint64]bool{}
	for _, file := range files {
		name, err := os.Readlink(file)
		if err != nil || !strings.HasPrefix(name, "/memfd:") {
			continue
		}
		var info syscall.Stat_t
		if syscall.Stat(file, &info) == nil && !counted[info.Ino] {
			counted[info.Ino] = true
			bytes += info.Blocks * 512
		}
	}
	return bytes
}
