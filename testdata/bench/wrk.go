package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
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

// loaded is what wrk tells of its work.
type loaded struct {
	requests int64
	seconds  float64
	p99      time.Duration
	failed   int64 // connections that broke, answers from 400 on
}

// wrk loads a server from the core that no server uses.
func wrk(ctx context.Context, l load) (loaded, error) {
	args := []string{"-c", loadCore, "wrk", "-t1", "-c" + strconv.Itoa(l.connections), "-d" + strconv.Itoa(int(l.length.Seconds())) + "s",
		"--timeout", "10s", "--latency"}
	for _, h := range l.headers {
		args = append(args, "-H", h)
	}
	if l.script != "" {
		args = append(args, "-s", l.script)
	}
	out, err := command(ctx, "taskset", append(args, l.url)...)
	if err != nil {
		return loaded{}, err
	}
	return parseWrk(out)
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
