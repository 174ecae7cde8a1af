//go:build unix

package app

import (
	"os"
	"syscall"
)

// raiseOpenFiles raises the limit on open files to the hard limit of this process, and
// returns it.
func raiseOpenFiles() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	if raised := (syscall.Rlimit{Cur: limit.Max, Max: limit.Max}); syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
		limit = raised // otherwise the lower limit stays
	}
	return uint64(limit.Cur), nil //nolint:unconvert // int64 on FreeBSD
}
