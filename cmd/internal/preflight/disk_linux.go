package preflight

import "syscall"

// freeBytes returns the room on the disk of a folder for ordinary accounts.
func freeBytes(dir string) (free int64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true //nolint:unconvert // another type on other architectures
}
