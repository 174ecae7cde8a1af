package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// load is what wrk is to do.
type load struct {
	url         string
	headers     []string // NAME: VALUE
	connections int
	length      time.Duration
	script      string // file of Lua that makes the requests; empty for one and the same
}

// command is the program and its arguments, on the core that no server uses. Its
// timeout is longer than any stop of it.
func (l load) command() []string {
	args := []string{"taskset", "-c", loadCore, "wrk", "-t1", "-c" + strconv.Itoa(l.connections), "-d" + strconv.Itoa(int(l.length.Seconds())) + "s",
		"--timeout", "30s", "--latency"}
	for _, h := range l.headers {
		args = append(args, "-H", h)
	}
	if l.script != "" {
		args = append(args, "-s", l.script)
	}
	return append(args, l.url)
}

// loaded is what wrk tells of its work.
type loaded struct {
	requests int64
	seconds  float64
	p99      time.Duration
	failed   int64 // connections that broke, answers from 400 on
}

// wrk loads a server for as long as the load says.
func wrk(ctx context.Context, l load) (loaded, error) {
	args := l.command()
	out, err := command(ctx, args[0], args[1:]...)
	if err != nil {
		return loaded{}, err
	}
	return parseWrk(out)
}

// client is a wrk that is stopped and let go on. End it with kill, whatever came
// of it.
type client struct {
	load
	cmd    *exec.Cmd
	out    bytes.Buffer // only to be read once it has ended
	ended  chan struct{}
	failed error         // how it ended
	over   time.Time     // when the length of its load is over: it counts while it is stopped
	ran    time.Duration // that it was let run with all connections open
}

// startClient starts a wrk and stops it as soon as its connections are open. It
// ends with this process and with ctx, stopped or not.
func startClient(ctx context.Context, l load) (*client, error) {
	args := l.command()
	c := &client{load: l, cmd: exec.CommandContext(ctx, args[0], args[1:]...), ended: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.failed = c.cmd.Wait()
		close(c.ended)
	}()
	err := c.connect(ctx)
	if err == nil {
		c.over = time.Now().Add(l.length)
		err = c.run(ctx, 20*time.Millisecond) // in which its clock starts, too
	}
	if err != nil {
		c.kill()
		return nil, err
	}
	return c, nil
}

// connect returns once all connections are open, which shows in how many files it
// has: of few connections it may return too early.
func (c *client) connect(ctx context.Context) error {
	const others = 4 // the standard three and its epoll
	folder := fmt.Sprintf("/proc/%d/fd", c.cmd.Process.Pid)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if files, err := os.ReadDir(folder); err == nil && len(files) >= c.connections+others {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ended:
			return fmt.Errorf("wrk has ended: %s", c.out.String())
		case <-time.After(2 * time.Millisecond):
		}
	}
	return errors.New("wrk has not opened its connections in 10 s")
}

// run lets it go on for a time, or to its end, and stops it. One that has ended
// can't be told anything, which is no error.
func (c *client) run(ctx context.Context, length time.Duration) error {
	begun := time.Now()
	c.cmd.Process.Signal(syscall.SIGCONT)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-c.ended:
	case <-time.After(length):
	}
	c.cmd.Process.Signal(syscall.SIGSTOP)
	c.ran += time.Since(begun)
	return nil
}

// finish waits until its time is over, lets it see that, and returns what it did.
// To be told to end makes wrk print what it has, but only once its time is over.
func (c *client) finish(ctx context.Context) (done loaded, err error) {
	select {
	case <-ctx.Done():
		return done, ctx.Err()
	case <-c.ended:
	case <-time.After(time.Until(c.over)):
	}
	if err := c.run(ctx, 10*time.Second); err != nil {
		return done, err
	}
	select {
	case <-c.ended:
	default:
		return done, errors.New("wrk has not ended 10 s after its time")
	}
	if c.failed != nil {
		return done, fmt.Errorf("wrk: %w: %s", c.failed, c.out.String())
	}
	done, err = parseWrk(c.out.String())
	done.seconds = c.ran.Seconds()
	return done, err
}

// kill ends it, stopped or not.
func (c *client) kill() {
	c.cmd.Process.Kill()
	<-c.ended
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in ([0-9.]+\w+),`)
	wrkP99      = regexp.MustCompile(`99%\s+([0-9.]+\w+)`)
	wrkErrors   = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkStatus   = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

func parseWrk(out string) (l loaded, err error) {
	requests, p99 := wrkRequests.FindStringSubmatch(out), wrkP99.FindStringSubmatch(out)
	if requests == nil || p99 == nil {
		return l, fmt.Errorf("not what wrk prints: %q", out)
	}
	took, err := time.ParseDuration(requests[2])
	if err != nil {
		return l, fmt.Errorf("wrk: %w", err)
	}
	if l.p99, err = time.ParseDuration(p99[1]); err != nil {
		return l, fmt.Errorf("wrk: %w", err)
	}
	l.requests, l.seconds = number(requests[1]), took.Seconds()
	for _, match := range [][]string{wrkErrors.FindStringSubmatch(out), wrkStatus.FindStringSubmatch(out)} {
		for _, text := range match[min(1, len(match)):] {
			l.failed += number(text)
		}
	}
	return l, nil
}

// number reads digits that an expression has matched.
func number(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}
