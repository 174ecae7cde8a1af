package main

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// explain records each server's system calls for a request of a question, and the
// functions that take its processor time.
func (l *lab) explain(ctx context.Context, q question, jobs []job) error {
	if !l.why {
		return nil
	}
	var text strings.Builder
	for _, j := range jobs {
		pid, err := j.worker()
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%s: %s\n", q.name, j.name)
		j.length = 2 * time.Second
		if _, err := exec.LookPath("strace"); err == nil {
			calls, requests, err := l.watched(ctx, j, "strace", "-f", "-c", "-p", pid)
			if err != nil {
				return err
			}
			text.WriteString(perRequest(calls, requests))
		}
		if _, err := exec.LookPath("perf"); err == nil {
			profile := filepath.Join(l.dir, "perf.data")
			if _, _, err := l.watched(ctx, j, "perf", "record", "-q", "-e", "cpu-clock", "-o", profile, "-p", pid); err != nil {
				return err
			}
			out, err := command(ctx, "perf", "report", "-q", "--stdio", "--no-children", "--sort", "dso,symbol", "-i", profile)
			if err != nil {
				return err
			}
			text.WriteString(head(out, 10))
		}
	}
	l.reports.why = append(l.reports.why, text.String())
	return nil
}

// worker returns the process of the service that has used the most processor time.
func (s *service) worker() (string, error) {
	processes, err := family(s.cmd.Process.Pid)
	if err != nil {
		return "", err
	}
	busiest := slices.MaxFunc(processes, func(a, b process) int { return cmp.Compare(a.busy, b.busy) })
	return strconv.Itoa(busiest.id), nil
}

// watched runs a program that observes a server under load. It returns the program's
// output and the number of requests.
func (l *lab) watched(ctx context.Context, j job, name string, args ...string) (out string, requests int64, err error) {
	type end struct {
		loaded
		error
	}
	ended := make(chan end, 1)
	go func() {
		done, err := wrk(ctx, j.load)
		ended <- end{done, err}
	}()
	var errs strings.Builder
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", loadCore, name}, args...)...)
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		return "", 0, err
	}
	e := <-ended
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait() // the error reports the interrupt
	return errs.String(), e.requests, e.error
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
