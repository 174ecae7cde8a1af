// Package wrk runs the load generator wrk, also in slices.
package wrk

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

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
)

// Load configures a wrk run.
type Load struct {
	URL         string
	Headers     []string // NAME: VALUE
	Connections int
	Length      time.Duration
	Script      string // Lua file that generates the requests; empty means always the same request
}

// command returns the command line, which runs wrk on the core without servers. Its
// timeout is longer than any pause of the client.
func (l Load) command() []string {
	args := []string{"taskset", "-c", machine.LoadCore, "wrk", "-t1", "-c" + strconv.Itoa(l.Connections), "-d" + strconv.Itoa(int(l.Length.Seconds())) + "s",
		"--timeout", "30s", "--latency"}
	for _, h := range l.Headers {
		args = append(args, "-H", h)
	}
	if l.Script != "" {
		args = append(args, "-s", l.Script)
	}
	return append(args, l.URL)
}

// Result is the result that wrk reports.
type Result struct {
	Requests int64
	Seconds  float64
	P99      time.Duration
	Failed   int64 // broken connections, and answers with a status from 400
}

// Run runs wrk for the load's length, and returns its result.
func Run(ctx context.Context, l Load) (Result, error) {
	args := l.command()
	out, err := machine.Command(ctx, args[0], args[1:]...)
	if err != nil {
		return Result{}, err
	}
	return parseWrk(out)
}

// Client is a wrk process that can be paused and resumed. The caller must call Kill, also
// after an error of Run or Finish.
type Client struct {
	Load
	cmd    *exec.Cmd
	out    bytes.Buffer // read only after the process has ended
	ended  chan struct{}
	failed error         // result of the process
	over   time.Time     // end of the load, whose length includes pauses
	ran    time.Duration // running time with all connections open
}

// Start starts wrk and pauses it as soon as its connections are open. The process ends with
// this process and with ctx, also while it is paused.
func Start(ctx context.Context, l Load) (*Client, error) {
	args := l.command()
	c := &Client{Load: l, cmd: exec.CommandContext(ctx, args[0], args[1:]...), ended: make(chan struct{})}
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
		c.over = time.Now().Add(l.Length)
		err = c.Run(ctx, 20*time.Millisecond) // wrk's clock starts here, too
	}
	if err != nil {
		c.Kill()
		return nil, err
	}
	return c, nil
}

// connect returns once all connections are open, by the number of wrk's open files.
// With few connections it may return too early.
func (c *Client) connect(ctx context.Context) error {
	const others = 4 // the standard three and its epoll
	folder := fmt.Sprintf("/proc/%d/fd", c.cmd.Process.Pid)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if files, err := os.ReadDir(folder); err == nil && len(files) >= c.Connections+others {
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

// Run resumes wrk for a duration, or until its end, and pauses it. It is not an error
// if wrk has ended already.
func (c *Client) Run(ctx context.Context, length time.Duration) error {
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

// Finish waits until the load's length is over, resumes wrk, and returns its result.
// A signal to end makes wrk print its result, but only after its length is over.
func (c *Client) Finish(ctx context.Context) (done Result, err error) {
	select {
	case <-ctx.Done():
		return done, ctx.Err()
	case <-c.ended:
	case <-time.After(time.Until(c.over)):
	}
	if err := c.Run(ctx, 10*time.Second); err != nil {
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
	done.Seconds = c.ran.Seconds()
	return done, err
}

// Kill ends wrk, also while it is paused.
func (c *Client) Kill() {
	c.cmd.Process.Kill()
	<-c.ended
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in ([0-9.]+\w+),`)
	wrkP99      = regexp.MustCompile(`99%\s+([0-9.]+\w+)`)
	wrkErrors   = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkStatus   = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

func parseWrk(out string) (l Result, err error) {
	requests, p99 := wrkRequests.FindStringSubmatch(out), wrkP99.FindStringSubmatch(out)
	if requests == nil || p99 == nil {
		return l, fmt.Errorf("not an output of wrk: %q", out)
	}
	took, err := time.ParseDuration(requests[2])
	if err != nil {
		return l, fmt.Errorf("wrk: %w", err)
	}
	if l.P99, err = time.ParseDuration(p99[1]); err != nil {
		return l, fmt.Errorf("wrk: %w", err)
	}
	l.Requests, l.Seconds = number(requests[1]), took.Seconds()
	for _, match := range [][]string{wrkErrors.FindStringSubmatch(out), wrkStatus.FindStringSubmatch(out)} {
		for _, text := range match[min(1, len(match)):] {
			l.Failed += number(text)
		}
	}
	return l, nil
}

// number parses digits that a regular expression has matched.
func number(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}
