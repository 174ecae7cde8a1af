package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Group is a control group with a memory limit. It counts the memory of its processes, and
// the kernel's for them, such as buffers of sockets. It may hold one service.
type Group struct {
	Limit  int64 // bytes
	folder string
	files  groupFiles
}

// groupFiles are the names of a control group's files.
type groupFiles struct{ root, limit, peak, events string }

// hierarchies are the places of control groups with memory limits, by version.
// Source: the kernel's Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
var hierarchies = []groupFiles{
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"},
	{"/sys/fs/cgroup", "memory.max", "memory.peak", "memory.events"},
}

// NewGroup makes a control group. It fails on a machine that has no writable hierarchy.
func NewGroup(limit int64) (*Group, error) {
	var all error
	for _, files := range hierarchies {
		folder := filepath.Join(files.root, "xcri-bench-"+strconv.Itoa(os.Getpid()))
		if err := os.Mkdir(folder, 0o755); err != nil {
			all = errors.Join(all, err)
			continue
		}
		g := &Group{limit, folder, files}
		err := os.WriteFile(filepath.Join(folder, files.limit), []byte(strconv.FormatInt(limit, 10)), 0)
		if err == nil {
			return g, nil
		}
		all = errors.Join(all, err, g.Close())
	}
	return nil, fmt.Errorf("control group: %w", all)
}

// enter returns the command line that starts a program in the group.
func (g *Group) enter(args []string) []string {
	return append([]string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(g.folder, "cgroup.procs")}, args...)
}

// Usage returns the peak of the group's memory, and how many of its processes the kernel
// has killed because they needed more.
func (g *Group) Usage() (peak, killed int64, err error) {
	text, err := os.ReadFile(filepath.Join(g.folder, g.files.peak))
	if err != nil {
		return 0, 0, err
	}
	if peak, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err != nil {
		return 0, 0, err
	}
	events, err := os.ReadFile(filepath.Join(g.folder, g.files.events))
	if err != nil {
		return 0, 0, err
	}
	killed, err = kills(string(events))
	return peak, killed, err
}

// kills returns the number of killed processes in a group's events.
func kills(events string) (n int64, err error) {
	for line := range strings.Lines(events) {
		if name, count, _ := strings.Cut(strings.TrimSpace(line), " "); name == "oom_kill" {
			return strconv.ParseInt(count, 10, 64)
		}
	}
	return 0, errors.New("the kernel counts no killed processes")
}

// Close removes the group, whose processes must have ended.
func (g *Group) Close() error { return os.Remove(g.folder) }
