package rounds

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/machine"
	"github.com/lewistv/xcri-proxy/cmd/xcri-bench/internal/wrk"
)

// Explain describes each server's system calls for a request of a question, and the
// functions that take its processor time. It writes files to a folder.
func Explain(ctx context.Context, dir, question string, jobs []Job) (string, error) {
	var text strings.Builder
	for _, j := range jobs {
		pid, err := j.Worker()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "%s: %s\n", question, j.Name)
		j.Length = 2 * time.Second
		if _, err := exec.LookPath("strace"); err == nil {
			calls, requests, err := watched(ctx, j, "strace", "-f", "-c", "-p", pid)
			if err != nil {
				return "", err
			}
			text.WriteString(perRequest(calls, requests))
		}
		if _, err := exec.LookPath("perf"); err == nil {
			profile := filepath.Join(dir, "perf.data")
			if _, _, err := watched(ctx, j, "perf", "record", "-q", "-e", "cpu-clock", "-o", profile, "-p", pid); err != nil {
				return "", err
			}
			out, err := machine.Command(ctx, "perf", "report", "-q", "--stdio", "--no-children", "--sort", "dso,symbol", "-i", profile)
			if err != nil {
				return "", err
			}
			text.WriteString(head(out, 10))
		}
	}
	return text.String(), nil
}

// watched runs a program that observes a server under load. It returns the program's
// output and the number of requests.
func watched(ctx context.Context, j Job, name string, args ...string) (out string, requests int64, err error) {
	type end struct {
		wrk.Result
		error
	}
	ended := make(chan end, 1)
	go func() {
		done, err := wrk.Run(ctx, j.Load)
		ended <- end{done, err}
	}()
	var errs strings.Builder
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", machine.LoadCore, name}, args...)...)
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	e := <-ended
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait() // the error reports the interrupt
	return errs.String(), e.Requests, e.error
}

// perRequest shortens strace's table to calls for a request.
func perRequest(table string, requests int64) string {
	var text strings.Builder
	for line := range strings.Lines(table) {
		// % time, seconds, usecs/call, calls, errors if any, name
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		calls, err := strconv.ParseFloat(fields[3], 64)
		if err != nil || requests == 0 || calls/float64(requests) < 0.01 || fields[len(fields)-1] == "total" {
			continue
		}
		fmt.Fprintf(&text, "  %5.2f %s\n", calls/float64(requests), fields[len(fields)-1])
	}
	return text.String()
}

// head returns the first lines of a text that have content.
func head(text string, lines int) string {
	var found strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if lines--; lines < 0 {
			break
		}
		// perf fills empty columns with dashes.
		found.WriteString(strings.TrimRight(line, " -\n") + "\n")
	}
	return found.String()
}
