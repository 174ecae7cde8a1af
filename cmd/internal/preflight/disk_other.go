//go:build !linux

package preflight

// freeBytes knows no disk.
func freeBytes(string) (free int64, known bool) { return 0, false }
