// Package machine describes this machine, starts servers on it, and reads their
// processor time and memory.
package machine

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

// Taken describes the processor time that the machine lost to other machines on the
// same processors.
func Taken(lost float64) string {
	return fmt.Sprintf("other machines took %.0f %% of the cores' time", 100*lost)
}

// Describe returns a description of the machine, of the programs' versions, of the time of
// the run, and of lost, the share of the processors' time that other machines took.
func Describe(ctx context.Context, lost float64) string {
	parts := []string{
		fmt.Sprintf("%d cores of %s", runtime.NumCPU(), inFile("/proc/cpuinfo", modelName)),
		inFile("/etc/os-release", prettyName),
		"Linux " + strings.TrimSpace(Read("/proc/sys/kernel/osrelease")),
		"TCP " + strings.TrimSpace(Read(congestion)),
		strings.Replace(runtime.Version(), "go", "Go ", 1),
	}
	for _, p := range [][]string{
		{"MariaDB", "mariadbd", "--version"}, {"nginx", "nginx", "-v"}, {"Varnish", "varnishd", "-V"}, {"Redis", "redis-server", "--version"}, {"wrk", "wrk", "-v"},
	} {
		parts = append(parts, p[0]+" "+versionOf(ctx, p[1], p[2:]...))
	}
	return strings.Join(parts, ", ") + "; " + time.Now().Format("2 January 2006") + "; " + Taken(lost)
}

// congestion is the kernel's setting of the TCP congestion control.
const congestion = "/proc/sys/net/ipv4/tcp_congestion_control"

// UseCubic sets the TCP congestion control to Debian's default for all servers, and
// returns a function that restores it. Others, such as bbr, set timers for packets,
// which on loopback only cost processor time.
func UseCubic() (undo func() error, err error) {
	before, err := os.ReadFile(congestion)
	if err != nil || strings.TrimSpace(string(before)) == "cubic" {
		return func() error { return nil }, err
	}
	if err := os.WriteFile(congestion, []byte("cubic"), 0o644); err != nil {
		return nil, err
	}
	return func() error { return os.WriteFile(congestion, before, 0o644) }, nil
}

// Read returns the content of a file, or "unknown".
func Read(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	return string(text)
}

func inFile(file string, what *regexp.Regexp) string {
	if match := what.FindStringSubmatch(Read(file)); match != nil {
		return match[1]
	}
	return "unknown"
}

// versionOf returns the first version number in a program's output. Some programs
// print it and exit with an error.
func versionOf(ctx context.Context, name string, args ...string) string {
	out, _ := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if v := versionNum.FindString(string(out)); v != "" {
		return v
	}
	return "unknown"
}
