// Package process reads the figures of the process that the kernel keeps.
package process

import (
	"os"
	"strconv"
	"strings"
)

// Memory returns the process's memory as the kernel counts it, in bytes; zeros
// without /proc.
func Memory() (virtual, resident int64) {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0, 0
	}
	all, _ := strconv.ParseInt(fields[0], 10, 64)
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return all * int64(os.Getpagesize()), pages * int64(os.Getpagesize())
}

// Resident returns the resident memory of the process, in bytes.
func Resident() int64 {
	_, resident := Memory()
	return resident
}

// OpenFiles returns the number of open file descriptors, without the descriptor of
// the reading itself.
func OpenFiles() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	return max(0, len(names)-1)
}
