//go:build !linux

package preflight

// freeBytes returns false: this system has no such call.
func freeBytes(string) (free int64, known bool) { return 0, false }
