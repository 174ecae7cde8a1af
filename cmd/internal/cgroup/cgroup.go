// Package cgroup reads the memory limit that the control group sets for this process.
package cgroup

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// unlimited is the size from which a limit of cgroup v1 means none: the kernel rounds
// its largest number down to pages.
const unlimited = 1 << 60

// hierarchies are the places of control groups with a memory controller, by version: the
// controller as /proc/self/cgroup names it, the folder, and the files with a limit.
// Source: cgroups(7), Documentation/admin-guide/cgroup-v2.rst.
var hierarchies = []struct {
	controller, folder string
	limits             []string
}{
	{"", "sys/fs/cgroup", []string{"memory.max", "memory.high"}},
	{"", "sys/fs/cgroup/unified", []string{"memory.max", "memory.high"}},
	{"memory", "sys/fs/cgroup/memory", []string{"memory.limit_in_bytes"}},
}

// MemoryLimit returns the lowest limit, in bytes, of the process's control group and
// the groups that it is in, and 0 if there is none. Root is the root of the file
// system, which os.DirFS("/") returns.
func MemoryLimit(root fs.FS) (lowest int64) {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	for _, h := range hierarchies {
		// In a container the group may have another name than in the hierarchy that is
		// mounted; its root is the container's own then.
		for group := groupOf(groups, h.controller); group != ""; group = parent(group) {
			for _, name := range h.limits {
				if limit := read(root, path.Join(h.folder, group, name)); limit > 0 && (lowest == 0 || limit < lowest) {
					lowest = limit
				}
			}
		}
	}
	return lowest
}

// groupOf returns the path of the process's group in the hierarchy of a controller;
// empty if it is in none. A line of groups is ID:controllers:path.
func groupOf(groups []byte, controller string) string {
	for lines := bufio.NewScanner(bytes.NewReader(groups)); lines.Scan(); {
		fields := strings.SplitN(lines.Text(), ":", 3)
		if len(fields) != 3 {
			continue
		}
		for name := range strings.SplitSeq(fields[1], ",") {
			if name == controller {
				return path.Join("/", fields[2])
			}
		}
	}
	return ""
}

// parent returns the group that a group is in; empty for the root.
func parent(group string) string {
	if group == "/" {
		return ""
	}
	return path.Dir(group)
}

// read returns the limit in a file; 0 if it has none.
func read(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || limit >= unlimited { // "max" is no number
		return 0
	}
	return limit
}
