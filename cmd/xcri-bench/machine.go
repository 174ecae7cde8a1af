package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

var (
	modelName  = regexp.MustCompile(`(?m)^model name\s*: (.*)$`)
	prettyName = regexp.MustCompile(`(?m)^PRETTY_NAME="?([^"\n]*)`)
	versionNum = regexp.MustCompile(`\d+\.\d+(\.\d+)?`)
)

// taken tells what a machine has lost to those that it shares its processors with.
func taken(lost float64) string {
	return fmt.Sprintf("other machines took %.0f %% of the cores' time", 100*lost)
}

// machine names what all was measured on, when, and what was lost to others.
func machine(ctx context.Context, lost float64) string {
	parts := []string{
		fmt.Sprintf("%d cores of %s", runtime.NumCPU(), inFile("/proc/cpuinfo", modelName)),
		inFile("/etc/os-release", prettyName),
		"Linux " + strings.TrimSpace(read("/proc/sys/kernel/osrelease")),
		"TCP " + strings.TrimSpace(read(congestion)),
		strings.Replace(runtime.Version(), "go", "Go ", 1),
	}
	for _, p := range [][]string{
		{"MariaDB", "mariadbd", "--version"}, {"nginx", "nginx", "-v"}, {"Varnish", "varnishd", "-V"}, {"wrk", "wrk", "-v"},
	} {
		parts = append(parts, p[0]+" "+versionOf(ctx, p[1], p[2:]...))
	}
	return strings.Join(parts, ", ") + "; " + time.Now().Format("2 January 2006") + "; " + taken(lost)
}

// congestion is the setting of how TCP finds out how fast it may send.
const congestion = "/proc/sys/net/ipv4/tcp_congestion_control"

// useCubic lets TCP send as it does on a Debian that nobody has changed, for all
// servers alike, and returns how to undo it. Others, as bbr, set a timer for what
// is to be sent, which on loopback costs processor time and nothing else.
func useCubic() (undo func() error, err error) {
	before, err := os.ReadFile(congestion)
	if err != nil || strings.TrimSpace(string(before)) == "cubic" {
		return func() error { return nil }, err
	}
	if err := os.WriteFile(congestion, []byte("cubic"), 0o644); err != nil {
		return nil, err
	}
	return func() error { return os.WriteFile(congestion, before, 0o644) }, nil
}

func read(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	return string(text)
}

func inFile(file string, what *regexp.Regexp) string {
	if match := what.FindStringSubmatch(read(file)); match != nil {
		return match[1]
	}
	return "unknown"
}

// versionOf returns the first version number that a program prints. Some end with
// an error after they have.
func versionOf(ctx context.Context, name string, args ...string) string {
	out, _ := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if v := versionNum.FindString(string(out)); v != "" {
		return v
	}
	return "unknown"
}
